//! The catalogue of replies and the verdict on one reply.
//!
//! Which entry a reply is stands in the head of `data/replies.toml`. Cost: a copy in lower case, one pass of an automaton
//! over it and a few slices.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde::Deserialize;

use super::entry::{CatalogueError, Entry, check};
use super::fold::{ARROW, Layer, before_arrow, layers, with_folded};
use super::hosts;
use super::verdict::{Certainty, ReplyCodes, Verdict, codes};
use crate::record::Answer;

/// A text shorter than this tells nothing without its code.
const ALONE: usize = 20;

/// One of several replies that a reply holds.
#[derive(Clone, Debug)]
pub struct Nested<'c> {
    pub verdict: Verdict<'c>,
    pub codes: ReplyCodes,
    /// Another server than Microsoft's said it: it stands behind an arrow.
    pub foreign: bool,
}

/// All entries, and the automaton over their texts.
pub struct Catalogue {
    entries: Vec<Entry>,
    /// Entries without texts, in file order.
    code_only: Vec<usize>,
    searcher: AhoCorasick,
    /// For each pattern of the searcher: where its entries stand in `owners`.
    patterns: Vec<Range<usize>>,
    owners: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    reply: Vec<Entry>,
}

static ACTIVE: OnceLock<Catalogue> = OnceLock::new();

impl Catalogue {
    /// The one in use: the built-in one, with the user's rules where there are any.
    pub fn active() -> &'static Self {
        ACTIVE.get().unwrap_or_else(|| Self::builtin())
    }

    /// Puts a catalogue to use, once, before the first reply is read.
    pub fn activate(self) {
        // A second one is of a program that lives on, such as a test: the first stays.
        let _ = ACTIVE.set(self);
    }

    /// The one that comes with the program.
    pub fn builtin() -> &'static Self {
        static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
            Catalogue::of(Catalogue::builtin_entries())
                .unwrap_or_else(|error| panic!("src/microsoft/data/replies.toml: {error}"))
        });
        &CATALOGUE
    }

    /// The entries that come with the program.
    pub(super) fn builtin_entries() -> Vec<Entry> {
        super::data::read::<File>("replies.toml", include_str!("data/replies.toml")).reply
    }

    /// Checks entries and makes a catalogue of them.
    pub(super) fn of(entries: Vec<Entry>) -> Result<Self, CatalogueError> {
        check(&entries)?;
        // The same text may stand in several entries: one pattern, several owners, in file order.
        let mut texts: Vec<(String, usize)> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            texts.extend(entry.texts.iter().map(|text| (text.to_ascii_lowercase(), index)));
        }
        texts.sort();
        texts.dedup();
        let mut literals: Vec<&str> = Vec::new();
        let mut patterns: Vec<Range<usize>> = Vec::new();
        for (at, (text, _)) in texts.iter().enumerate() {
            if literals.last() == Some(&text.as_str())
                && let Some(last) = patterns.last_mut()
            {
                last.end = at + 1;
            } else {
                literals.push(text);
                patterns.push(at..at + 1);
            }
        }
        // Without the prefilter: with so many first bytes it stops everywhere and only costs. In lower case: half the
        // bytes to tell apart make half the automaton, which is built at each start.
        let searcher = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .prefilter(false)
            .build(&literals)?;
        let owners = texts.iter().map(|(_, index)| *index).collect();
        let code_only = (0..entries.len()).filter(|&index| entries[index].texts.is_empty()).collect();
        Ok(Self { entries, code_only, searcher, patterns, owners })
    }

    /// In file order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry with this id.
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// What an answer means.
    pub fn classify(&self, answer: &Answer<'_>) -> Verdict<'_> {
        match *answer {
            Answer::Nobody => Verdict::no_reply(),
            Answer::Codes { smtp, enhanced } => self.classify_codes(ReplyCodes { smtp, enhanced }),
            Answer::Text(reply) => {
                if codes(reply).accepted() {
                    return Verdict::accepted();
                }
                with_folded(reply, |text| self.classify_folded(text))
            }
        }
    }

    fn classify_codes(&self, codes: ReplyCodes) -> Verdict<'_> {
        if codes.accepted() {
            return Verdict::accepted();
        }
        self.by_code(codes).unwrap_or_else(|| Verdict::unknown(codes))
    }

    fn classify_folded(&self, text: &[u8]) -> Verdict<'_> {
        let text = before_arrow(text);
        // A third of a reply is its host tag, and no entry's text stands there.
        let found = self.search(hosts::without_tag(text));
        let mut verdict = None;
        layers(text, |layer| {
            verdict = self.known(&layer, found.as_slice());
            verdict.is_some()
        });
        verdict.unwrap_or_else(|| Verdict::unknown(codes(text)))
    }

    /// Each reply that `reply` holds and the catalogue knows: the verdict first, then the other layers.
    pub fn layers(&self, reply: &[u8]) -> Vec<Nested<'_>> {
        with_folded(reply, |folded| {
            let text = before_arrow(folded);
            let found = self.search(text);
            let mut known = Vec::new();
            layers(text, |layer| {
                if let Some(verdict) = self.known(&layer, found.as_slice()) {
                    known.push(Nested { verdict, codes: layer.codes, foreign: false });
                }
                false
            });
            let mut rest = &folded[text.len()..];
            while let Some(behind) = rest.strip_prefix(ARROW) {
                let text = before_arrow(behind);
                let layer = Layer { range: 0..text.len(), codes: codes(text) };
                // What another server means by a code is its own affair: the words must be known.
                if let Some(verdict) = self.known(&layer, self.search(text).as_slice())
                    && verdict.certainty != Certainty::Code
                {
                    known.push(Nested { verdict, codes: layer.codes, foreign: true });
                }
                rest = &behind[text.len()..];
            }
            known
        })
    }

    /// All texts in `text`, each with its entry.
    fn search(&self, text: &[u8]) -> Found {
        let mut found = Found::default();
        for hit in self.searcher.find_overlapping_iter(&text.to_ascii_lowercase()) {
            for &entry in &self.owners[self.patterns[hit.pattern()].clone()] {
                found.push(Hit { entry, start: hit.start(), end: hit.end() });
            }
        }
        found
    }

    /// The entry that this layer is, by the three steps.
    fn known(&self, layer: &Layer, found: &[Hit]) -> Option<Verdict<'_>> {
        let ReplyCodes { smtp, enhanced } = layer.codes;
        let (mut with_code, mut with_digits, mut alone) = (usize::MAX, usize::MAX, usize::MAX);
        for hit in found {
            if hit.start < layer.range.start || hit.end > layer.range.end {
                continue;
            }
            let entry = &self.entries[hit.entry];
            let digits = smtp == Some(entry.smtp_code);
            match (entry.enhanced, enhanced) {
                (Some(range), Some(code)) if range.contains(code) => with_code = with_code.min(hit.entry),
                (None, _) if digits => with_code = with_code.min(hit.entry),
                (Some(_), None) if digits => with_digits = with_digits.min(hit.entry),
                _ => {}
            }
            if hit.end - hit.start >= ALONE {
                alone = alone.min(hit.entry);
            }
        }
        let verdict = |index: usize, certainty| self.entries.get(index).map(|entry| of(entry, certainty));
        verdict(with_code, Certainty::Exact)
            .or_else(|| verdict(with_digits, Certainty::Exact))
            .or_else(|| verdict(alone, Certainty::Text))
            .or_else(|| self.by_code(layer.codes))
    }

    /// Step three: entries without text.
    fn by_code(&self, codes: ReplyCodes) -> Option<Verdict<'_>> {
        let code = codes.enhanced?;
        let entries = self.code_only.iter().map(|&index| &self.entries[index]);
        entries
            .into_iter()
            .find(|entry| entry.enhanced.is_some_and(|range| range.contains(code)))
            .map(|entry| of(entry, Certainty::Code))
    }
}

fn of(entry: &Entry, certainty: Certainty) -> Verdict<'_> {
    Verdict {
        id: Cow::Borrowed(&entry.id),
        entry: Some(entry),
        class: entry.class,
        signal: entry.signal,
        certainty,
    }
}

/// A text of an entry at a place of the reply.
#[derive(Clone, Copy, Default)]
struct Hit {
    entry: usize,
    start: usize,
    end: usize,
}

/// A few hits without an allocation; more go to the heap.
#[derive(Default)]
struct Found {
    few: [Hit; 12],
    length: usize,
    many: Vec<Hit>,
}

impl Found {
    fn push(&mut self, hit: Hit) {
        if self.many.is_empty() && self.length < self.few.len() {
            self.few[self.length] = hit;
            self.length += 1;
        } else {
            if self.many.is_empty() {
                self.many.extend_from_slice(&self.few);
            }
            // A hostile reply may repeat one text ten thousand times; no verdict needs that many.
            if self.many.len() < 4096 {
                self.many.push(hit);
            }
        }
    }

    fn as_slice(&self) -> &[Hit] {
        if self.many.is_empty() { &self.few[..self.length] } else { &self.many }
    }
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
