//! The catalogue's way to a verdict as a list of regular expressions, the first match of which is the verdict.
//!
//! They are written in what PCRE, ECMAScript and Rust's `regex` have in common: no look-around, no flags inside, and neither
//! `#` nor, but from the texts, `/`, `,` and quotes.

use crate::microsoft::{EnhancedRange, Entry};

use super::is_refusal;

/// A text shorter than this tells nothing without its code; the catalogue's own measure.
const ALONE: usize = 20;

/// Any text without an arrow.
const GAP: &str = "[^-]*(?:-+[^->][^-]*)*-*";

/// Three digits of a reply.
const DIGITS: &str = "[2-5][0-9][0-9]";

/// How a rule knows its reply, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// The text behind the enhanced code, or behind the three digits where the entry has no enhanced code.
    CodeAndText,
    /// The text behind the three digits, in a reply that has no enhanced code.
    DigitsAndText,
    /// The text, whatever the code.
    TextAlone,
    /// The enhanced code, whatever the text.
    CodeAlone,
}

/// Where in the MTA's line the reply begins.
pub(super) struct Frame {
    /// What stands before the reply.
    pub(super) start: &'static str,
    /// Whether a reply without three digits may begin there.
    pub(super) bare: bool,
}

/// The line is the reply.
pub(super) const REPLY: Frame = Frame { start: "^", bare: true };

/// One rule.
pub(super) struct Rule<'c> {
    pub(super) entry: &'c Entry,
    pub(super) step: Step,
    /// Not the first of its entry.
    pub(super) again: bool,
    texts: Vec<&'c str>,
}

impl Rule<'_> {
    /// The regular expression; letters match in either case if the MTA is told so.
    pub(super) fn pattern(&self, frame: &Frame) -> String {
        let Self { entry, step, .. } = self;
        let start = frame.start;
        let smtp = entry.smtp_code;
        let optional = |digits: &str| if frame.bare { format!("(?:{digits})?") } else { digits.to_owned() };
        let enhanced = |range: EnhancedRange| {
            format!("{start}{}(?:\\x23)?{}", optional(&format!("{DIGITS}[\\s-]\\s*")), code(range))
        };
        match (step, entry.enhanced) {
            (Step::CodeAndText, Some(range)) => format!("{}{GAP}{}", enhanced(range), any(&self.texts)),
            (Step::CodeAlone, Some(range)) => enhanced(range),
            // A text may begin with the three digits: `550 SC-001`.
            (Step::CodeAndText, None) => {
                let digits = format!("{smtp} ");
                let (with, without): (Vec<&str>, Vec<&str>) =
                    self.texts.iter().partition(|text| text.starts_with(&digits));
                let with: Vec<&str> = with.iter().map(|text| &text[digits.len()..]).collect();
                let behind = match (with.is_empty(), without.is_empty()) {
                    (true, _) => format!("{GAP}{}", any(&without)),
                    (false, true) => format!("\\s*{}", any(&with)),
                    (false, false) => format!("(?:\\s*{}|{GAP}{})", any(&with), any(&without)),
                };
                format!("{start}{smtp}[\\s-]{behind}")
            }
            (Step::DigitsAndText, _) => {
                format!("{start}{smtp}[\\s-]\\s*(?:[^\\s0-9\\x23-]{GAP})?{}", any(&self.texts))
            }
            (Step::TextAlone, _) if frame.bare => format!("{start}{GAP}{}", any(&self.texts)),
            (Step::TextAlone, _) => format!("{start}{DIGITS}[\\s-]{GAP}{}", any(&self.texts)),
            // An entry needs texts or an enhanced code, so there is none like this.
            (Step::CodeAlone, None) => format!("{start}{smtp}\\b"),
        }
    }
}

/// All rules in the order in which the first match is the verdict.
pub(super) fn rules(entries: &[Entry]) -> Vec<Rule<'_>> {
    let mut rules: Vec<Rule<'_>> = Vec::new();
    let of = |step, entry, texts| Rule { entry, step, again: false, texts };
    for entry in entries.iter().filter(|entry| is_refusal(entry)) {
        let long = entry.texts.iter().filter(|text| text.len() >= ALONE);
        match (entry.texts.is_empty(), entry.enhanced) {
            (true, _) => rules.push(of(Step::CodeAlone, entry, Vec::new())),
            (false, code) => {
                rules.push(of(Step::CodeAndText, entry, fewest(entry.texts.iter())));
                rules.push(of(Step::TextAlone, entry, fewest(long)));
                if code.is_some() {
                    rules.push(of(Step::DigitsAndText, entry, fewest(entry.texts.iter())));
                }
            }
        }
    }
    rules.retain(|rule| rule.step == Step::CodeAlone || !rule.texts.is_empty());
    rules.sort_by_key(|rule| rule.step);
    for at in 0..rules.len() {
        rules[at].again = rules[..at].iter().any(|before| before.entry.id == rules[at].entry.id);
    }
    rules
}

/// Without those in which another one stands anyway.
fn fewest<'c>(texts: impl Iterator<Item = &'c String> + Clone) -> Vec<&'c str> {
    let lower: Vec<String> = texts.clone().map(|text| text.to_ascii_lowercase()).collect();
    let needed = |at: usize| {
        !lower.iter().enumerate().any(|(other, text)| {
            other != at && lower[at].contains(text) && (text != &lower[at] || other < at)
        })
    };
    texts.enumerate().filter(|(at, _)| needed(*at)).map(|(_, text)| text.as_str()).collect()
}

/// One of the texts.
fn any(texts: &[&str]) -> String {
    let all: Vec<String> = texts.iter().map(|text| literal(text)).collect();
    if let [one] = all.as_slice() { one.clone() } else { format!("(?:{})", all.join("|")) }
}

/// A text as a pattern. White space matches white space of any length; what is not ASCII, or not printable, matches whatever
/// stands there, since MTAs decode it in their own ways.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            ' ' => pattern.push_str("\\s+"),
            '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => {
                pattern.push('\\');
                pattern.push(c);
            }
            // Begins a comment in some configurations, wherever it stands.
            '#' => pattern.push_str("\\x23"),
            '!'..='~' => pattern.push(c),
            _ if pattern.ends_with("\\S+") => {}
            _ => pattern.push_str("\\S+"),
        }
    }
    pattern
}

/// An enhanced code or a range of them.
fn code(range: EnhancedRange) -> String {
    let last = match (range.first.2, range.last.2) {
        (first, last) if first == last => first.to_string(),
        (first, last) => {
            let all = between(u32::from(first), u32::from(last));
            if let [one] = all.as_slice() { one.clone() } else { format!("(?:{})", all.join("|")) }
        }
    };
    format!("{}\\.{}\\.{last}\\b", range.first.0, range.first.1)
}

/// Patterns that together match the decimal numbers from `first` to `last`, and no others.
fn between(first: u32, last: u32) -> Vec<String> {
    let mut patterns = Vec::new();
    let mut at = first;
    while at <= last {
        // The largest block of powers of ten that begins here and does not pass the end; its first digit may run.
        let mut block = 1;
        while at.is_multiple_of(block * 10) && at > 0 && at + block * 10 - 1 <= last {
            block *= 10;
        }
        let digit = at / block % 10;
        let runs = (last + 1 - at) / block;
        let top = (digit + runs - 1).min(9);
        let head = at / block / 10;
        let head = if head == 0 { String::new() } else { head.to_string() };
        let mut pattern =
            if digit == top { format!("{head}{digit}") } else { format!("{head}[{digit}-{top}]") };
        for _ in 0..block.ilog10() {
            pattern.push_str("[0-9]");
        }
        patterns.push(pattern);
        at += (top - digit + 1) * block;
    }
    patterns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::microsoft::Catalogue;
    use crate::record::Answer;

    proptest! {
        #[test]
        fn a_range_matches_its_numbers_alone(a in 0u32..1200, b in 0u32..1200, n in 0u32..1300) {
            let (first, last) = (a.min(b), a.max(b));
            let pattern = Regex::new(&format!("^(?:{})$", between(first, last).join("|"))).expect("sound");
            for number in [n, first, last, last + 1, first.saturating_sub(1)] {
                prop_assert_eq!(pattern.is_match(&number.to_string()), (first..=last).contains(&number));
            }
        }
    }

    #[test]
    fn ranges_are_short() {
        assert_eq!(between(606, 649), ["60[6-9]", "6[1-4][0-9]"]);
        assert_eq!(between(900, 999), ["9[0-9][0-9]"]);
        assert_eq!(between(7, 7), ["7"]);
    }

    /// Replies as they come: the catalogue's examples, and each changed in case, code, host tag and white space.
    fn replies() -> Vec<String> {
        let tag = " [DU2PEPF00028D0D.eurprd03.prod.outlook.com 2026-05-12T06:13:19.122Z 08DC2A5D1F3B7C10]";
        let mut replies = Vec::new();
        for entry in Catalogue::builtin().entries() {
            let example = &entry.example;
            replies.push(example.clone());
            replies.push(example.to_uppercase());
            replies.push(example.replace(' ', "  "));
            replies.push(format!("{example}{tag}"));
            // Another enhanced code, and none.
            let mut words = example.splitn(3, ' ');
            if let (Some(digits), Some(_), Some(text)) = (words.next(), words.next(), words.next())
                && entry.enhanced.is_some()
            {
                replies.push(format!("{digits} 5.9.9 {text}"));
                replies.push(format!("{digits} {text}"));
                replies.push(format!("556 {text}"));
            }
        }
        replies.push("550 5.0.350 Remote server returned an error -> 550 5.7.1 part of their network is on our block list (S3140)".into());
        replies
    }

    /// The first match is the verdict, also of replies that are not in the catalogue word for word.
    #[test]
    fn the_first_match_is_what_the_catalogue_says() {
        let catalogue = Catalogue::builtin();
        let rules = rules(catalogue.entries());
        let patterns: Vec<Regex> = rules
            .iter()
            .map(|rule| Regex::new(&format!("(?i){}", rule.pattern(&REPLY))).expect("sound"))
            .collect();
        let mut wrong = Vec::new();
        for reply in replies() {
            let said =
                catalogue.classify(&Answer::Text(reply.as_bytes())).entry.map(|entry| entry.id.as_str());
            let first = patterns.iter().position(|pattern| pattern.is_match(&reply));
            let first = first.map(|at| rules[at].entry.id.as_str());
            if first != said {
                wrong.push(format!("{first:?} instead of {said:?}: {reply}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
