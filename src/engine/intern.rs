//! What stands in records -> the ids of the tables: a thread asks the shared names once for each.

use std::net::IpAddr;

use crate::aggregate::{Belongs, Cache, Names, Place, SourceKey, VerdictKey};
use crate::attribute::{self, SourceMap};
use crate::microsoft::{self, Class, Platform};
use crate::record::{Attempt, Origin, Outcome};
use crate::text::{escape_controls, lower};

use super::judge::Judged;

/// A thread's knowledge of ids.
pub struct Interner<'e> {
    names: &'e Names,
    map: &'e SourceMap,
    /// The many hosts of a datacenter are told apart.
    by_host: bool,
    sources: Cache,
    domains: Cache<1024>,
    senders: Cache,
    waiting: Cache,
    relays: Cache,
    places: Cache,
    quoted: Cache,
    verdicts: Cache,
    scratch: Vec<u8>,
}

impl<'e> Interner<'e> {
    /// `by_host`: a filter may ask for one of the many hosts of a datacenter; else they are one place.
    pub fn new(names: &'e Names, map: &'e SourceMap, by_host: bool) -> Self {
        Self {
            names,
            map,
            by_host,
            sources: Cache::default(),
            domains: Cache::default(),
            senders: Cache::default(),
            waiting: Cache::default(),
            relays: Cache::default(),
            places: Cache::default(),
            quoted: Cache::default(),
            verdicts: Cache::default(),
            scratch: Vec::new(),
        }
    }

    /// A number for a message whose sender is to be told later; `None`: too many wait.
    pub fn waiting_id(&mut self, input: u32, message: u64) -> Option<u32> {
        self.scratch.clear();
        self.scratch.extend_from_slice(&input.to_le_bytes());
        self.scratch.extend_from_slice(&message.to_le_bytes());
        let ask = || self.names.lock().wait_for(input, message).unwrap_or(u32::MAX);
        Some(self.waiting.id(&self.scratch, ask)).filter(|number| *number != u32::MAX)
    }

    pub fn domain_id(&mut self, domain: Option<&[u8]>) -> u32 {
        let Some(domain) = domain else { return 0 };
        self.domains.id(domain, || self.names.lock().domains.id(Some(lower_text(domain))))
    }

    pub fn sender_id(&mut self, domain: Option<&[u8]>) -> u32 {
        let Some(domain) = domain else { return 0 };
        self.senders.id(domain, || self.names.lock().senders.id(Some(lower_text(domain))))
    }

    pub fn relay_id(&mut self, ip: Option<IpAddr>) -> u32 {
        self.scratch.clear();
        push_ip(&mut self.scratch, ip);
        self.relays.id(&self.scratch, || self.names.lock().relays.id(ip))
    }

    pub fn place_id(&mut self, answered: Option<(&[u8], bool)>) -> u32 {
        let Some((host, is_tag)) = answered else { return 0 };
        // A tag may read like a reverse name, and is another place than the relay of that name.
        self.scratch.clear();
        self.scratch.push(u8::from(is_tag));
        self.scratch.extend_from_slice(host);
        self.places.id(&self.scratch, || self.names.lock().places.id(place_of(host, is_tag, self.by_host)))
    }

    pub fn quoted_id(&mut self, ip: Option<IpAddr>) -> u32 {
        let Some(ip) = ip else { return 0 };
        self.scratch.clear();
        push_ip(&mut self.scratch, Some(ip));
        self.quoted.id(&self.scratch, || self.names.lock().quoted.id(Some(ip)))
    }

    pub fn source_id(&mut self, origin: &Origin<'_>) -> u32 {
        let Self { sources, scratch, names, map, .. } = self;
        scratch.clear();
        for part in [origin.host, origin.name] {
            scratch.push(u8::from(part.is_some()));
            scratch.extend_from_slice(part.unwrap_or_default());
            scratch.push(0);
        }
        push_ip(scratch, origin.ip);
        sources.id(scratch, || names.lock().sources.id(source_key(origin, map)))
    }

    pub fn verdict_id(&mut self, outcome: Outcome, judged: &Judged<'_>) -> u32 {
        let verdict = &judged.verdict;
        self.scratch.clear();
        // A delivery needs no name to be told from a refusal.
        if verdict.class != Class::Accepted {
            self.scratch.extend_from_slice(verdict.id.as_bytes());
        }
        self.scratch.extend_from_slice(&judged.smtp_code.unwrap_or(0).to_le_bytes());
        if let Some(enhanced) = judged.enhanced {
            self.scratch.push(enhanced.0);
            self.scratch.extend_from_slice(&enhanced.1.to_le_bytes());
            self.scratch.extend_from_slice(&enhanced.2.to_le_bytes());
        }
        self.scratch.push(outcome as u8);
        self.scratch.push(judged.platform.map_or(u8::MAX, |p| p as u8));
        self.verdicts.id(&self.scratch, || {
            let key = VerdictKey {
                reply_id: verdict.id.as_ref().into(),
                smtp_code: judged.smtp_code,
                enhanced: judged.enhanced,
                class: verdict.class,
                signal: verdict.signal,
                stated: verdict.entry.is_some_and(|entry| entry.stated),
                outcome,
                platform: judged.platform.unwrap_or(Platform::Unknown),
                belongs: if judged.platform.is_some() { Belongs::Microsoft } else { Belongs::IfDomainDoes },
            };
            self.names.lock().verdicts.id(key)
        })
    }
}

/// Who sent, as the log tells it.
pub fn origin_of<'a>(attempt: &Attempt<'a>) -> Origin<'a> {
    Origin { host: attempt.host, name: attempt.source_name, ip: attempt.source_ip }
}

/// Who sent, as the map tells it too.
pub fn source_key(origin: &Origin<'_>, map: &SourceMap) -> SourceKey {
    let (host, name) = (origin.host.map(text), origin.name.map(text));
    let found = attribute::identify(origin.ip, host.as_deref(), name.as_deref(), map);
    SourceKey { ip: found.ip, evidence: found.evidence, host, name }
}

/// Datacenter of a host tag, or of a relay's reverse name (which is no datacenter host). `by_host`: a filter may ask for
/// one of the many hosts of a datacenter; else they are one place.
fn place_of(host: &[u8], is_tag: bool, by_host: bool) -> Place {
    let found = microsoft::datacenter(host);
    Place {
        host: is_tag.then(|| if by_host { text(host) } else { Box::default() }),
        site: found.site.map(Into::into),
        forest: found.forest.map(Into::into),
        region: found.region.map(Into::into),
    }
}

fn push_ip(bytes: &mut Vec<u8>, ip: Option<IpAddr>) {
    match ip {
        None => bytes.push(0),
        Some(IpAddr::V4(v4)) => bytes.extend_from_slice(&v4.octets()),
        Some(IpAddr::V6(v6)) => bytes.extend_from_slice(&v6.octets()),
    }
}

/// Names are made harmless once, here: whoever writes them need not ask where they come from.
fn text(bytes: &[u8]) -> Box<str> {
    escape_controls(bytes).into()
}

fn lower_text(bytes: &[u8]) -> Box<str> {
    lower(bytes).into()
}
