//! The detector against simulated mail with known truth: its own generator and judge, deterministic by seed.
//! `cargo test --test detect_sim -- --nocapture` prints the table of the seeds that it was tuned on;
//! with `--include-ignored` also that of the seeds held apart, which stands in `docs/detection.md`.

mod fleet;
mod mail;
mod rules;
mod score;

use eopwatch::detect::{Observation, content_order};
use eopwatch::microsoft::Signal;
use eopwatch::record::Outcome;

use mail::{BEGIN, DAY, HOUR, KINDS, Kind, Plan, Random, Simulated};
use rules::{Plain, by_detector, by_window};
use score::Score;

/// The sources of a seed, one after the other: most have an episode, the busier ones two.
fn world(seed: u64) -> impl Iterator<Item = Simulated> {
    const DAYS: i64 = 6;
    let mut volumes = vec![20.0, 60.0, 200.0, 600.0, 2000.0, 2000.0, 6000.0, 300.0];
    if seed.is_multiple_of(3) {
        volumes.push(20_000.0);
    }
    if seed % 8 == 7 {
        volumes.push(60_000.0);
    }
    if seed % 24 == 5 {
        volumes.push(200_000.0);
    }
    volumes.into_iter().enumerate().map(move |(at, volume)| {
        let source = at as u32 + 1;
        let mut r = Random(seed.wrapping_mul(1_000_003) ^ u64::from(source) << 20);
        let kind = |r: &mut Random| {
            let kind = KINDS[r.below(KINDS.len() as u64) as usize];
            // A tenth of sixty a day is no episode to speak of.
            if volume < 200.0 && kind == Kind::Weak { Kind::Full } else { kind }
        };
        let mut episodes = Vec::new();
        if at % 2 == (seed % 2) as usize || volume >= 600.0 {
            let start = BEGIN + (r.between(2.0, 3.5) * DAY as f64) as i64;
            let first = kind(&mut r);
            episodes.push(mail::episode(&mut r, first, volume, start, 36.0));
            let start = BEGIN + (r.between(4.5, 5.2) * DAY as f64) as i64;
            if volume >= 600.0 && start - episodes[0].end >= 12 * HOUR && r.chance(0.4) {
                let second = kind(&mut r);
                episodes.push(mail::episode(&mut r, second, volume, start, 8.0));
            }
        }
        let decoys = mail::decoys(&mut r, DAYS);
        let mut mail = Plan { source, volume, days: DAYS, episodes, decoys }.send(&mut r);
        mail.observations.sort_by(|a, b| content_order(a, b, &Plain));
        mail
    })
}

#[test]
fn figures_on_simulated_mail() {
    figures(1..25);
}

/// Nothing was tuned on these.
#[test]
#[ignore = "twice as long, for the table"]
fn figures_on_seeds_held_apart() {
    figures(2001..2049);
}

fn figures(seeds: std::ops::Range<u64>) {
    let (mut own, mut five, mut digit, mut percent) =
        (Score::default(), Score::default(), Score::default(), Score::default());
    for mail in seeds.clone().flat_map(world) {
        own.judge(&mail, &by_detector(&mail));
        let is_bad = |o: &Observation| matches!(o.signal, Signal::Block | Signal::Throttle | Signal::Busy);
        let known = |o: &Observation| (o.signal != Signal::Skip).then(|| is_bad(o));
        let refused = |o: &Observation| Some(o.outcome != Outcome::Delivered);
        five.judge(&mail, &by_window(&mail, known, |_, bad| bad >= 5));
        digit.judge(&mail, &by_window(&mail, refused, |_, bad| bad >= 5));
        percent.judge(&mail, &by_window(&mail, known, |n, bad| n >= 20 && bad * 5 >= n));
    }
    println!("seeds {seeds:?}: {} episodes, {} IP-days", own.episodes, own.ip_days);
    println!("{}", own.row("eopwatch"));
    println!("{}", five.row("five block or throttle replies in an hour"));
    println!("{}", digit.row("the same by first digit, no catalogue"));
    println!("{}", percent.row("20 % refused of at least 20 in an hour"));
    let (median, p90) = (Score::at(&own.start_errors, 0.5), Score::at(&own.start_errors, 0.9));
    println!("start error s: median {median} p90 {p90}");
    own.notes.iter().for_each(|note| println!("  {note}"));
    assert!(own.recall() >= 0.985, "recall {}", own.recall());
    assert!(own.false_a_day() <= 0.006, "false alarms {}", own.false_a_day());
    assert!(Score::at(&own.delays, 0.5) <= 4);
    assert!(Score::at(&own.delays, 0.9) <= 14);
    assert!(own.scope() >= 0.95, "scope {}", own.scope());
    assert!(own.cleared() >= 0.9, "cleared {}", own.cleared());
    assert_eq!((own.premature, own.held_twice), (0, 0), "cleared too early; told twice");
}
