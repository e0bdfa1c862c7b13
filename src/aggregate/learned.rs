//! What the whole input teaches beyond its single lines: applied to all of them when rows are made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use foldhash::HashMap;

use super::names::{Belongs, Identity, NameTables};
use super::tables::{Rows, Tables};
use crate::microsoft::Class;

/// What other lines teach.
#[derive(Debug, Default)]
pub struct Learned {
    /// The address behind a source that the log only names: all its refusals that quote one quote this one.
    pub addresses: HashMap<Identity, IpAddr>,
    /// Names whose refusals quote several addresses: left alone, and said.
    pub ambiguous: BTreeMap<Identity, BTreeSet<IpAddr>>,
    /// Mapped or logged addresses that Microsoft contradicts, with what it quotes.
    pub contradictions: BTreeMap<Identity, BTreeSet<IpAddr>>,
    /// By relay address, the id of a place in the one forest that all its tags name.
    pub forests: HashMap<IpAddr, u32>,
    /// Recipient domains for which Microsoft refused mail.
    pub domains: BTreeSet<u32>,
    /// When Microsoft first quoted a source's address.
    pub quoted_since: HashMap<Identity, i64>,
    /// What each source is called.
    pub labels: HashMap<Identity, Label>,
}

/// How a source is written: address, the name that most of its attempts go by, and its host where no address is
/// known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Label {
    pub ip: Option<String>,
    pub name: Option<String>,
    pub host: Option<String>,
}

impl Learned {
    /// The address to show for a source: Microsoft's word beats a private address of the log.
    pub fn address(&self, identity: &Identity) -> Option<IpAddr> {
        let logged = match identity {
            Identity::Ip(ip) => Some(*ip),
            Identity::Name { .. } => None,
        };
        self.addresses.get(identity).copied().or(logged)
    }

    fn label(&mut self, by_name: BTreeMap<Identity, BTreeMap<Option<Box<str>>, u64>>) {
        for (identity, names) in by_name {
            let ip = self.address(&identity);
            let host = match (&identity, ip) {
                (Identity::Name { host, .. }, None) => host.as_deref().map(str::to_owned),
                _ => None,
            };
            let name = most_frequent(names.into_iter()).flatten().map(Into::into);
            self.labels.insert(identity, Label { ip: ip.map(|ip| ip.to_string()), name, host });
        }
    }
}

/// Reads from the tables what single lines do not tell.
pub fn learn(tables: &Tables, names: &NameTables) -> Learned {
    let mut learned = Learned::default();
    let mut quoted: BTreeMap<Identity, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut forests: HashMap<IpAddr, Option<u32>> = HashMap::default();
    let mut attempts = vec![0; names.sources.values().len()];
    for (key, cell) in tables.cells(Rows::Sources) {
        attempts[key.source as usize] += cell.count;
        if let Some(ip) = names.quoted.values()[key.quoted as usize] {
            let source = &names.sources.values()[key.source as usize];
            quoted.entry(source.identity()).or_default().insert(ip);
            if let Some((first, _)) = cell.range() {
                let since = learned.quoted_since.entry(source.identity()).or_insert(i64::MAX);
                *since = first.seconds.min(*since);
            }
        }
    }
    for (key, _) in tables.cells(Rows::Datacenters) {
        let place = &names.places.values()[key.place as usize];
        if let (Some(forest), Some(_), Some(ip)) =
            (&place.forest, &place.host, names.relays.values()[key.relay as usize])
        {
            let known = forests.entry(ip).or_insert(Some(key.place));
            if known.is_some_and(|id| names.places.values()[id as usize].forest.as_ref() != Some(forest)) {
                *known = None;
            }
        }
    }
    for (key, _) in tables.cells(Rows::Domains) {
        let verdict = &names.verdicts.values()[key.verdict as usize];
        let refused = !matches!(verdict.class, Class::Accepted | Class::Connection);
        if refused && verdict.belongs == Belongs::Microsoft && key.domain != 0 {
            learned.domains.insert(key.domain);
        }
    }
    learned.forests = forests.into_iter().filter_map(|(ip, place)| Some((ip, place?))).collect();
    for (identity, ips) in quoted {
        match (&identity, ips.len()) {
            (Identity::Ip(ip), _) if crate::microsoft::is_public(*ip) => {
                if !ips.contains(ip) {
                    learned.contradictions.insert(identity, ips);
                }
            }
            (_, 1) => {
                learned.addresses.extend(ips.first().map(|ip| (identity, *ip)));
            }
            _ => {
                learned.ambiguous.insert(identity, ips);
            }
        }
    }
    let mut by_name: BTreeMap<Identity, BTreeMap<Option<Box<str>>, u64>> = BTreeMap::new();
    for (source, count) in names.sources.values().iter().zip(attempts).filter(|(_, count)| *count > 0) {
        *by_name.entry(source.identity()).or_default().entry(source.name.clone()).or_default() += count;
    }
    learned.label(by_name);
    learned
}

/// The key with the largest count; of equals the first.
pub(super) fn most_frequent<K>(counts: impl Iterator<Item = (K, u64)>) -> Option<K> {
    let mut best: Option<(K, u64)> = None;
    for (key, count) in counts {
        if best.as_ref().is_none_or(|(_, most)| count > *most) {
            best = Some((key, count));
        }
    }
    best.map(|(key, _)| key)
}
