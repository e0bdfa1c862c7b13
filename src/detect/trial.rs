//! What goes in: one observation an attempt, put together to trials.

use std::cmp::Ordering;

use crate::microsoft::{Class, Platform, Signal};
use crate::record::Outcome;

/// Where a line begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineRef {
    pub input: u32,
    /// In the decompressed stream.
    pub offset: u64,
}

/// One Microsoft-bound attempt, in ids of the caller. 0 is "not known" for `forest`, `sender_domain` and `queue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Unix time.
    pub second: i64,
    pub source: u32,
    pub platform: Platform,
    pub domain: u32,
    pub forest: u32,
    pub sender_domain: u32,
    pub signal: Signal,
    /// The text itself says that the IP is banned or listed.
    pub stated: bool,
    /// Refused because there is no such recipient.
    pub unknown_recipient: bool,
    /// A hash of the queue id that is the same in every run (no seed).
    pub queue: u64,
    pub reply: u32,
    /// The list behind the reply; 0 where the reply is its own cause.
    pub cause: u32,
    pub outcome: Outcome,
    pub line: LineRef,
}

/// How a source is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceNames {
    pub ip: Option<String>,
    pub name: Option<String>,
    pub host: Option<String>,
}

/// What a reply id stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyNames {
    pub reply_id: String,
    pub smtp_code: Option<u16>,
    pub enhanced_code: Option<String>,
    pub class: Class,
    /// The list behind it; `None` where the reply is its own cause.
    pub cause: Option<String>,
}

/// The contents behind the ids. Ids differ between runs and thread counts: whatever needs an order takes it here.
pub trait Names {
    fn source(&self, id: u32) -> SourceNames;
    /// The second in which the source's address became known; the least where the log itself tells it.
    fn ip_known_since(&self, _source: u32) -> i64 {
        i64::MIN
    }
    fn domain(&self, id: u32) -> &str;
    fn forest(&self, id: u32) -> &str;
    fn sender_domain(&self, id: u32) -> &str;
    fn reply(&self, id: u32) -> ReplyNames;
    fn path(&self, input: u32) -> &str;
}

/// The order of trials within one source: (second, platform, recipient domain, signal, queue id), then whatever
/// else tells two lines apart; content only, never ids.
pub fn content_order(a: &Observation, b: &Observation, names: &impl Names) -> Ordering {
    fn by(a: u32, b: u32, less: impl FnOnce() -> Ordering) -> Ordering {
        if a == b { Ordering::Equal } else { less() }
    }
    (a.second, a.platform)
        .cmp(&(b.second, b.platform))
        .then_with(|| by(a.domain, b.domain, || names.domain(a.domain).cmp(names.domain(b.domain))))
        .then_with(|| (a.signal, a.queue, a.outcome).cmp(&(b.signal, b.queue, b.outcome)))
        .then_with(|| {
            by(a.sender_domain, b.sender_domain, || {
                known(a.sender_domain, names.sender_domain(a.sender_domain))
                    .cmp(&known(b.sender_domain, names.sender_domain(b.sender_domain)))
            })
        })
        .then_with(|| {
            by(a.forest, b.forest, || {
                known(a.forest, names.forest(a.forest)).cmp(&known(b.forest, names.forest(b.forest)))
            })
        })
        .then_with(|| {
            by(a.line.input, b.line.input, || names.path(a.line.input).cmp(names.path(b.line.input)))
        })
        .then_with(|| a.line.offset.cmp(&b.line.offset))
}

fn known(id: u32, name: &str) -> Option<&str> {
    (id != 0).then_some(name)
}

/// What one transaction tells: the attempts of one source, platform, queue id and second (on M365 of one
/// recipient domain too: each tenant has its own MX, hence its own transaction).
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    /// The attempt that gives the signal.
    pub(super) of: Observation,
    pub(super) attempts: u32,
    /// Attempts with this same kind of refusal.
    pub(super) refused: u32,
    /// Attempts at recipients that do not exist.
    pub(super) unknown: u32,
    pub(super) bounced: bool,
}

impl Trial {
    pub(super) fn of(of: &Observation) -> Self {
        Self {
            of: *of,
            attempts: 1,
            refused: u32::from(is_refusal(of.signal)),
            unknown: u32::from(of.unknown_recipient),
            bounced: of.outcome == Outcome::Bounced,
        }
    }
}

/// Puts the attempts of one second, in [`content_order`], together to trials, in the order of those that decide.
pub(super) fn group(second: &[Observation]) -> Vec<Trial> {
    let transaction = |o: &Observation| {
        let domain = if o.platform == Platform::M365 { o.domain } else { 0 };
        (o.queue, o.platform, domain)
    };
    let mut order: Vec<_> = second.iter().enumerate().map(|(at, o)| (transaction(o), at)).collect();
    order.sort_unstable();
    let mut trials: Vec<(usize, Trial)> = Vec::with_capacity(order.len());
    // Without a queue id nothing tells which belong together.
    for own in order.chunk_by(|(a, _), (b, _)| a == b && a.0 != 0) {
        let first = own[0].1;
        let mut decides_at = first;
        let mut trial = Trial::of(&second[first]);
        for (_, at) in &own[1..] {
            let single = Trial::of(&second[*at]);
            trial.attempts += 1;
            trial.unknown += single.unknown;
            if single.of.signal < trial.of.signal {
                let (attempts, unknown, stated) = (trial.attempts, trial.unknown, trial.of.stated);
                trial = Trial { attempts, unknown, ..single };
                trial.of.stated |= stated;
                decides_at = *at;
            } else if single.of.signal == trial.of.signal {
                trial.refused += single.refused;
                trial.bounced |= single.bounced;
                trial.of.stated |= single.of.stated;
            }
        }
        trials.push((decides_at, trial));
    }
    trials.sort_unstable_by_key(|(at, _)| *at);
    trials.into_iter().map(|(_, trial)| trial).collect()
}

fn is_refusal(signal: Signal) -> bool {
    matches!(signal, Signal::Block | Signal::Throttle | Signal::Busy | Signal::Auth)
}
