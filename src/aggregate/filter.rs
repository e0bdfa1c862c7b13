//! Which attempts count: the filters of the command line and of the screen's selections.

use std::fmt;
use std::net::IpAddr;

use globset::{GlobBuilder, GlobMatcher};

use crate::record::Time;
use crate::text::escape_controls;

/// Patterns of one option: globs without case, alternatives of each other; a leading `!` excludes.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    text: String,
    glob: GlobMatcher,
}

/// A pattern that is no glob.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no pattern: {why} (write a literal [, ? or * as \\[, \\?, \\*)")]
pub struct BadPattern {
    text: String,
    why: String,
}

impl Patterns {
    /// Adds one pattern as typed.
    pub fn add(&mut self, text: &str) -> Result<(), BadPattern> {
        let (list, glob) = match text.strip_prefix('!') {
            Some(rest) => (&mut self.exclude, rest),
            None => (&mut self.include, text),
        };
        let glob =
            GlobBuilder::new(glob).case_insensitive(true).literal_separator(false).build().map_err(|e| {
                BadPattern { text: escape_controls(text.as_bytes()), why: e.kind().to_string() }
            })?;
        list.push(Pattern { text: text.to_owned(), glob: glob.compile_matcher() });
        Ok(())
    }

    /// One address and no other.
    pub fn address(ip: IpAddr) -> Self {
        let mut patterns = Self::default();
        // Digits, letters, dots and colons: a glob of itself.
        let added = patterns.add(&ip.to_string());
        debug_assert!(added.is_ok());
        patterns
    }

    /// No pattern at all: everything matches.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether something known by these names matches: any of them one of the patterns, none an excluded one.
    pub fn matches<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) -> bool {
        if self.is_empty() {
            return true;
        }
        let hits = |list: &[Pattern]| list.iter().any(|p| names.clone().any(|n| p.glob.is_match(n)));
        (self.include.is_empty() || hits(&self.include)) && !hits(&self.exclude)
    }
}

impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, pattern) in self.include.iter().chain(&self.exclude).enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { "," }, pattern.text)?;
        }
        Ok(())
    }
}

/// All filters; values of one option are alternatives, different options must all hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Unix seconds, inclusive.
    pub since: Option<i64>,
    /// Unix seconds, inclusive.
    pub until: Option<i64>,
    /// IP, name, host.
    pub source: Patterns,
    pub domain: Patterns,
    pub sender_domain: Patterns,
    /// Host, site, forest.
    pub datacenter: Patterns,
    pub platform: Patterns,
    pub reply: Patterns,
    pub class: Patterns,
    pub outcome: Patterns,
}

impl Filter {
    /// Whether an attempt at this time counts; one without a time does where no time was asked for.
    pub fn holds_time(&self, time: Option<Time>) -> bool {
        match time {
            None => self.since.is_none() && self.until.is_none(),
            Some(t) => self.since.is_none_or(|s| t.seconds >= s) && self.until.is_none_or(|u| t.seconds <= u),
        }
    }
}

/// Literal text as a glob that matches it alone, for a selection on the screen.
pub fn literal(text: &str) -> String {
    let mut glob = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\' | '!') {
            glob.extend(['\\', c]);
        } else {
            glob.push(c);
        }
    }
    glob
}
