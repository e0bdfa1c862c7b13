//! Which refusals the logs themselves tell: a bounce message repeats one of them, and must not be counted again.
//!
//! A Bloom filter of fixed size: the same whatever the order and the threads. With four million refusals, one repeated
//! record in two thousand is taken for told though it is not; with few, none.

use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foldhash::fast::FixedState;
use memchr::memrchr;

use crate::microsoft;
use crate::record::{Answer, Attempt, Outcome};
use crate::text::lower;

use super::judge::codes;

/// 8 MiB of bits.
const WORDS: usize = 1 << 20;
const PROBES: u64 = 7;

/// A refusal by what a bounce message repeats of it: recipient, codes, host tag. `None` for what was accepted.
pub fn fingerprint(attempt: &Attempt<'_>) -> Option<u64> {
    fingerprint_of(attempt, attempt.recipient)
}

/// The fingerprints by which a log may have told it: some logs (Momentum's) have the recipient's domain alone.
pub fn fingerprints(attempt: &Attempt<'_>) -> [Option<u64>; 2] {
    let domain = attempt.recipient.map(|recipient| &recipient[memrchr(b'@', recipient).unwrap_or(0)..]);
    [attempt.recipient, domain].map(|recipient| fingerprint_of(attempt, recipient))
}

fn fingerprint_of(attempt: &Attempt<'_>, recipient: Option<&[u8]>) -> Option<u64> {
    if attempt.outcome == Outcome::Delivered {
        return None;
    }
    let tag = match attempt.answer {
        Answer::Text(reply) => microsoft::host_tag(reply).map(lower),
        Answer::Codes { .. } | Answer::Nobody => None,
    };
    let recipient = recipient.map(lower);
    Some(FixedState::default().hash_one((recipient, codes(&attempt.answer), tag)))
}

/// All refusals of the logs; without memory until the first is added.
#[derive(Default)]
pub struct Told {
    words: OnceLock<Box<[AtomicU64]>>,
    /// Successes are not remembered one by one: a log tells them all.
    successes: AtomicBool,
}

impl Told {
    /// A log has told this.
    pub fn add(&self, fingerprint: Option<u64>) {
        let Some(fingerprint) = fingerprint else { return self.successes.store(true, Ordering::Relaxed) };
        let words = self.words.get_or_init(|| (0..WORDS).map(|_| AtomicU64::new(0)).collect());
        for (word, bit) in probes(fingerprint) {
            words[word].fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Whether a log has told one of them.
    pub fn has_any(&self, fingerprints: &[Option<u64>]) -> bool {
        fingerprints.iter().any(|fingerprint| self.has(*fingerprint))
    }

    /// Whether a log has told it.
    fn has(&self, fingerprint: Option<u64>) -> bool {
        let Some(fingerprint) = fingerprint else { return self.successes.load(Ordering::Relaxed) };
        self.words.get().is_some_and(|words| {
            probes(fingerprint).all(|(word, bit)| words[word].load(Ordering::Relaxed) & bit != 0)
        })
    }
}

/// Two halves of the hash make all the others (Kirsch and Mitzenmacher).
fn probes(fingerprint: u64) -> impl Iterator<Item = (usize, u64)> {
    let step = (fingerprint >> 32) | 1;
    (0..PROBES).map(move |i| {
        let at = fingerprint.wrapping_add(i.wrapping_mul(step)) as usize % (WORDS * 64);
        (at / 64, 1 << (at % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_and_almost_nothing_else() {
        let told = Told::default();
        let hash = |n: u64| Some(FixedState::default().hash_one(n));
        assert!(!told.has(hash(1)) && !told.has(None));
        (0..100_000).for_each(|n| told.add(hash(n)));
        assert!((0..100_000).all(|n| told.has(hash(n))));
        assert_eq!((100_000..200_000).filter(|n| told.has(hash(*n))).count(), 0);
    }
}
