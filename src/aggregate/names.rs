//! Names as small numbers: one table for all threads, a cache in each.
//!
//! Ids depend on which thread came first; whatever is written out is ordered by the names themselves.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::numbers::Numbers;
use crate::attribute::SourceEvidence;
use crate::memo::Memo;
use crate::microsoft::{Class, Platform, Signal};
use crate::record::{Enhanced, Outcome};

/// Values in the order of their first appearance, each kept once.
#[derive(Debug)]
pub struct Table<K> {
    values: Vec<K>,
    ids: Numbers,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { values: Vec::new(), ids: Numbers::default() }
    }
}

impl<K: Hash + Eq> Table<K> {
    /// The id of a value, new or known.
    pub fn id(&mut self, value: K) -> u32 {
        self.ids.number(&mut self.values, value, |value| value)
    }

    /// All values; the index is the id.
    pub fn values(&self) -> &[K] {
        &self.values
    }
}

/// Who sent, as the log tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceKey {
    pub ip: Option<IpAddr>,
    pub evidence: SourceEvidence,
    pub host: Option<Box<str>>,
    pub name: Option<Box<str>>,
}

/// What a source is called in tables and detection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    Ip(IpAddr),
    Name { host: Option<Box<str>>, name: Option<Box<str>> },
}

impl SourceKey {
    /// The address where the log tells it, else host and name.
    pub fn identity(&self) -> Identity {
        match self.ip {
            Some(ip) => Identity::Ip(ip),
            None => Identity::Name { host: self.host.clone(), name: self.name.clone() },
        }
    }
}

/// Which datacenter answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Place {
    /// As printed; empty where there is one, and hosts are not told apart.
    pub host: Option<Box<str>>,
    pub site: Option<Box<str>>,
    pub forest: Option<Box<str>>,
    pub region: Option<Box<str>>,
}

/// Whose mail it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Belongs {
    /// Relay, responder or a consumer domain say so.
    Microsoft,
    /// Only if Microsoft refused mail for the recipient domain elsewhere in the input.
    IfDomainDoes,
}

/// What an attempt came to, without who and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VerdictKey {
    pub reply_id: Box<str>,
    pub smtp_code: Option<u16>,
    pub enhanced: Option<Enhanced>,
    pub class: Class,
    pub signal: Signal,
    pub stated: bool,
    pub outcome: Outcome,
    pub platform: Platform,
    pub belongs: Belongs,
}

/// All names of a run. Id 0 of `domains`, `places`, `senders` and `quoted` is "not told".
#[derive(Debug)]
pub struct NameTables {
    pub sources: Table<SourceKey>,
    pub domains: Table<Option<Box<str>>>,
    pub senders: Table<Option<Box<str>>>,
    /// Messages (input, hash of the queue id) whose sender is asked for, and may be told by another stretch.
    pub waiting: Table<(u32, u64)>,
    /// By number of the waiting message, the sender; 0 until it is known.
    pub answers: Vec<u32>,
    /// By address alone: each tenant has its own name for the same few machines, and no row is about a name.
    pub relays: Table<Option<IpAddr>>,
    pub places: Table<Place>,
    pub quoted: Table<Option<IpAddr>>,
    pub verdicts: Table<VerdictKey>,
}

impl Default for NameTables {
    fn default() -> Self {
        let mut tables = Self {
            sources: Table::default(),
            domains: Table::default(),
            senders: Table::default(),
            waiting: Table::default(),
            answers: Vec::new(),
            relays: Table::default(),
            places: Table::default(),
            quoted: Table::default(),
            verdicts: Table::default(),
        };
        tables.domains.id(None);
        tables.senders.id(None);
        tables.places.id(Place::default());
        tables.quoted.id(None);
        tables
    }
}

/// Set in the id of a sender that is waited for; the rest is the message's number.
const WAITING: u32 = 1 << 31;
/// No more messages wait at a time; about 30 bytes each.
const MOST_WAITING: usize = 1 << 20;

impl NameTables {
    /// A number for the message of an input, and the id that stands for its sender. `None`: too many wait.
    pub fn wait_for(&mut self, input: u32, message: u64) -> Option<u32> {
        (self.waiting.values().len() < MOST_WAITING).then(|| self.waiting.id((input, message)))
    }

    /// What stands for the sender of a waiting message.
    pub fn waiting_sender(number: u32) -> u32 {
        number | WAITING
    }

    /// The sender of a waiting message is known now.
    pub fn answer(&mut self, number: u32, domain: Option<&str>) {
        let id = self.senders.id(domain.map(Into::into));
        if self.answers.len() <= number as usize {
            self.answers.resize(number as usize + 1, 0);
        }
        self.answers[number as usize] = id;
    }

    /// The sender that an id stands for: itself, or the answer; 0 where none has come.
    pub fn sender(&self, id: u32) -> u32 {
        answered(&self.answers, id)
    }
}

/// The sender that an id stands for, by the answers that have come.
pub fn answered(answers: &[u32], id: u32) -> u32 {
    if id & WAITING == 0 { id } else { answers.get((id & !WAITING) as usize).copied().unwrap_or(0) }
}

/// [`NameTables`] for many threads.
#[derive(Debug, Default)]
pub struct Names(Mutex<NameTables>);

impl Names {
    /// Exclusive access; held for moments only.
    pub fn lock(&self) -> MutexGuard<'_, NameTables> {
        // A panic elsewhere leaves the tables whole: every insertion is complete or not begun.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More names than this are forgotten all at once: the shared table knows them.
const MOST_CACHED: usize = 1 << 16;

/// A thread's own memory of ids by the bytes that lead to them: of about `USUAL` at hand, of the others in a table.
#[derive(Debug, Default)]
pub struct Cache<const USUAL: usize = 256> {
    usual: Memo<u32, 6, USUAL>,
    all: HashMap<Box<[u8]>, u32, RandomState>,
}

impl<const USUAL: usize> Cache<USUAL> {
    /// The id for these bytes; `make` asks the shared table where this thread has not met them.
    pub fn id(&mut self, bytes: &[u8], make: impl FnOnce() -> u32) -> u32 {
        let Self { usual, all } = self;
        usual.get(bytes, || {
            if let Some(id) = all.get(bytes) {
                return *id;
            }
            let id = make();
            if all.len() >= MOST_CACHED {
                all.clear();
            }
            all.insert(bytes.into(), id);
            id
        })
    }
}
