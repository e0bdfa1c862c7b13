//! One listed line in sixteen bytes: when, where, and enough to know it again.

use std::fmt;
use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use crate::record::Time;

/// Bits of each part, from the lowest on.
const CHECK: u32 = 19;
const REFUSAL: u32 = 1;
const NTH: u32 = 6;
const PLACE: u32 = 42;
const FILE: u32 = 16;
const TIME: u32 = 44;

const NTH_AT: u32 = CHECK + REFUSAL;
const PLACE_AT: u32 = NTH_AT + NTH;
const FILE_AT: u32 = PLACE_AT + PLACE;
const TIME_AT: u32 = FILE_AT + FILE;

/// A line of a list. The greater one is the newer: by time, then by file, then by its place in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(u128);

/// What a [`Mark`] is made from.
pub(in crate::engine) struct Sighting<'a> {
    pub time: Option<Time>,
    /// Number of the file in its list.
    pub file: usize,
    /// Where the line begins in the file, or its number among the kept ones.
    pub place: u64,
    /// Which record of the line.
    pub nth: usize,
    pub is_refusal: bool,
    pub text: &'a [u8],
}

impl Mark {
    /// `None`: beyond 65,536 files or 4 TB of one file, which no list reaches.
    pub(in crate::engine) fn of(sighting: &Sighting<'_>) -> Option<Self> {
        let part = |value: u64, bits: u32, at: u32| (value >> bits == 0).then_some(u128::from(value) << at);
        // 0: no time is told.
        let time = sighting.time.map_or(0, |time| {
            let millis =
                time.seconds.saturating_mul(1000).saturating_add(i64::from(time.millis.unwrap_or(0)));
            millis.saturating_add(1).clamp(1, (1 << TIME) - 1) as u64
        });
        Some(Self(
            part(time, TIME, TIME_AT)?
                | part(sighting.file as u64, FILE, FILE_AT)?
                | part(sighting.place, PLACE, PLACE_AT)?
                | part((sighting.nth as u64).min((1 << NTH) - 1), NTH, NTH_AT)?
                | part(u64::from(sighting.is_refusal), REFUSAL, CHECK)?
                | u128::from(check(sighting.text)),
        ))
    }

    fn part(self, bits: u32, at: u32) -> u64 {
        (self.0 >> at) as u64 & ((1 << bits) - 1)
    }

    /// When it was logged.
    pub fn time(self) -> Option<Time> {
        let millis = self.part(TIME, TIME_AT).checked_sub(1)? as i64;
        let fraction = (millis % 1000) as u16;
        Some(Time { seconds: millis / 1000, millis: (fraction > 0).then_some(fraction) })
    }

    /// Whether the attempt was refused.
    pub fn is_refusal(self) -> bool {
        self.part(REFUSAL, CHECK) == 1
    }

    pub(super) fn file(self) -> usize {
        self.part(FILE, FILE_AT) as usize
    }

    pub(super) fn place(self) -> u64 {
        self.part(PLACE, PLACE_AT)
    }

    pub(super) fn nth(self) -> usize {
        self.part(NTH, NTH_AT) as usize
    }

    /// Whether this is the line's text, as far as a few bits of a hash can tell.
    pub(super) fn is_of(self, text: &[u8]) -> bool {
        self.part(CHECK, 0) == check(text)
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} file {} place {} #{}", self.time(), self.file(), self.place(), self.nth())
    }
}

fn check(text: &[u8]) -> u64 {
    FixedState::default().hash_one(text) >> (64 - CHECK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: u32 = TIME_AT + TIME;

    proptest! {
        #[test]
        fn a_mark_keeps_what_it_is_made_from(
            seconds in 0i64..4_000_000_000, millis in proptest::option::of(1u16..1000), file in 0usize..65_536,
            place in 0u64..1 << 42, nth in 0usize..64, is_refusal in any::<bool>(), text in "[a-z]{0,9}",
        ) {
            let time = Time { seconds, millis };
            let text = text.as_bytes();
            let sighting = Sighting { time: Some(time), file, place, nth, is_refusal, text };
            let mark = Mark::of(&sighting).expect("within bounds");
            prop_assert_eq!(mark.time(), Some(time));
            prop_assert_eq!((mark.file(), mark.place(), mark.nth()), (file, place, nth));
            prop_assert_eq!(mark.is_refusal(), is_refusal);
            prop_assert!(mark.is_of(text));
        }
    }

    #[test]
    fn bounds_and_order() {
        assert_eq!(SIZE, 128);
        assert_eq!(size_of::<Mark>(), 16);
        let of = |seconds: Option<i64>, file, place, nth| {
            let time = seconds.map(Time::from_seconds);
            Mark::of(&Sighting { time, file, place, nth, is_refusal: true, text: b"x" })
        };
        assert_eq!(of(Some(0), 1 << 16, 0, 0), None);
        assert_eq!(of(Some(0), 0, 1 << 42, 0), None);
        assert!(of(None, 9, 9, 9) < of(Some(i64::MIN), 0, 0, 0));
        assert!(of(Some(1), 9, 9, 0) < of(Some(2), 0, 0, 0));
        assert!(of(Some(2), 0, 9, 0) < of(Some(2), 1, 0, 0));
        assert!(of(Some(2), 0, 9, 1) < of(Some(2), 0, 10, 0));
        assert!(of(Some(2), 0, 9, 0) < of(Some(2), 0, 9, 1));
        assert_eq!(of(None, 0, 0, 1000).map(Mark::time), Some(None));
        assert_eq!(of(None, 0, 0, 1000).map(Mark::nth), Some(63));
    }
}
