//! Ids -> names: the object of the contract.

use crate::microsoft::{Class, Platform};
use crate::record::Time;

use super::event::{Event, Place};
use super::onset::{Family, FirstLine, Onset, OnsetStatus, Spread, Takeover, Tally};
use super::trial::{Names, SourceNames};

/// An event as the contract shows it.
pub fn resolve(event: &Event, names: &impl Names) -> Onset {
    let source = names.source(event.source);
    let top = event.top_reply(|id| {
        let reply = names.reply(id);
        (reply.reply_id, reply.smtp_code, reply.enhanced_code, reply.class)
    });
    let reply = top.map(|id| names.reply(id));
    let platforms: Vec<Platform> = {
        let mut list: Vec<Platform> = event.scope.0.iter().map(|p| p.platform()).collect();
        list.sort_unstable();
        list.dedup();
        list
    };
    let everywhere = platforms.contains(&Platform::Consumer) && platforms.contains(&Platform::M365);
    let mut forests: Vec<String> = event
        .scope
        .0
        .iter()
        .filter_map(|p| match p {
            Place::Forest(id) => Some(names.forest(*id).to_owned()),
            _ => None,
        })
        .collect();
    forests.sort_unstable();
    // Of several domains the one that was refused most stands for them.
    let refusals = |place: Place| event.places.iter().find(|t| t.place == place).map_or(0, |t| t.refusals);
    let domain = event
        .scope
        .0
        .iter()
        .filter_map(|p| match p {
            Place::Domain(id) => Some((refusals(*p), names.domain(*id))),
            _ => None,
        })
        .max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, name)| name.to_owned());
    let sender_domain = event.scope.0.iter().find_map(|p| match p {
        Place::Sender(id) => Some(names.sender_domain(*id).to_owned()),
        _ => None,
    });
    let mut spread: Vec<Spread> = event
        .places
        .iter()
        .filter(|t| t.refusals > 0)
        .filter_map(|t| match t.place {
            Place::Forest(id) => Some(Spread {
                forest: names.forest(id).to_owned(),
                start: Time::from_seconds(t.first_refused),
                last_refused: Time::from_seconds(t.last_refused),
                first_accepted: t.first_accepted.map(Time::from_seconds),
            }),
            _ => None,
        })
        .collect();
    spread.sort_by(|a, b| (a.start, &a.forest).cmp(&(b.start, &b.forest)));
    Onset {
        id: event_id(event, &source, names),
        was: None,
        status: if event.is_active() { OnsetStatus::Active } else { OnsetStatus::Cleared },
        untried_since: event.untried_since.map(Time::from_seconds),
        decided_at: Time::from_seconds(event.decided_at),
        cleared_at: event.cleared_at.map(Time::from_seconds),
        family: event.family,
        class: reply.as_ref().map_or(Class::Unknown, |r| r.class),
        reply_id: reply.as_ref().map(|r| r.reply_id.clone()).unwrap_or_default(),
        smtp_code: reply.as_ref().and_then(|r| r.smtp_code),
        enhanced_code: reply.and_then(|r| r.enhanced_code),
        host: if source.ip.is_some() { None } else { source.host },
        source_ip: source.ip,
        source_name: source.name,
        range: event.range.clone(),
        platform: (!everywhere).then(|| platforms.iter().map(|p| p.name().to_owned()).collect()),
        datacenters: (!forests.is_empty()).then_some(forests),
        spread,
        domain,
        sender_domain,
        start: Time::from_seconds(event.start),
        first_refused: Time::from_seconds(event.start),
        end: (!event.is_active()).then(|| Time::from_seconds(event.last_refused)),
        last_attempt: Some(Time::from_seconds(event.last_attempt)),
        last_accepted: event.last_accepted.map(Time::from_seconds),
        basis: event.basis,
        confidence: event.confidence,
        before: Tally { attempts: event.before.attempts, refused: event.before.refused },
        during: Tally { attempts: event.during.attempts, refused: event.during.refused },
        lost: event.lost,
        deferred: event.deferred,
        first_line: Some(FirstLine {
            file: names.path(event.first_line.input).to_owned(),
            offset: event.first_line.offset,
        }),
        reading: event.reading.clone(),
        backoff: event.backoff,
        takeover: event.takeover.map(|(source, factor)| {
            let SourceNames { ip, name, .. } = names.source(source);
            Takeover { source_ip: ip, source_name: name, factor }
        }),
    }
}

/// The same for every run over the same input: FNV-1a of the source's names, the series and the first refusal.
fn event_id(event: &Event, source: &SourceNames, names: &impl Names) -> String {
    let mut hash = Fnv::new();
    for name in [&source.ip, &source.name, &source.host] {
        match name {
            Some(name) => {
                hash.add(&[1]);
                hash.add(name.as_bytes());
            }
            None => hash.add(&[0]),
        }
        hash.add(&[0xff]);
    }
    hash.add(match event.family {
        Family::Block => b"block",
        Family::Throttle => b"throttle",
        Family::Auth => b"auth",
    });
    hash.add(&event.start.to_le_bytes());
    // Two events of one series and second differ by where they began: one platform, or one sender domain.
    hash.add(event.origin.platform().name().as_bytes());
    if let Place::Sender(id) = event.origin {
        hash.add(names.sender_domain(id).as_bytes());
    }
    format!("{:016x}", hash.0)
}

struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
