//! What a class of replies is in an MTA's own words: `data/exports.toml`, whose head explains the fields.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::{Entry, Scope, Temporality, data};

/// What an MTA is to make of a reply.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Use {
    #[serde(default)]
    pub category: String,
    action: Option<String>,
    temporary: Option<String>,
    scope: Option<Scope>,
    pub trigger: Option<String>,
    pub duration: Option<String>,
}

impl Use {
    /// What the MTA is to do at this reply, if anything.
    pub fn action(&self, entry: &Entry) -> Option<&str> {
        if self.scope.is_some_and(|scope| scope != entry.scope) {
            return None;
        }
        let own = self.temporary.as_deref().filter(|_| entry.temporality == Temporality::Temp);
        own.or(self.action.as_deref())
    }
}

/// The table of one MTA.
#[derive(Debug, Default, Deserialize)]
pub struct Uses {
    #[serde(default)]
    replies: BTreeMap<String, Use>,
    #[serde(flatten)]
    classes: BTreeMap<String, Use>,
}

impl Uses {
    /// What to make of a reply; `None` where the table has nothing for its class.
    pub fn of(&self, entry: &Entry) -> Option<&Use> {
        self.replies.get(&entry.id).or_else(|| self.classes.get(entry.class.name()))
    }
}

/// The tables of all MTAs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exports {
    /// Ends of Microsoft's relays' names.
    pub relays: Vec<String>,
    pub kumomta: Uses,
    pub powermta: Uses,
    pub postfix: Uses,
    pub zonemta: Uses,
}

/// The tables, read once.
pub fn exports() -> &'static Exports {
    static EXPORTS: LazyLock<Exports> =
        LazyLock::new(|| data::read("exports.toml", include_str!("data/exports.toml")));
    &EXPORTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::microsoft::{Catalogue, Class};

    #[test]
    fn the_tables_know_all_classes_and_no_others() {
        let tables = exports();
        let names: Vec<&str> = Class::ALL.iter().map(|class| class.name()).collect();
        for uses in [&tables.kumomta, &tables.powermta, &tables.postfix, &tables.zonemta] {
            for class in uses.classes.keys() {
                assert!(names.contains(&class.as_str()), "{class} is no class");
            }
            for id in uses.replies.keys() {
                assert!(Catalogue::builtin().entry(id).is_some(), "{id} is not in the catalogue");
            }
        }
        for uses in [&tables.kumomta, &tables.powermta, &tables.zonemta] {
            for name in names.iter().filter(|name| **name != "accepted") {
                assert!(uses.classes.get(*name).is_some_and(|word| !word.category.is_empty()), "{name}");
            }
        }
    }
}
