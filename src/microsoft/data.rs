//! The tables under `data/`, read once. Where something is wrong with them the program cannot work, so they are
//! checked by tests and reading them panics with the file's name.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Class;

/// A portal, form, address or page that people are sent to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Used by the catalogue's entries.
    pub id: String,
    /// Short, for people.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Where it was, for who knows the old address.
    pub former: Option<String>,
    /// The day it moved.
    pub moved: Option<String>,
    /// What it is for, and what it is not for.
    pub what: String,
    /// What to have at hand before going there.
    #[serde(default)]
    pub ready: Vec<String>,
    /// Date of the last check.
    pub checked: String,
    /// How: `opened` or `documents`.
    pub check: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkFile {
    link: Vec<Link>,
}

/// All links, in file order.
pub fn links() -> &'static [Link] {
    static LINKS: LazyLock<Vec<Link>> =
        LazyLock::new(|| read::<LinkFile>("links.toml", include_str!("data/links.toml")).link);
    &LINKS
}

/// The link with this id.
pub fn link(id: &str) -> Option<&'static Link> {
    links().iter().find(|link| link.id == id)
}

/// What a class of replies means, for people.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassWords {
    /// What it is.
    pub what: String,
    /// What is refused by it, and what is not.
    pub blocked: String,
    /// What not to do.
    pub avoid: Vec<String>,
}

/// The words for a class.
pub fn class_words(class: Class) -> Option<&'static ClassWords> {
    static WORDS: LazyLock<BTreeMap<String, ClassWords>> =
        LazyLock::new(|| read("classes.toml", include_str!("data/classes.toml")));
    WORDS.get(class.name())
}

/// How one part of the work is done: what is known of it, and the steps in their order.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Guide {
    /// What people type.
    pub id: String,
    /// For people.
    pub title: String,
    /// What it is about.
    pub about: String,
    /// What is known.
    pub facts: Vec<String>,
    /// What to do, in order.
    pub steps: Vec<String>,
    /// Ids of `links.toml`.
    pub links: Vec<String>,
    /// Classes of replies that it helps with.
    pub classes: Vec<Class>,
    /// Where the facts come from.
    pub sources: Vec<String>,
    /// Date of the last check.
    pub checked: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuideFile {
    guide: Vec<Guide>,
}

/// All guides, in file order.
pub fn guides() -> &'static [Guide] {
    static GUIDES: LazyLock<Vec<Guide>> =
        LazyLock::new(|| read::<GuideFile>("guides.toml", include_str!("data/guides.toml")).guide);
    &GUIDES
}

/// When the built-in catalogue was last checked as a whole, as its head says.
pub fn catalogue_date() -> &'static str {
    const SAID: &str = "last checked as a whole on ";
    let head = include_str!("data/replies.toml");
    let date = head.find(SAID).and_then(|at| head[at + SAID.len()..].get(..10));
    date.unwrap_or_else(|| panic!("src/microsoft/data/replies.toml: the head names no date"))
}

/// Reads a TOML table of the crate.
pub(super) fn read<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> T {
    match toml::from_str(text) {
        Ok(value) => value,
        Err(error) => panic!("src/microsoft/data/{file}: {error}"),
    }
}

/// The rows of a tab separated table of the crate, without comments and the line of column names.
pub(super) fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .skip(1)
        .map(|line| line.split('\t').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_date(text: &str) -> bool {
        text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
    }

    #[test]
    fn guides_are_whole_and_lead_somewhere() {
        let mut ids: Vec<&str> = guides().iter().map(|guide| guide.id.as_str()).collect();
        for wanted in ["snds", "traps", "delisting", "jmrp", "authentication", "ramp", "trade-show-list"] {
            assert!(ids.contains(&wanted), "{wanted}");
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), guides().len());
        for guide in guides() {
            assert!(
                guide.facts.len() > 1 && guide.steps.len() > 2 && !guide.sources.is_empty(),
                "{}",
                guide.id
            );
            assert!(is_date(&guide.checked) && !guide.classes.is_empty(), "{}", guide.id);
            for id in &guide.links {
                assert!(link(id).is_some(), "{}: {id}", guide.id);
            }
        }
    }

    #[test]
    fn each_form_says_what_to_have_ready() {
        for id in ["sender-support", "delist-portal", "delist-mail", "spamhaus-ip", "snds", "jmrp"] {
            let link = link(id).expect("known");
            assert!(!link.ready.is_empty() && is_date(&link.checked), "{id}");
        }
        // A page to read asks for nothing.
        assert!(link("ndr-codes").expect("known").ready.is_empty());
    }
}
