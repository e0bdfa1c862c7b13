//! One source's mail with known truth: what is planned, and how it goes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use eopwatch::detect::{Family, LineRef, Observation};
use eopwatch::microsoft::{Platform, Signal};
use eopwatch::record::Outcome;

pub const DAY: i64 = 86_400;
pub const HOUR: i64 = 3600;
pub const BEGIN: i64 = 1_770_000_000;
pub const FORESTS: u64 = 15;
const DOMAINS: u64 = 200;
pub const SENDERS: u64 = 5;
/// Of the mail to Microsoft.
pub const CONSUMER: f64 = 0.6;
/// Marks the queue ids of stuck messages.
const STUCK: u64 = 1 << 39;

/// splitmix64.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
    pub fn below(&mut self, n: u64) -> u64 {
        (self.unit() * n as f64) as u64
    }
    pub fn between(&mut self, a: f64, b: f64) -> f64 {
        a + (b - a) * self.unit()
    }
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }
    /// Few are popular, many are rare.
    fn skewed(&mut self, n: u64) -> u32 {
        let u = self.unit();
        ((u * u * u * n as f64) as u64).min(n - 1) as u32 + 1
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Full,
    Partial,
    Ramp,
    Forest,
    Spread,
    Flap,
    Tenant,
    Weak,
    Throttle,
    Busy,
    Auth,
    /// A full block in which the queue is on hold for six hours.
    Hold,
}

pub const KINDS: [Kind; 12] = [
    Kind::Full,
    Kind::Partial,
    Kind::Ramp,
    Kind::Forest,
    Kind::Spread,
    Kind::Flap,
    Kind::Tenant,
    Kind::Weak,
    Kind::Throttle,
    Kind::Busy,
    Kind::Auth,
    Kind::Hold,
];

#[derive(Clone, Copy, Debug)]
pub struct Episode {
    pub kind: Kind,
    pub platform: Platform,
    pub start: i64,
    pub end: i64,
    pub share: f64,
    /// Forest, tenant or sender domain.
    pub what: u32,
}

impl Episode {
    pub fn family(&self) -> Family {
        match self.kind {
            Kind::Throttle | Kind::Busy => Family::Throttle,
            Kind::Auth => Family::Auth,
            _ => Family::Block,
        }
    }

    pub fn signal(&self) -> Signal {
        match self.kind {
            Kind::Throttle => Signal::Throttle,
            Kind::Busy => Signal::Busy,
            Kind::Auth => Signal::Auth,
            _ => Signal::Block,
        }
    }

    /// Whether mail of this kind is refused at all, sooner or later.
    pub fn concerns(&self, o: &Observation) -> bool {
        self.platform == o.platform
            && match self.kind {
                Kind::Forest => o.forest == self.what,
                Kind::Tenant => o.domain == self.what,
                Kind::Auth => o.sender_domain == self.what,
                _ => true,
            }
    }

    /// The chance that a try of this message is refused now.
    fn refuses(&self, m: &Message, now: i64) -> f64 {
        if now < self.start || now >= self.end || m.platform != self.platform {
            return 0.0;
        }
        let progress = (now - self.start) as f64 / (self.end - self.start) as f64;
        let only = |hit: bool| if hit { self.share } else { 0.0 };
        match self.kind {
            Kind::Ramp => (progress * 3.0).min(1.0),
            Kind::Forest => only(m.forest == self.what),
            Kind::Spread => {
                let hit = 1.0 + (progress * 2.0).min(1.0) * FORESTS as f64;
                let distance = (m.forest + FORESTS as u32 - self.what) % FORESTS as u32;
                only(f64::from(distance) < hit)
            }
            Kind::Flap => only((progress * 7.0) as i64 % 2 == 0),
            Kind::Tenant => only(m.domain == self.what),
            Kind::Auth => only(m.sender == self.what),
            _ => self.share,
        }
    }

    /// Nothing is sent from the first to the second.
    fn hold(&self) -> Option<(i64, i64)> {
        let middle = (self.start + self.end) / 2;
        (self.kind == Kind::Hold).then_some((middle - 3 * HOUR, middle + 3 * HOUR))
    }
}

/// What is no block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decoy {
    /// A list full of unknown recipients: their share.
    Recipients(f64),
    /// One sender's campaign is refused for its content.
    Campaign(u32),
    /// "Server busy", for minutes.
    Busy,
    /// One tenant's stuck message.
    Stuck(u32),
    /// First tries of one tenant deferred.
    Greylist(u32),
    /// More volume, nothing else.
    Surge,
    /// A stale list on one front end, which refuses this share of its forest's mail.
    Stale(u32, f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Message {
    platform: Platform,
    domain: u32,
    forest: u32,
    sender: u32,
    queue: u64,
    tries: u32,
}

/// What is to come of one source's mail.
pub struct Plan {
    pub source: u32,
    /// Attempts a day, at quiet times.
    pub volume: f64,
    pub days: i64,
    pub episodes: Vec<Episode>,
    /// From, until.
    pub decoys: Vec<(i64, i64, Decoy)>,
}

pub struct Simulated {
    /// By time, then as sent.
    pub observations: Vec<Observation>,
    pub episodes: Vec<Episode>,
    pub volume: f64,
    pub days: i64,
}

/// An episode of this kind that begins then: long enough for five to forty refusals to be expected, at least an hour.
pub fn episode(r: &mut Random, kind: Kind, volume: f64, start: i64, longest: f64) -> Episode {
    let platform = match kind {
        Kind::Tenant => Platform::M365,
        Kind::Forest | Kind::Spread | Kind::Auth => Platform::Consumer,
        _ if r.chance(0.3) => Platform::M365,
        _ => Platform::Consumer,
    };
    let share = match kind {
        Kind::Partial => r.between(0.2, 0.6),
        Kind::Weak => r.between(0.07, 0.15),
        Kind::Throttle | Kind::Busy => r.between(0.5, 1.0),
        Kind::Auth => r.between(0.6, 1.0),
        _ => 1.0,
    };
    let part = match kind {
        Kind::Forest => 1.0 / FORESTS as f64,
        Kind::Tenant => (1.0 / DOMAINS as f64).cbrt(),
        Kind::Auth => 1.0 / SENDERS as f64,
        _ => 1.0,
    } * if platform == Platform::Consumer { CONSUMER } else { 1.0 - CONSUMER };
    let mut hours = (r.between(5.0, 40.0) / (volume * part * share) * 24.0).clamp(1.0, longest);
    if kind == Kind::Hold {
        hours += 6.0;
    }
    let what = match kind {
        Kind::Tenant => 1,
        Kind::Auth => 1 + r.below(SENDERS) as u32,
        _ => 1 + r.below(FORESTS) as u32,
    };
    Episode { kind, platform, start, end: start + (hours * HOUR as f64) as i64, share, what }
}

/// A week's bad luck: on most days something that looks like a block and is none.
pub fn decoys(r: &mut Random, days: i64) -> Vec<(i64, i64, Decoy)> {
    let mut decoys = Vec::new();
    for day in 1..days {
        let at = BEGIN + day * DAY + r.below(20 * HOUR as u64) as i64;
        match r.below(9) {
            0 => decoys.push((at, at + 3 * HOUR, Decoy::Recipients(r.between(0.2, 0.7)))),
            1 => {
                let mut t = at;
                for _ in 0..1 + r.below(5) {
                    let length = r.between(60.0, 300.0) as i64;
                    decoys.push((t, t + length, Decoy::Busy));
                    t += length + r.between(600.0, 1200.0) as i64;
                }
            }
            2 => {
                // One to three messages, stuck for hours.
                let domain = 1 + r.below(DOMAINS) as u32;
                for stuck in 0..1 + r.below(3) as i64 {
                    decoys.push((at + stuck * 600, at + 8 * HOUR, Decoy::Stuck(domain)));
                }
            }
            3 => decoys.push((at, at + 6 * HOUR, Decoy::Greylist(r.skewed(DOMAINS)))),
            4 => decoys.push((at, at + 2 * HOUR, Decoy::Surge)),
            5 | 6 => {
                // Up to 2 % of all that the source sends, on one front end: up to half of that forest's.
                let share = r.between(0.002, 0.02) * FORESTS as f64 / CONSUMER;
                decoys.push((at, at + 1800, Decoy::Stale(1 + r.below(FORESTS) as u32, share)));
            }
            7 => decoys.push((at, at + 4 * HOUR, Decoy::Campaign(1 + r.below(SENDERS) as u32))),
            _ => {}
        }
    }
    decoys
}

impl Plan {
    fn message(&self, r: &mut Random, number: u64) -> Message {
        let platform = if r.chance(CONSUMER) { Platform::Consumer } else { Platform::M365 };
        let consumer = platform == Platform::Consumer;
        Message {
            platform,
            domain: if consumer { 1000 + r.below(4) as u32 } else { r.skewed(DOMAINS) },
            forest: if consumer { 1 + r.below(FORESTS) as u32 } else { 0 },
            sender: 1 + r.below(SENDERS) as u32,
            queue: u64::from(self.source) << 40 | number,
            tries: 0,
        }
    }

    /// First tries.
    fn messages(&self, r: &mut Random) -> BinaryHeap<Reverse<(i64, Message)>> {
        let mut todo = BinaryHeap::new();
        let mut number = 0;
        let mut create = |r: &mut Random, at: i64, todo: &mut BinaryHeap<_>| {
            number += 1;
            todo.push(Reverse((at, self.message(r, number))));
        };
        for _ in 0..(self.volume * self.days as f64) as u64 {
            // Nights are quiet.
            let hour = if r.chance(0.15) { r.between(0.0, 7.0) } else { r.between(7.0, 24.0) };
            let day = r.below(self.days as u64) as i64;
            create(r, BEGIN + day * DAY + (hour * HOUR as f64) as i64, &mut todo);
        }
        for (from, until, decoy) in &self.decoys {
            let more = match decoy {
                Decoy::Surge => r.between(4.0, 15.0),
                Decoy::Recipients(_) => r.between(1.5, 5.0),
                _ => 1.0,
            } - 1.0;
            for _ in 0..(self.volume * more * (until - from) as f64 / DAY as f64) as u64 {
                let at = from + (r.unit() * (until - from) as f64) as i64;
                create(r, at, &mut todo);
            }
            if let Decoy::Stuck(domain) = decoy {
                let queue = u64::from(self.source) << 40 | STUCK | *from as u64;
                let platform = Platform::M365;
                let stuck = Message { platform, domain: *domain, forest: 0, sender: 1, queue, tries: 0 };
                todo.push(Reverse((*from, stuck)));
            }
        }
        todo
    }

    /// Sends it all.
    pub fn send(self, r: &mut Random) -> Simulated {
        let mut todo = self.messages(r);
        let end = BEGIN + self.days * DAY;
        let mut observations = Vec::new();
        while let Some(Reverse((now, mut m))) = todo.pop() {
            if now >= end {
                break;
            }
            if let Some((_, until)) =
                self.episodes.iter().filter_map(Episode::hold).find(|(a, b)| (*a..*b).contains(&now))
            {
                todo.push(Reverse((until + r.below(900) as i64, m)));
                continue;
            }
            m.tries += 1;
            let mut observation = self.attempt(r, now, &m);
            observation.line.offset = observations.len() as u64;
            if observation.outcome == Outcome::Deferred && m.tries < 12 {
                let wait = (300 * (1_i64 << (m.tries - 1).min(4))).min(4000);
                todo.push(Reverse((now + wait + r.below(30) as i64, m)));
            }
            observations.push(observation);
        }
        Simulated { observations, episodes: self.episodes, volume: self.volume, days: self.days }
    }

    /// What becomes of one try.
    fn attempt(&self, r: &mut Random, now: i64, m: &Message) -> Observation {
        let mut signal = if r.chance(0.01) { Signal::Skip } else { Signal::Pass };
        let mut outcome = if signal == Signal::Skip { Outcome::Deferred } else { Outcome::Delivered };
        let (mut stated, mut unknown_recipient) = (false, false);
        // The stale list's reply is another one than the episodes'.
        let mut reply = 0;
        for (.., decoy) in self.decoys.iter().filter(|(from, until, _)| (*from..*until).contains(&now)) {
            match *decoy {
                Decoy::Recipients(share) if r.chance(share) => {
                    (outcome, unknown_recipient) = (Outcome::Bounced, true);
                }
                Decoy::Campaign(sender) if m.sender == sender && r.chance(0.8) => outcome = Outcome::Bounced,
                Decoy::Busy if r.chance(0.8) => signal = Signal::Busy,
                Decoy::Stuck(_) if m.queue & STUCK != 0 => signal = Signal::Throttle,
                Decoy::Greylist(d) if m.domain == d && m.tries == 1 => signal = Signal::Busy,
                Decoy::Stale(forest, share) if m.forest == forest && r.chance(share) => {
                    (signal, stated, reply) = (Signal::Block, true, 100);
                }
                _ => {}
            }
        }
        for episode in &self.episodes {
            let p = episode.refuses(m, now);
            if p > 0.0 && r.chance(p) {
                signal = episode.signal();
                (stated, reply) = (signal == Signal::Block, 0);
            }
        }
        match signal {
            Signal::Block | Signal::Auth => outcome = Outcome::Bounced,
            Signal::Throttle | Signal::Busy => outcome = Outcome::Deferred,
            _ => {}
        }
        Observation {
            second: now,
            source: self.source,
            platform: m.platform,
            domain: m.domain,
            forest: m.forest,
            sender_domain: m.sender,
            signal,
            stated,
            unknown_recipient,
            queue: m.queue,
            reply: reply + signal as u32,
            cause: 0,
            outcome,
            line: LineRef::default(),
        }
    }
}
