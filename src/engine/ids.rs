//! The tables' ids -> the detection's, as far as the trials tell them that were taken so far.
//!
//! What a log teaches by and by (the forest of a relay, the provider of a recipient domain, the address of a source)
//! holds from the second on in which it was told: a live reader knows no more.

use std::net::IpAddr;

use foldhash::HashMap;

use crate::aggregate::{Belongs, Identity, Label, Learned, NameTables, answered};
use crate::detect::{LineRef, Names, Observation, Onset, ReplyNames, SourceNames, content_order};
use crate::microsoft::{Catalogue, Class, Platform, Signal, is_public};
use crate::record::{Enhanced, Outcome};

use super::trials::{Pass, Refusal};

/// Contents by the ids that the detection gets. It grows with the tables.
#[derive(Default)]
pub struct Ids {
    identities: Vec<Identity>,
    domains: Vec<Box<str>>,
    senders: Vec<Box<str>>,
    forests: Vec<Box<str>>,
    replies: Vec<ReplyNames>,
    paths: Vec<String>,
    /// By source of the tables, its identity.
    source: Vec<u32>,
    /// By place of the tables, its forest; 0 is not known.
    forest: Vec<u32>,
    /// By verdict of the tables.
    kinds: Vec<Kind>,
    /// By relay of the tables, whether it has an address, and what is known of that.
    relays: Vec<(bool, RelayForest)>,
    quoted: Vec<Option<IpAddr>>,
    by_identity: HashMap<Identity, u32>,
    by_forest: HashMap<Box<str>, u32>,
    by_reply: HashMap<Reply, u32>,
    causes: HashMap<String, u32>,
    /// Senders of messages that were waited for, by their number.
    answers: Vec<u32>,
    /// By domain, the second in which Microsoft first refused mail for it; the greatest where it has not.
    ours_since: Vec<u32>,
    /// By identity, the address that Microsoft quotes.
    seen_as: HashMap<u32, SeenAs>,
}

/// Id and codes of a reply.
type Reply = (Box<str>, Option<u16>, Option<Enhanced>);

/// What a verdict is for the detection.
#[derive(Clone, Copy)]
struct Kind {
    if_domain_does: bool,
    platform: Platform,
    signal: Signal,
    stated: bool,
    class: Class,
    outcome: Outcome,
    reply: u32,
    cause: u32,
}

/// The one forest that the tags of a relay address named so far: valid for attempts after `from`, up to `until`.
#[derive(Clone, Copy, PartialEq)]
struct RelayForest {
    forest: u32,
    from: u32,
    until: u32,
}

impl RelayForest {
    /// No tag named one.
    const UNKNOWN: Self = Self { forest: 0, from: u32::MAX, until: u32::MAX };

    /// Takes what a tag names.
    fn learn(&mut self, forest: u32, second: u32) {
        if second < self.from {
            let until = if forest == self.forest { self.until } else { self.from };
            *self = Self { forest, from: second, until };
        } else if forest != self.forest {
            self.until = self.until.min(second);
        }
    }

    /// The forest, 0 if it is not known.
    fn at(self, second: u32) -> u32 {
        if second > self.from && second <= self.until { self.forest } else { 0 }
    }
}

/// An address that Microsoft quotes for a source.
#[derive(Clone, Copy)]
struct SeenAs {
    ip: IpAddr,
    since: i64,
    is_one: bool,
}

impl Ids {
    /// For inputs of these names.
    pub fn new(paths: Vec<String>) -> Self {
        Self { paths, forests: vec!["".into()], ..Self::default() }
    }

    /// Takes over what is new in the tables.
    pub fn extend(&mut self, tables: &NameTables) {
        let new = |list: &mut Vec<Box<str>>, all: &[Option<Box<str>>]| {
            let from = list.len();
            list.extend(all[from..].iter().map(|text| text.clone().unwrap_or_default()));
        };
        new(&mut self.domains, tables.domains.values());
        new(&mut self.senders, tables.senders.values());
        self.ours_since.resize(self.domains.len(), u32::MAX);
        for key in &tables.sources.values()[self.source.len()..] {
            let identities = &mut self.identities;
            self.source.push(*self.by_identity.entry(key.identity()).or_insert_with_key(|identity| {
                identities.push(identity.clone());
                (identities.len() - 1) as u32
            }));
        }
        for place in &tables.places.values()[self.forest.len()..] {
            let forests = &mut self.forests;
            self.forest.push(place.forest.as_ref().map_or(0, |forest| {
                *self.by_forest.entry(forest.clone()).or_insert_with_key(|forest| {
                    forests.push(forest.clone());
                    (forests.len() - 1) as u32
                })
            }));
        }
        let new = &tables.relays.values()[self.relays.len()..];
        self.relays.extend(new.iter().map(|ip| (ip.is_some(), RelayForest::UNKNOWN)));
        self.quoted.extend_from_slice(&tables.quoted.values()[self.quoted.len()..]);
        for verdict in &tables.verdicts.values()[self.kinds.len()..] {
            let cause = cause_of(&verdict.reply_id);
            let replies = &mut self.replies;
            let reply = (verdict.reply_id.clone(), verdict.smtp_code, verdict.enhanced);
            let reply = *self.by_reply.entry(reply).or_insert_with(|| {
                replies.push(ReplyNames {
                    reply_id: verdict.reply_id.to_string(),
                    smtp_code: verdict.smtp_code,
                    enhanced_code: verdict.enhanced.map(|e| e.to_string()),
                    class: verdict.class,
                    cause: cause.map(str::to_owned),
                });
                (replies.len() - 1) as u32
            });
            let next = self.causes.len() as u32 + 1;
            self.kinds.push(Kind {
                if_domain_does: verdict.belongs == Belongs::IfDomainDoes,
                platform: verdict.platform,
                signal: verdict.signal,
                stated: verdict.stated,
                class: verdict.class,
                outcome: verdict.outcome,
                reply,
                cause: cause.map_or(0, |cause| *self.causes.entry(cause.to_owned()).or_insert(next)),
            });
        }
        self.answers.clone_from(&tables.answers);
    }

    /// The detection's id of a source of the tables.
    pub fn source_of(&self, id: u32) -> u32 {
        self.source[id as usize]
    }

    /// Takes what a refusal tells about its relay, its recipient's domain and its source; true if that is news about
    /// seconds up to `fed`.
    pub fn learn(&mut self, refusal: &Refusal, fed: i64) -> bool {
        let Refusal { pass: Pass { second, relay, domain, source, verdict, .. }, place, quoted, .. } =
            *refusal;
        let forest = self.forest[place as usize];
        let mut news = false;
        if let (true, known) = &mut self.relays[relay as usize]
            && forest != 0
        {
            let before = *known;
            known.learn(forest, second);
            news |= before != *known;
        }
        let kind = self.kinds[verdict as usize];
        let told = !kind.if_domain_does && !matches!(kind.class, Class::Accepted | Class::Connection);
        if told && domain != 0 {
            let since = &mut self.ours_since[domain as usize];
            news |= second < *since;
            *since = second.min(*since);
        }
        if let Some(ip) = self.quoted[quoted as usize] {
            let since = i64::from(second);
            let seen = self.seen_as.entry(self.source[source as usize]).or_insert(SeenAs {
                ip,
                since,
                is_one: true,
            });
            seen.since = seen.since.min(since);
            seen.is_one &= seen.ip == ip;
        }
        news && i64::from(second) <= fed
    }

    /// Whether an attempt may say something about how its sender's domain authenticates.
    pub fn concerns_sender(&self, pass: &Pass) -> bool {
        let kind = self.kinds[pass.verdict as usize];
        matches!(kind.signal, Signal::Auth | Signal::Pass)
            && kind.platform == Platform::Consumer
            && pass.sender != 0
    }

    /// Whether a refusal is about its sender's domain.
    pub fn blames_sender(&self, refusal: &Refusal) -> bool {
        self.kinds[refusal.pass.verdict as usize].signal == Signal::Auth
            && self.concerns_sender(&refusal.pass)
    }

    /// The sender of an attempt: 0 where it is not told. `None`: another line may still tell it.
    pub fn sender_of(&self, pass: &Pass) -> Option<u32> {
        let sender = answered(&self.answers, pass.sender);
        (sender != 0 || pass.sender == 0).then_some(sender)
    }

    /// By source, those of each in the order that the detection wants. What comes in the order of time, or as a few lists
    /// that do, costs least.
    pub fn by_source(&self, observations: impl Iterator<Item = Observation>) -> Vec<Vec<Observation>> {
        let mut lists: Vec<Vec<Observation>> = Vec::new();
        let mut numbers: HashMap<u32, usize> = HashMap::default();
        for observation in observations {
            let at = *numbers.entry(observation.source).or_insert(lists.len());
            if at == lists.len() {
                lists.push(Vec::new());
            }
            lists[at].push(observation);
        }
        for list in &mut lists {
            list.sort_by_key(|observation| observation.second);
            for second in list.chunk_by_mut(|a, b| a.second == b.second) {
                second.sort_unstable_by(|a, b| content_order(a, b, self));
            }
        }
        lists
    }

    /// `None`: another provider's, as far as is known.
    pub fn passed(&self, pass: &Pass) -> Option<Observation> {
        self.observation(pass, 0).map(|o| Observation { outcome: Outcome::Delivered, ..o })
    }

    /// `None`: another provider's, as far as is known.
    pub fn refused(&self, refusal: &Refusal) -> Option<Observation> {
        self.observation(&refusal.pass, refusal.place).map(|o| Observation {
            outcome: refusal.outcome,
            line: LineRef { input: refusal.input, offset: refusal.offset },
            ..o
        })
    }

    /// Whether an attempt is Microsoft's, as far as is known.
    pub fn is_ours(&self, pass: &Pass) -> bool {
        let since = self.ours_since[pass.domain as usize];
        !self.kinds[pass.verdict as usize].if_domain_does || (since < u32::MAX && pass.second >= since)
    }

    fn observation(&self, pass: &Pass, place: u32) -> Option<Observation> {
        if !self.is_ours(pass) {
            return None;
        }
        let kind = self.kinds[pass.verdict as usize];
        let forest = match self.forest[place as usize] {
            _ if kind.platform != Platform::Consumer => 0,
            0 => self.relays[pass.relay as usize].1.at(pass.second),
            forest => forest,
        };
        Some(Observation {
            second: i64::from(pass.second),
            source: self.source[pass.source as usize],
            platform: kind.platform,
            domain: pass.domain,
            forest,
            sender_domain: answered(&self.answers, pass.sender),
            signal: kind.signal,
            stated: kind.stated,
            unknown_recipient: kind.class == Class::Recipient,
            queue: u64::from(pass.queue),
            reply: kind.reply,
            cause: kind.cause,
            outcome: kind.outcome,
            line: LineRef { input: 0, offset: 0 },
        })
    }
}

/// The list behind a reply, as the catalogue has it.
fn cause_of(reply_id: &str) -> Option<&'static str> {
    Catalogue::active().entry(reply_id)?.cause.as_deref()
}

/// Sources are called as far as the trials tell.
impl Names for Ids {
    fn source(&self, id: u32) -> SourceNames {
        let identity = &self.identities[id as usize];
        let (logged, host, name) = match identity {
            Identity::Ip(ip) => (Some(*ip), None, None),
            Identity::Name { host, name } => (None, host.clone(), name.clone()),
        };
        let seen = self.seen_as.get(&id).filter(|seen| seen.is_one).map(|seen| seen.ip);
        let ip = logged.filter(|ip| is_public(*ip)).or(seen).or(logged);
        SourceNames {
            ip: ip.map(|ip| ip.to_string()),
            host: host.map(Into::into),
            name: name.map(Into::into),
        }
    }
    fn ip_known_since(&self, source: u32) -> i64 {
        match &self.identities[source as usize] {
            Identity::Ip(ip) if is_public(*ip) => i64::MIN,
            _ => self.seen_as.get(&source).map_or(i64::MIN, |seen| seen.since),
        }
    }
    fn domain(&self, id: u32) -> &str {
        &self.domains[id as usize]
    }
    fn forest(&self, id: u32) -> &str {
        &self.forests[id as usize]
    }
    fn sender_domain(&self, id: u32) -> &str {
        &self.senders[id as usize]
    }
    fn reply(&self, id: u32) -> ReplyNames {
        self.replies[id as usize].clone()
    }
    fn path(&self, input: u32) -> &str {
        &self.paths[input as usize]
    }
}

/// Sources are called as in the tables of the whole input.
pub struct Called<'i> {
    pub ids: &'i Ids,
    pub learned: &'i Learned,
}

impl Called<'_> {
    /// Whether an event is of this source.
    pub fn is_called(&self, id: u32, onset: &Onset) -> bool {
        let SourceNames { ip, name, host } = self.source(id);
        (&ip, &name) == (&onset.source_ip, &onset.source_name) && (ip.is_some() || host == onset.host)
    }
}

impl Names for Called<'_> {
    fn source(&self, id: u32) -> SourceNames {
        match self.learned.labels.get(&self.ids.identities[id as usize]).cloned() {
            Some(Label { ip, name, host }) => SourceNames { ip, name, host },
            // While inputs are read, its attempts may come here before they come into the tables.
            None => self.ids.source(id),
        }
    }
    fn ip_known_since(&self, source: u32) -> i64 {
        self.ids.ip_known_since(source)
    }
    fn domain(&self, id: u32) -> &str {
        self.ids.domain(id)
    }
    fn forest(&self, id: u32) -> &str {
        self.ids.forest(id)
    }
    fn sender_domain(&self, id: u32) -> &str {
        self.ids.sender_domain(id)
    }
    fn reply(&self, id: u32) -> ReplyNames {
        self.ids.reply(id)
    }
    fn path(&self, input: u32) -> &str {
        self.ids.path(input)
    }
}
