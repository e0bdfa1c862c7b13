//! The attempts as the detection needs them, compact: 24 bytes for one that passed.

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
}

/// An attempt that was not accepted, with what an event has to tell about it.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    pub pass: Pass,
    pub place: u32,
    pub sender: u32,
    pub input: u32,
    pub offset: u64,
    pub outcome: Outcome,
}

/// All attempts with a time.
#[derive(Clone, Debug, Default)]
pub struct Trials {
    pub passes: Vec<Pass>,
    pub refusals: Vec<Refusal>,
}

impl Trials {
    pub fn append(&mut self, other: &mut Self) {
        self.passes.append(&mut other.passes);
        self.refusals.append(&mut other.refusals);
    }
}

/// FNV-1a: the same for every run, so that events are too.
pub fn queue_hash(queue_id: &[u8]) -> u32 {
    let hash = queue_id.iter().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193));
    hash.max(1)
}
