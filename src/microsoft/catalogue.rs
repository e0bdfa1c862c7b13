//! The catalogue of replies and the verdict on one reply.
//!
//! Which entry a reply is stands in the head of `data/replies.toml`. Cost: one pass of an automaton over the reply and
//! a few slices; nothing is allocated for replies that the catalogue knows.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde::{Deserialize, Serialize};

use super::{Class, Signal, data, hosts};
use crate::record::{Answer, Enhanced};

/// `reply_id` of what Microsoft took.
pub const ACCEPTED: &str = "accepted";
/// `reply_id` where nobody answered.
pub const NO_REPLY: &str = "no-reply";
/// A text shorter than this tells nothing without its code.
const ALONE: usize = 20;

/// An enhanced code or a range of them that differ in the last number, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnhancedRange {
    /// The lowest.
    pub first: Enhanced,
    /// The highest; of one code the same.
    pub last: Enhanced,
}

impl EnhancedRange {
    /// Whether `code` lies in it.
    pub fn contains(&self, code: Enhanced) -> bool {
        (code.0, code.1) == (self.first.0, self.first.1) && (self.first.2..=self.last.2).contains(&code.2)
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let code = |text: &str| match Enhanced::at_start(text.as_bytes()) {
            Some((code, length)) if length == text.len() => Some(code),
            _ => None,
        };
        let range = Self { first: code(first)?, last: code(last)? };
        range.contains(range.last).then_some(range)
    }
}

impl fmt::Display for EnhancedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if self.first != self.last {
            write!(f, "-{}", self.last)?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for EnhancedRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("'{text}' is no enhanced code and no range")))
    }
}

/// Whether the MTA tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Temporality {
    /// The MTA keeps the message and retries.
    Temp,
    /// The message is refused for good.
    Perm,
}

/// Whom a refusal concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The sending address.
    Ip,
    /// A domain of the sender.
    Domain,
    /// The sending account.
    Sender,
    /// This recipient.
    Recipient,
    /// A tenant: the recipient's, or the one that relays.
    Tenant,
    /// This message.
    Content,
    /// Nobody.
    None,
}

/// Who answers so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Outlook.com and its kin.
    Consumer,
    /// Microsoft 365.
    M365,
    /// Both.
    Both,
}

/// How an entry is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// Seen in public logs.
    Wild,
    /// In Microsoft's documents.
    Doc,
    /// Somebody says so.
    Reported,
    /// In the project's reference table; the wording was not seen in public.
    Project,
    /// Follows from other entries.
    Derived,
    /// Recalled, not seen.
    Unverified,
}

impl Evidence {
    /// For people and `explain`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Wild => "seen in the wild",
            Self::Doc => "documented",
            Self::Reported => "reported",
            Self::Project => "reported (project reference table; wording not seen in public)",
            Self::Derived => "derived",
            Self::Unverified => "unverified",
        }
    }
}

/// One reply of the catalogue. The fields are explained in the head of `data/replies.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub id: String,
    pub smtp_code: u16,
    #[serde(rename = "enhanced_code")]
    pub enhanced: Option<EnhancedRange>,
    pub tag: Option<String>,
    #[serde(default)]
    pub texts: Vec<String>,
    pub example: String,
    pub temporality: Temporality,
    pub class: Class,
    pub scope: Scope,
    pub signal: Signal,
    #[serde(default)]
    pub stated: bool,
    pub platform: Service,
    pub root_cause: String,
    pub fix: String,
    pub steps: Vec<String>,
    #[serde(default)]
    pub links: Vec<String>,
    pub documented: Option<String>,
    pub evidence: Evidence,
    pub source: String,
}

impl Entry {
    /// Whether its class is a block.
    pub fn is_block(&self) -> bool {
        self.class.is_block()
    }
}

/// How a verdict was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Text and code agree.
    Exact,
    /// The text alone.
    Text,
    /// The code alone.
    Code,
    /// Not in the catalogue, or one of several readings.
    Guess,
}

/// What a reply means.
#[derive(Clone, Debug)]
pub struct Verdict<'c> {
    /// `reply_id`.
    pub id: Cow<'c, str>,
    /// The catalogue's entry, if it knows the reply.
    pub entry: Option<&'c Entry>,
    pub class: Class,
    pub signal: Signal,
    pub certainty: Certainty,
}

impl Verdict<'static> {
    /// Microsoft took the message: for successes whose code the log drops (Sendmail, Momentum).
    pub const fn accepted() -> Self {
        Self {
            id: Cow::Borrowed(ACCEPTED),
            entry: None,
            class: Class::Accepted,
            signal: Signal::Pass,
            certainty: Certainty::Exact,
        }
    }

    /// Nobody answered.
    pub const fn no_reply() -> Self {
        Self {
            id: Cow::Borrowed(NO_REPLY),
            entry: None,
            class: Class::Connection,
            signal: Signal::Skip,
            certainty: Certainty::Exact,
        }
    }

    /// Microsoft answered what the catalogue does not know; RFC 3463's subject gives the class. Never a block.
    pub fn unknown(codes: ReplyCodes) -> Self {
        let id = match (codes.enhanced, codes.smtp) {
            (Some(enhanced), _) => format!("unknown-{enhanced}").into(),
            (None, Some(smtp)) => format!("unknown-{smtp:03}").into(),
            (None, None) => Cow::Borrowed("unknown-none"),
        };
        let class = match codes.enhanced {
            Some(Enhanced(_, 1, _)) => Class::Recipient,
            Some(Enhanced(_, 2, 2)) => Class::Quota,
            Some(Enhanced(_, 2, _)) => Class::Recipient,
            Some(Enhanced(_, 3 | 4, _)) => Class::TransientInfrastructure,
            Some(Enhanced(_, 5 | 6, _)) => Class::Protocol,
            _ => Class::Unknown,
        };
        let signal = match class {
            Class::Recipient | Class::Quota | Class::Protocol => Signal::Pass,
            _ => Signal::Skip,
        };
        Self { id, entry: None, class, signal, certainty: Certainty::Guess }
    }
}

/// The codes of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyCodes {
    pub smtp: Option<u16>,
    pub enhanced: Option<Enhanced>,
}

impl ReplyCodes {
    /// Whether it is a success.
    pub fn accepted(&self) -> bool {
        match self.smtp {
            Some(code) => (200..300).contains(&code),
            None => self.enhanced.is_some_and(|code| code.0 == 2),
        }
    }
}

/// The codes at a reply's start: `550 5.7.1 …`, `550-5.7.1 …`, `550 …`, `5.7.1 …`.
pub fn codes(reply: &[u8]) -> ReplyCodes {
    codes_and_length(reply).0
}

/// The same, and where the text behind them begins.
pub(super) fn codes_and_length(reply: &[u8]) -> (ReplyCodes, usize) {
    let mut codes = ReplyCodes::default();
    let mut at = blanks(reply, 0);
    if let Some(code) = smtp_code(&reply[at..]) {
        codes.smtp = Some(code);
        at += 3;
        if reply.get(at) == Some(&b'-') {
            at += 1;
        }
        at = blanks(reply, at);
    }
    let hash = usize::from(reply.get(at) == Some(&b'#'));
    if let Some((enhanced, length)) = Enhanced::at_start(&reply[at + hash..]) {
        codes.enhanced = Some(enhanced);
        at += hash + length;
    }
    (codes, at)
}

/// Three digits of a reply at the start of `text`, with nothing behind that makes them another number.
fn smtp_code(text: &[u8]) -> Option<u16> {
    let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = text else { return None };
    match rest.first() {
        Some(next) if next.is_ascii_alphanumeric() || matches!(next, b'.' | b'_' | b'@' | b'/') => None,
        _ => Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')),
    }
}

/// The offset of the first byte from `at` on that is no white space.
fn blanks(text: &[u8], at: usize) -> usize {
    at + text[at.min(text.len())..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// A reply inside a reply, as offsets into the folded text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Layer {
    range: Range<usize>,
    codes: ReplyCodes,
}

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

/// What is wrong with a catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// No TOML of the right shape.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// An entry that contradicts itself or another one.
    #[error("[[reply]] '{id}': {problem}")]
    Entry {
        /// Of the entry.
        id: String,
        /// What to mend.
        problem: String,
    },
    /// The automaton could not be built.
    #[error("the texts make no automaton: {0}")]
    Texts(#[from] aho_corasick::BuildError),
}

impl Catalogue {
    /// The one that comes with the program.
    pub fn builtin() -> &'static Self {
        static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
            Catalogue::load(include_str!("data/replies.toml"))
                .unwrap_or_else(|error| panic!("src/microsoft/data/replies.toml: {error}"))
        });
        &CATALOGUE
    }

    /// Reads and checks a catalogue.
    pub fn load(toml: &str) -> Result<Self, CatalogueError> {
        let entries = toml::from_str::<File>(toml)?.reply;
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
        // Without the prefilter: with so many first bytes it stops everywhere and only costs.
        let searcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
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
        for hit in self.searcher.find_overlapping_iter(text) {
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

const ARROW: &[u8] = b" -> ";

/// What stands before the first arrow: behind it another server speaks.
fn before_arrow(text: &[u8]) -> &[u8] {
    let arrow = |tip: usize| tip > 2 && text[tip - 2..].starts_with(ARROW);
    match memchr::memchr_iter(b'>', text).find(|tip| arrow(*tip)) {
        Some(tip) => &text[..tip - 2],
        None => text,
    }
}

/// Calls `visit` for each reply in `text`, the innermost first, the whole last; stops where it returns true.
fn layers(text: &[u8], mut visit: impl FnMut(Layer) -> bool) {
    let quote = |end: usize| memchr::memrchr3(b'\'', b'"', b'<', &text[..end]);
    // Exchange's `LED=`, and the last byte of a typographic opening quote.
    let other = |end: usize| memchr::memrchr3(b'=', b'\x9c', b'\x98', &text[..end]);
    let (mut next_quote, mut next_other) = (quote(text.len()), other(text.len()));
    let mut left = 16;
    while left > 0
        && let Some(open) = next_quote.max(next_other)
    {
        if next_quote == Some(open) {
            next_quote = quote(open);
        } else {
            next_other = other(open);
        }
        let Some(start) = reply_behind(text, open) else { continue };
        left -= 1;
        let range = start..closer(text, open, start);
        let codes = codes(&text[range.clone()]);
        if visit(Layer { range, codes }) {
            return;
        }
    }
    visit(Layer { range: 0..text.len(), codes: codes(text) });
}

/// Where a reply begins that `open` quotes: right behind it, or behind `#5.7.1 smtp;`.
fn reply_behind(text: &[u8], open: usize) -> Option<usize> {
    let word = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let quotes = match text[open] {
        b'\x9c' | b'\x98' => open >= 2 && text[open - 2..open] == *b"\xe2\x80",
        b'=' => text[..open].ends_with(b"LED"),
        // An apostrophe inside a word opens nothing.
        b'\'' => !(open > 0 && word(open - 1) && word(open + 1)),
        _ => true,
    };
    if !quotes {
        return None;
    }
    let start = blanks(text, open + 1);
    if is_reply(&text[start..]) {
        return Some(start);
    }
    // <host #5.7.1 smtp;550 5.7.1 …>, '#5.7.1 SMTP; 550 …'
    let words = &text[start..text.len().min(start + 160)];
    let semicolon = memchr::memchr(b';', words)?;
    let kind = &words[..semicolon];
    let within = memchr::memchr3(b'\'', b'"', b'<', kind).is_none() && !kind.contains(&b'>');
    let behind = blanks(text, start + semicolon + 1);
    let smtp = kind.last_chunk::<4>().is_some_and(|kind| kind.eq_ignore_ascii_case(b"smtp"));
    (within && smtp && is_reply(&text[behind..])).then_some(behind)
}

/// Three digits and a text: `550 5.7.1 …`, `550-5.7.1 …`, `554 Transaction failed`.
fn is_reply(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'4' | b'5'))
        && smtp_code(text).is_some()
        && matches!(text.get(3), Some(b' ' | b'-'))
        && text.get(4).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'#')
}

/// Where the quote that `open` opens is closed, or the end.
fn closer(text: &[u8], open: usize, start: usize) -> usize {
    let rest = &text[start..];
    let word = |at: usize| rest.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let mut depth = 0usize;
    for (at, &byte) in rest.iter().enumerate() {
        match (text[open], byte) {
            (b'<', b'<') => depth += 1,
            (b'<', b'>') if at > 0 && matches!(rest[at - 1], b'-' | b'=') => {}
            (b'<', b'>') if depth > 0 => depth -= 1,
            (b'<', b'>') | (b'"', b'"') | (b'=', b'}') => return start + at,
            // An apostrophe inside a word closes nothing.
            (b'\'', b'\'') if !(at > 0 && word(at - 1) && word(at + 1)) => return start + at,
            (b'\x9c', b'\x9d') | (b'\x98', b'\x99')
                if at >= 2 && rest[at - 2..at] == *b"\xe2\x80" && !word(at + 1) =>
            {
                return start + at - 2;
            }
            _ => {}
        }
    }
    text.len()
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Calls `then` with the reply in one line: each run of white space is one blank, and the codes that begin the further
/// lines of a multi-line reply (`550-5.7.1 `) are taken out.
fn with_folded<T>(reply: &[u8], then: impl FnOnce(&[u8]) -> T) -> T {
    let reply = reply.trim_ascii();
    // Only the first line of a reply of several ends its code by a hyphen.
    let multi = smtp_code(reply).is_some() && reply.get(3) == Some(&b'-');
    let pairs = reply.iter().zip(reply.iter().skip(1));
    let uneven = pairs.fold(false, |any, (a, b)| any | (*a < b' ') | ((*a == b' ') & (*b == b' ')));
    if !multi && !uneven {
        return then(reply);
    }
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => {
            fold(reply, multi, &mut scratch);
            then(&scratch)
        }
        Err(_) => {
            let mut folded = Vec::new();
            fold(reply, multi, &mut folded);
            then(&folded)
        }
    })
}

fn fold(reply: &[u8], multi: bool, folded: &mut Vec<u8>) {
    folded.clear();
    folded.reserve(reply.len());
    let mut at = 0;
    if multi {
        folded.extend_from_slice(&reply[..3]);
        folded.push(b' ');
        at = blanks(reply, 4);
    }
    while at < reply.len() {
        let byte = reply[at];
        // Exim writes the end of a line as \n.
        let escaped = multi && byte == b'\\' && matches!(reply.get(at + 1), Some(b'n' | b'r'));
        if !escaped && !byte.is_ascii_whitespace() {
            folded.push(byte);
            at += 1;
            continue;
        }
        at += if escaped { 2 } else { 1 };
        if folded.last() != Some(&b' ') {
            folded.push(b' ');
        }
        at = blanks(reply, at);
        if multi && reply[at..].starts_with(&reply[..3]) && matches!(reply.get(at + 3), Some(b'-' | b' ')) {
            let (_, length) = codes_and_length(&reply[at..]);
            at = blanks(reply, at + length);
        }
    }
}

fn check(entries: &[Entry]) -> Result<(), CatalogueError> {
    for (index, entry) in entries.iter().enumerate() {
        let wrong =
            |problem: &str| Err(CatalogueError::Entry { id: entry.id.clone(), problem: problem.to_owned() });
        if entry.id.is_empty() || !entry.id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            return wrong("the id must be made of a-z, 0-9 and hyphens");
        }
        if entry.id.starts_with("unknown") || matches!(entry.id.as_str(), ACCEPTED | NO_REPLY) {
            return wrong("this id is taken by the program");
        }
        if entries[..index].iter().any(|other| other.id == entry.id) {
            return wrong("the id is there twice");
        }
        if !(200..600).contains(&entry.smtp_code) {
            return wrong("smtp_code must be three digits, 200 to 599");
        }
        if entry.texts.is_empty() && entry.enhanced.is_none() {
            return wrong("it needs texts, or an enhanced_code to stand for");
        }
        for text in &entry.texts {
            let blank = text.starts_with(' ') || text.ends_with(' ') || text.contains("  ");
            if text.is_empty() || blank || text.chars().any(char::is_control) {
                return wrong(&format!(
                    "the text '{text}' is never found: write single blanks, none at its ends"
                ));
            }
        }
        if entry.temporality == Temporality::Temp && entry.is_block() {
            return wrong("a block is not temporary");
        }
        if entry.stated && entry.class != Class::IpBlock {
            return wrong("stated is for entries of class ip-block");
        }
        if entry.is_block() != (entry.signal == Signal::Block) {
            return wrong("signal block belongs to ip-block and sender-block");
        }
        if entry.root_cause.is_empty() || entry.fix.is_empty() || entry.steps.is_empty() {
            return wrong("it needs root_cause, fix and steps");
        }
        if let Some(id) = entry.links.iter().find(|id| data::link(id).is_none()) {
            return wrong(&format!("the link '{id}' is not in links.toml"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
