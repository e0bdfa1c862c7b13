//! The attempts as the detection needs them, compact: 28 bytes for one that passed.

use crate::record::Outcome;

/// An attempt that says nothing but "it went through here and then".
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Unix seconds; logs of 1970 to 2106.
    pub second: u32,
    pub source: u32,
    pub domain: u32,
    pub relay: u32,
    pub verdict: u32,
    /// Hash of the queue id; 0 for none.
    pub queue: u32,
    /// 0 where it is not told, or was not asked for.
    pub sender: u32,
}

/// An attempt that was not accepted, with what an event has to tell about it.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    pub pass: Pass,
    pub place: u32,
    /// The sending address that Microsoft quotes.
    pub quoted: u32,
    pub input: u32,
    pub offset: u64,
    pub outcome: Outcome,
}

/// Attempts with a time, in any order.
#[derive(Clone, Debug, Default)]
pub struct Trials {
    pub passes: Vec<Pass>,
    pub refusals: Vec<Refusal>,
}

impl Trials {
    /// Moves all of `other` behind the own ones.
    pub fn append(&mut self, other: &mut Self) {
        self.passes.append(&mut other.passes);
        self.refusals.append(&mut other.refusals);
    }

    pub fn is_empty(&self) -> bool {
        self.passes.is_empty() && self.refusals.is_empty()
    }

    pub fn len(&self) -> usize {
        self.passes.len() + self.refusals.len()
    }

    /// The seconds of all.
    pub fn seconds(&self) -> impl Iterator<Item = i64> {
        let refused = self.refusals.iter().map(|refusal| refusal.pass.second);
        self.passes.iter().map(|pass| pass.second).chain(refused).map(i64::from)
    }

    /// Takes out what is not later than `second`.
    pub fn take_until(&mut self, second: i64) -> Self {
        if self.seconds().all(|s| s <= second) {
            return std::mem::take(self);
        }
        Self {
            passes: self.passes.extract_if(.., |pass| i64::from(pass.second) <= second).collect(),
            refusals: self.refusals.extract_if(.., |r| i64::from(r.pass.second) <= second).collect(),
        }
    }

    /// Forgets what is not later than `second`.
    pub fn forget_until(&mut self, second: i64) {
        self.passes.retain(|pass| i64::from(pass.second) > second);
        self.refusals.retain(|refusal| i64::from(refusal.pass.second) > second);
    }

    /// By time. They come as stretches that nearly are in that order.
    pub fn sort(&mut self) {
        self.passes.sort_by_key(|pass| pass.second);
        self.refusals.sort_by_key(|refusal| refusal.pass.second);
    }
}

/// The same for every run, so that events are too: the order of what happened in one second hangs on it.
pub fn queue_hash(queue_id: &[u8]) -> u32 {
    let (words, rest) = queue_id.as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]);
    let hash = words.fold(queue_id.len() as u64, |hash, word| {
        (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    ((hash >> 32 ^ hash) as u32).max(1)
}
