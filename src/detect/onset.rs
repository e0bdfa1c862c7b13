//! A block, throttle or authentication event with its last state: one object of `onsets` in the contract.

use serde::Serialize;

use crate::microsoft::Class;
use crate::record::Time;

/// What kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Block,
    Throttle,
    Auth,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Block, Self::Throttle, Self::Auth];
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnsetStatus {
    Active,
    Cleared,
}

/// On what an onset rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The share of refusals.
    Rate,
    /// Microsoft's own words.
    Stated,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    pub forest: String,
    pub start: Time,
    pub last_refused: Time,
    pub first_accepted: Option<Time>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub attempts: u64,
    pub refused: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstLine {
    pub file: String,
    pub offset: u64,
}

/// Whose side it looks like, from counted facts only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// `yours`, `theirs` or `cannot tell`.
    pub verdict: &'static str,
    pub reasons: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Backoff {
    pub per_minute_before: Option<f64>,
    pub per_minute_after: Option<f64>,
    pub retries: Option<u64>,
    pub accepted_per_minute: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Takeover {
    pub source_ip: Option<String>,
    pub source_name: Option<String>,
    pub factor: f64,
}

/// What a line of a live run tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    Onset,
    Scope,
    Clear,
}

/// A moment in the life of an event, and what was known of it then.
#[derive(Clone, Debug)]
pub struct OnsetChange {
    pub kind: ChangeKind,
    pub at: Time,
    pub onset: Onset,
}

/// One event over its whole life. Fields as in section 8 of the detection notes; `null` where unknown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Onset {
    pub id: String,
    pub was: Option<String>,
    pub status: OnsetStatus,
    pub untried_since: Option<Time>,
    pub decided_at: Time,
    pub cleared_at: Option<Time>,
    pub family: Family,
    pub class: Class,
    pub reply_id: String,
    pub smtp_code: Option<u16>,
    pub enhanced_code: Option<String>,
    pub source_ip: Option<String>,
    pub source_name: Option<String>,
    pub host: Option<String>,
    /// The /24 (IPv6: /64) that other sources with events of the same cause share.
    pub range: Option<String>,
    /// `consumer`, `m365`; `null` for all.
    pub platform: Option<Vec<String>>,
    /// Forests; `null` for all.
    pub datacenters: Option<Vec<String>>,
    pub spread: Vec<Spread>,
    pub domain: Option<String>,
    pub sender_domain: Option<String>,
    pub start: Time,
    pub first_refused: Time,
    /// The last refusal that counted, once cleared.
    pub end: Option<Time>,
    pub last_attempt: Option<Time>,
    pub last_accepted: Option<Time>,
    pub basis: Basis,
    /// 0 to 0.9999.
    pub confidence: f64,
    pub before: Tally,
    pub during: Tally,
    /// Messages refused for good.
    pub lost: u64,
    /// Messages waiting.
    pub deferred: u64,
    pub first_line: Option<FirstLine>,
    pub reading: Reading,
    pub backoff: Option<Backoff>,
    pub takeover: Option<Takeover>,
}

/// Whether the sender slowed down after the first deferral of a throttle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slowing {
    Yes,
    No,
}

impl Slowing {
    pub fn words(self) -> &'static str {
        match self {
            Self::Yes => "slowed down",
            Self::No => "throttled, not slowing",
        }
    }
}

impl Onset {
    /// Of a throttle, where the rates before and after are known.
    pub fn slowing(&self) -> Option<Slowing> {
        if self.family != Family::Throttle {
            return None;
        }
        let backoff = self.backoff?;
        let (before, after) = (backoff.per_minute_before?, backoff.per_minute_after?);
        // A tenth less is no slowing, but chance.
        Some(if after < 0.9 * before { Slowing::Yes } else { Slowing::No })
    }

    /// The back-off audit of a throttle in words: whether the sender slowed down, and the rate that was let through.
    pub fn backoff_words(&self) -> Option<String> {
        if self.family != Family::Throttle {
            return None;
        }
        let backoff = self.backoff?;
        let mut parts = Vec::new();
        if let (Some(slowing), Some(before), Some(after)) =
            (self.slowing(), backoff.per_minute_before, backoff.per_minute_after)
        {
            let words = slowing.words();
            parts.push(format!("{words}: {} attempts a minute, {} before", rate(after), rate(before)));
        }
        if let Some(accepted) = backoff.accepted_per_minute.filter(|accepted| *accepted > 0.0) {
            parts.push(format!("{} a minute were accepted: the number to set as limit", rate(accepted)));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// How many of the datacenters that refused accept again.
    pub fn recovery_words(&self) -> Option<String> {
        let accept = self.spread.iter().filter(|s| s.first_accepted.is_some()).count();
        let all = self.spread.len();
        (all > 1 && (accept > 0 || self.status == OnsetStatus::Active))
            .then(|| format!("{accept} of {all} datacenters accept again"))
    }
}

/// Attempts a minute: one digit more where they are few.
fn rate(a_minute: f64) -> String {
    if a_minute < 1.0 { format!("{a_minute:.2}") } else { format!("{a_minute:.1}") }
}
