//! The filter, by the ids of the tables.

use std::fmt::Display;

use super::filter::Filter;
use super::learned::Learned;
use super::names::{Belongs, NameTables, SourceKey, VerdictKey};
use super::tables::CellKey;
use crate::attribute::known_as;
use crate::microsoft::Class;

/// Which ids a filter lets through.
pub(super) struct Allowed<'a> {
    names: &'a NameTables,
    learned: &'a Learned,
    filter: &'a Filter,
    /// By relay, a place in the one forest that it is known to be in.
    forests: Vec<Option<u32>>,
    sources: Vec<bool>,
    domains: Vec<bool>,
    senders: Vec<bool>,
    places: Vec<bool>,
    verdicts: Vec<bool>,
}

impl<'a> Allowed<'a> {
    pub(super) fn new(filter: &'a Filter, names: &'a NameTables, learned: &'a Learned) -> Self {
        let source = |key: &SourceKey| {
            if filter.source.is_empty() {
                return true;
            }
            let label = learned.address(&key.identity()).map(|ip| ip.to_string());
            let [name, front] = key.name.as_deref().map_or([None; 2], known_as);
            filter.source.matches([label.as_deref(), name, front, key.host.as_deref()].into_iter().flatten())
        };
        let verdict = |key: &VerdictKey| {
            let belongs = key.platform.name();
            filter.platform.matches([belongs].into_iter())
                && filter.reply.matches(
                    reply_names(&key.reply_id, key.smtp_code, key.enhanced).iter().map(String::as_str),
                )
                && filter.class.matches([key.class.name()].into_iter())
                && filter.outcome.matches([key.outcome.name()].into_iter())
        };
        let relays = names.relays.values().iter();
        Self {
            names,
            learned,
            filter,
            forests: relays.map(|ip| learned.forests.get(ip.as_ref()?).copied()).collect(),
            sources: names.sources.values().iter().map(source).collect(),
            domains: names
                .domains
                .values()
                .iter()
                .map(|d| filter.domain.matches(d.iter().map(|d| &**d)))
                .collect(),
            senders: names
                .senders
                .values()
                .iter()
                .map(|s| filter.sender_domain.matches(s.iter().map(|s| &**s)))
                .collect(),
            places: names
                .places
                .values()
                .iter()
                .map(|p| {
                    let parts = [p.host.as_deref(), p.site.as_deref(), p.forest.as_deref()];
                    filter.datacenter.matches(parts.into_iter().flatten())
                })
                .collect(),
            verdicts: names.verdicts.values().iter().map(verdict).collect(),
        }
    }

    /// The place of a key's attempts, and whether it was learned; `None`: they do not count.
    pub(super) fn look(&self, key: &CellKey) -> Option<(u32, bool)> {
        let verdict = &self.names.verdicts.values()[key.verdict as usize];
        let belongs = verdict.belongs == Belongs::Microsoft || self.learned.domains.contains(&key.domain);
        let learned_place = self.forests[key.relay as usize].filter(|_| self.may_learn_place(key, verdict));
        let place = learned_place.unwrap_or(key.place);
        (belongs && self.holds(key, learned_place)).then_some((place, learned_place.is_some()))
    }

    /// Whether the record itself names no forest: then the place that the relay's address stands for counts.
    fn may_learn_place(&self, key: &CellKey, verdict: &VerdictKey) -> bool {
        let place = &self.names.places.values()[key.place as usize];
        // Who greeted may have a name that tells no forest.
        place.forest.is_none() && (place.host.is_none() || verdict.class == Class::Accepted)
    }

    fn holds(&self, key: &CellKey, learned_place: Option<u32>) -> bool {
        let Self { names, filter, .. } = self;
        let source = self.sources[key.source as usize]
            || !filter.source.is_empty()
                && names.quoted.values()[key.quoted as usize]
                    .is_some_and(|ip| filter.source.matches([ip.to_string().as_str()].into_iter()));
        let place = match learned_place {
            None => self.places[key.place as usize],
            // Of a learned place only the forest is known, not the machine.
            Some(id) => {
                let forest = names.places.values()[id as usize].forest.as_deref();
                filter.datacenter.matches(forest.into_iter())
            }
        };
        let sender = filter.sender_domain.is_empty() || self.senders[names.sender(key.sender) as usize];
        source && place && sender && self.domains[key.domain as usize] && self.verdicts[key.verdict as usize]
    }
}

/// What `--reply` looks at: the catalogue's id and the codes, one by one and together.
pub fn reply_names(id: &str, smtp_code: Option<u16>, enhanced: Option<impl Display>) -> Vec<String> {
    let code = smtp_code.map(|code| code.to_string());
    let enhanced = enhanced.map(|enhanced| enhanced.to_string());
    let both = code.as_ref().zip(enhanced.as_ref()).map(|(code, enhanced)| format!("{code} {enhanced}"));
    [Some(id.to_owned()), code, enhanced, both].into_iter().flatten().collect()
}
