//! The attempts as the detection needs them, compact: 24 bytes for one that passed.

use std::sync::Arc;

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

/// All attempts with a time. A clone shares what it holds, so that who looks at all of it keeps nobody waiting.
#[derive(Clone, Debug, Default)]
pub struct Trials {
    pub passes: Blocks<Pass>,
    pub refusals: Blocks<Refusal>,
}

impl Trials {
    pub fn append(&mut self, other: &mut Self) {
        self.passes.append(&mut other.passes);
        self.refusals.append(&mut other.refusals);
    }
}

/// Entries of a block.
const BLOCK: usize = 2048;

/// A list that grows by blocks: one that doubles holds three times its content while it moves.
#[derive(Clone, Debug)]
pub struct Blocks<T>(Vec<Arc<Vec<T>>>);

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy> Blocks<T> {
    pub fn push(&mut self, entry: T) {
        if let Some(last) = self.room(1) {
            last.push(entry);
        } else {
            let mut block = Vec::with_capacity(BLOCK);
            block.push(entry);
            self.0.push(Arc::new(block));
        }
    }

    /// The last block, if it has room for so many and nobody else looks at it.
    fn room(&mut self, count: usize) -> Option<&mut Vec<T>> {
        self.0.last_mut().and_then(Arc::get_mut).filter(|block| block.len() + count <= BLOCK)
    }

    /// Moves all of `other` behind the own ones.
    pub fn append(&mut self, other: &mut Self) {
        for block in other.0.drain(..) {
            // What a live run adds by ones and twos must not take a block each.
            match self.room(block.len()) {
                Some(last) => last.extend_from_slice(&block),
                None => self.0.push(block),
            }
        }
    }

    /// Every entry with its position, for [`Self::get`].
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.0.iter().enumerate().flat_map(|(at, block)| {
            block.iter().enumerate().map(move |(i, entry)| ((at * BLOCK + i) as u32, entry))
        })
    }

    /// The entry at a position that [`Self::iter`] gave.
    pub fn get(&self, position: u32) -> &T {
        &self.0[position as usize / BLOCK][position as usize % BLOCK]
    }
}

/// FNV-1a: the same for every run, so that events are too.
pub fn queue_hash(queue_id: &[u8]) -> u32 {
    let hash = queue_id.iter().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193));
    hash.max(1)
}
