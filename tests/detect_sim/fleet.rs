//! Several sources at once: is it told whose side a block is on?

use eopwatch::detect::{Observation, OtherProviders, Settings, detect};
use eopwatch::microsoft::Platform;

use crate::mail::{BEGIN, DAY, Decoy, Episode, HOUR, Kind, Plan, Random, decoys};
use crate::rules::Plain;

const DAYS: i64 = 9;
const SLOT: i64 = OtherProviders::SLOT;

/// What happens, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// Microsoft refuses everybody, all of it or in part.
    Outage,
    /// Microsoft throttles everybody.
    Squeeze,
    /// One source is blocked after it sent to a bad list.
    BadList,
    /// One source is blocked, out of the blue.
    Listed,
    /// One of the three ranges is.
    Range,
    /// What is sent is bad: most sources are blocked, and other providers refuse it too.
    BadMail,
}

const STORIES: [Story; 6] =
    [Story::Outage, Story::Squeeze, Story::BadList, Story::Listed, Story::Range, Story::BadMail];

impl Story {
    fn side(self) -> &'static str {
        if matches!(self, Self::Outage | Self::Squeeze) { "theirs" } else { "yours" }
    }
}

/// How often a side was read so.
#[derive(Default)]
struct Read {
    right: usize,
    open: usize,
    wrong: usize,
}

struct Fleet {
    observations: Vec<Observation>,
    others: OtherProviders,
}

/// Four to nine sources in three ranges.
fn fleet(seed: u64, story: Story) -> Fleet {
    let mut r = Random(seed.wrapping_mul(7_000_003));
    let sources = 4 + r.below(6) as u32;
    let begin = BEGIN + (DAYS - 1) * DAY + 9 * HOUR + r.below(6 * 3600) as i64;
    let kind = match story {
        Story::Squeeze => Kind::Throttle,
        Story::Outage if r.chance(0.4) => Kind::Partial,
        _ => Kind::Full,
    };
    let share = if kind == Kind::Full { 1.0 } else { r.between(0.5, 0.9) };
    let mut observations = Vec::new();
    let mut others = OtherProviders::default();
    for source in 1..=sources {
        let volume = 200.0 * 30_f64.powf(r.unit());
        let hit = match story {
            Story::Outage | Story::Squeeze => true,
            Story::BadMail => source != 2,
            Story::Range => source % 3 == 1,
            Story::BadList | Story::Listed => source == 1,
        };
        let start = begin + r.below(360) as i64;
        let episode =
            Episode { kind, platform: Platform::Consumer, start, end: start + 3 * HOUR, share, what: 1 };
        let mut decoys = decoys(&mut r, DAYS - 2);
        if hit && story == Story::BadList {
            decoys.push((begin - 12 * HOUR, begin, Decoy::Recipients(0.4)));
        }
        let episodes = if hit { vec![episode] } else { Vec::new() };
        observations.extend(Plan { source, volume, days: DAYS, episodes, decoys }.send(&mut r).observations);
        // As much goes to others; they refuse a little, or most of it.
        for slot in BEGIN / SLOT..(BEGIN + DAYS * DAY) / SLOT {
            let attempts = (volume / 144.0 + r.unit()) as u64;
            let refuses = if story == Story::BadMail && slot >= begin / SLOT { 0.6 } else { 0.03 };
            let accepted = (0..attempts).filter(|_| !r.chance(refuses)).count() as u64;
            others.add(Some(source), slot, attempts, accepted);
        }
    }
    Fleet { observations, others }
}

#[test]
fn whose_side_a_block_is_on() {
    readings(1..13);
}

/// No rule was made by looking at these.
#[test]
#[ignore = "for the figures in the documentation"]
fn whose_side_on_seeds_held_apart() {
    readings(2001..2013);
}

fn readings(seeds: std::ops::Range<u64>) {
    let mut total = Read::default();
    for story in STORIES {
        let mut read = Read::default();
        for seed in seeds.clone() {
            let mut fleet = fleet(seed, story);
            let found = detect(
                &mut fleet.observations,
                &Plain,
                Settings::default(),
                BEGIN + DAYS * DAY,
                Some(&fleet.others),
            );
            let last_day = BEGIN + (DAYS - 1) * DAY;
            for onset in found.onsets.iter().filter(|o| o.start.seconds >= last_day) {
                match onset.reading.verdict {
                    verdict if verdict == story.side() => read.right += 1,
                    "cannot tell" => read.open += 1,
                    _ => {
                        read.wrong += 1;
                        println!(
                            "{story:?} {seed}: {} {} {:?}",
                            onset.start, onset.decided_at, onset.reading
                        );
                    }
                }
            }
        }
        println!("{story:?}: right {}, cannot tell {}, wrong {}", read.right, read.open, read.wrong);
        assert!(read.right > 0, "{story:?}");
        total.right += read.right;
        total.open += read.open;
        total.wrong += read.wrong;
    }
    let all = (total.right + total.open + total.wrong) as f64;
    let (right, wrong) = (total.right as f64 / all, total.wrong as f64 / all);
    println!("whose side: right {right:.3}, wrong {wrong:.3} of {all}");
    assert!(right >= 0.8, "right {right}");
    assert!(wrong <= 0.02, "wrong {wrong}");
}
