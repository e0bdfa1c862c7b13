//! The tables under `data/`, read once. Where something is wrong with them the program cannot work, so they are
//! checked by tests and reading them panics with the file's name.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

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
