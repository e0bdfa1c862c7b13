//! However the trials come in, the events are those of their order in time.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::aggregate::{Belongs, Label, Place, SourceKey, VerdictKey};
use crate::attribute::SourceEvidence;
use crate::microsoft::Class;
use crate::record::Outcome;

const T0: i64 = 1_770_000_000;
const DAY: i64 = 86_400;
const SOURCES: u64 = 4;

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Accepted, blocked, throttled, and refused for the sender's authentication, on both platforms.
fn tables() -> (NameTables, Learned) {
    let mut tables = NameTables::default();
    let mut learned = Learned::default();
    for source in 0..SOURCES {
        let ip = format!("203.0.113.{}", 10 + 70 * source % 250);
        let key = SourceKey { ip: ip.parse().ok(), evidence: SourceEvidence::Logged, host: None, name: None };
        learned.labels.insert(key.identity(), Label { ip: Some(ip), name: None, host: None });
        tables.sources.id(key);
    }
    for name in ["a.example", "b.example", "c.example"] {
        tables.domains.id(Some(name.into()));
        tables.senders.id(Some(format!("from-{name}").into()));
    }
    for forest in ["nam10", "eur01"] {
        tables.places.id(Place {
            host: Some(forest.into()),
            forest: Some(forest.into()),
            ..Place::default()
        });
    }
    for relay in 1..=3_u8 {
        tables.relays.id(Some([52, 101, 1, relay].into()));
    }
    for platform in [Platform::Consumer, Platform::M365] {
        for (reply_id, class, signal, outcome) in [
            ("accepted", Class::Accepted, Signal::Pass, Outcome::Delivered),
            ("listed", Class::IpBlock, Signal::Block, Outcome::Bounced),
            ("slow", Class::IpRate, Signal::Throttle, Outcome::Deferred),
            ("forged", Class::AuthDmarc, Signal::Auth, Outcome::Bounced),
        ] {
            tables.verdicts.id(VerdictKey {
                reply_id: reply_id.into(),
                smtp_code: Some(550),
                enhanced: None,
                class,
                signal,
                stated: false,
                outcome,
                platform,
                belongs: Belongs::Microsoft,
            });
        }
    }
    (tables, learned)
}

/// Two days of mail of all sources, with a block, a throttle and a domain that fails to authenticate, some of them often
/// or nowhere. By time.
fn mail(seed: u64) -> Trials {
    let mut random = Random(seed);
    let episode = |random: &mut Random| {
        let start = T0 + random.below(100_000) as i64;
        (start, start + 1800 + random.below(40_000) as i64, random.below(SOURCES), random.below(100))
    };
    let (block, throttle, forged) = (episode(&mut random), episode(&mut random), episode(&mut random));
    let step = 20 + random.below(200) as i64;
    let mut trials = Trials::default();
    let mut offset = 0;
    for source in 0..SOURCES {
        let mut second = T0 + random.below(60) as i64;
        while second < T0 + 2 * DAY {
            second += 1 + random.below(2 * step as u64) as i64;
            let is_in = |(start, end, of, share): (i64, i64, u64, u64), random: &mut Random| {
                of == source && (start..end).contains(&second) && random.below(100) < 20 + share
            };
            let sender = 1 + random.below(3) as u32;
            let kind = if is_in(block, &mut random) {
                1
            } else if is_in(throttle, &mut random) {
                2
            } else {
                3 * u32::from(sender == 2 && is_in(forged, &mut random))
            };
            let platform = random.below(2) as u32;
            let pass = Pass {
                second: second as u32,
                source: source as u32,
                domain: 1 + random.below(3) as u32,
                relay: random.below(3) as u32,
                verdict: platform * 4 + kind,
                queue: 1 + random.below(1 << 30) as u32,
                sender,
            };
            offset += 200;
            if kind == 0 {
                trials.passes.push(pass);
            } else {
                let place = if platform == 0 { 1 + pass.relay % 2 } else { 0 };
                let outcome = if kind == 2 { Outcome::Deferred } else { Outcome::Bounced };
                trials.refusals.push(Refusal { pass, place, quoted: 0, input: 0, offset, outcome });
            }
        }
    }
    trials
}

/// What has come by and by: the trials in the order of their time, each up to so many seconds late.
fn arrivals(trials: &Trials, late: u64, random: &mut Random) -> Vec<Trials> {
    let mut order: Vec<(i64, Trials)> = Vec::new();
    let mut add = |second: u32, one: Trials, random: &mut Random| {
        order.push((i64::from(second) + random.below(late + 1) as i64, one));
    };
    for pass in &trials.passes {
        add(pass.second, Trials { passes: vec![*pass], refusals: Vec::new() }, random);
    }
    for refusal in &trials.refusals {
        add(refusal.pass.second, Trials { passes: Vec::new(), refusals: vec![*refusal] }, random);
    }
    order.sort_by_key(|(at, _)| *at);
    let mut chunks = Vec::new();
    let mut rest = order.into_iter().map(|(_, one)| one).peekable();
    while rest.peek().is_some() {
        let mut chunk = Trials::default();
        for mut one in rest.by_ref().take(1 + random.below(400) as usize) {
            chunk.append(&mut one);
        }
        chunks.push(chunk);
    }
    chunks
}

fn feed(tables: &NameTables, blamed: &Blamed) -> Feed {
    let mut feed = Feed::new(vec!["mail.log".to_owned()], Settings::default(), blamed.clone(), false);
    feed.know(tables);
    feed
}

#[test]
fn however_trials_come_in_the_events_are_those_of_their_order() {
    let (tables, learned) = tables();
    let mut found = 0;
    for seed in 1..=24 {
        let mut random = Random(1000 + seed);
        let all = mail(seed);
        let end = all.seconds().max().unwrap();
        let mut whole = feed(&tables, &Blamed::default());
        whole.add(&mut all.clone(), &mut Others::default());
        whole.finish();
        let expected = whole.conclude(&learned, end);
        found += expected.onsets.len();

        let mut streamed = feed(&tables, &whole.blamed);
        let mut reached = i64::MIN;
        for mut chunk in arrivals(&all, 120, &mut random) {
            reached = reached.max(chunk.seconds().max().unwrap());
            streamed.add(&mut chunk, &mut Others::default());
            streamed.advance(reached - 120);
        }
        streamed.finish();
        assert!(!streamed.is_disordered());
        assert_eq!(streamed.conclude(&learned, end), expected, "streamed, seed {seed}");

        // A part of it was there before; then it comes in later than the frontier waits for.
        let mut live = feed(&tables, &Blamed::default());
        let chunks = arrivals(&all, 120, &mut random);
        let there = chunks.len() / 3;
        for (at, mut chunk) in chunks.into_iter().enumerate() {
            let newest = chunk.seconds().max().unwrap();
            live.add(&mut chunk, &mut Others::default());
            match at.cmp(&there) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => live.go_live(),
                std::cmp::Ordering::Greater => {
                    live.advance(newest - random.below(60) as i64);
                    // The screen looks at any time.
                    live.conclude(&learned, newest);
                }
            }
        }
        live.advance(i64::MAX);
        assert_eq!(live.late(), 0);
        assert_eq!(live.conclude(&learned, end), expected, "live, seed {seed}");
    }
    assert!(found > 40, "{found} events are hardly a test");
}

#[test]
fn a_source_that_the_tables_have_not_met_yet_is_called_as_the_log_tells_it() {
    let (tables, learned) = tables();
    let mut all = mail(1);
    let end = all.seconds().max().unwrap();
    let mut early = feed(&tables, &Blamed::default());
    early.add(&mut all, &mut Others::default());
    early.finish();
    let onsets = early.conclude(&Learned::default(), end).onsets;
    assert!(!onsets.is_empty() && onsets.iter().all(|onset| onset.source_ip.is_some()));
    assert_eq!(onsets, early.conclude(&learned, end).onsets);
}

#[test]
fn what_is_out_of_order_is_said() {
    let (tables, _) = tables();
    let mut all = mail(7);
    all.sort();
    let mut early = all.take_until(T0 + DAY);
    let mut turned = feed(&tables, &Blamed::default());
    turned.add(&mut all, &mut Others::default());
    turned.advance(T0 + DAY + 3600);
    assert!(!turned.is_disordered());
    turned.add(&mut early.clone(), &mut Others::default());
    assert!(turned.is_disordered());
    // A live run can only count them.
    let mut live = feed(&tables, &Blamed::default());
    live.add(&mut mail(7), &mut Others::default());
    live.go_live();
    live.advance(i64::MAX);
    let count = early.len() as u64;
    live.add(&mut early, &mut Others::default());
    live.advance(i64::MAX);
    assert_eq!(live.late(), count);
}

#[test]
fn a_late_line_of_one_source_tells_where_another_sources_mail_went() {
    let (tables, learned) = tables();
    let pass = |source, second: i64, relay, verdict| Pass {
        second: (T0 + second) as u32,
        source,
        domain: 1,
        relay,
        verdict,
        queue: second as u32 + 1,
        sender: 0,
    };
    let refusal = |source, second: i64, relay: u32, place: u32| Refusal {
        pass: pass(source, second, relay, 1),
        place,
        quoted: 0,
        input: 0,
        offset: second as u64,
        outcome: Outcome::Bounced,
    };
    // The first source is refused through two relays, and not through a third, whose forest is not known.
    let mut seen = Trials {
        passes: (0..600).map(|i| pass(0, i * 60, 1, 0)).collect(),
        refusals: (0..20).map(|i| refusal(0, 36_000 + i * 20, i as u32 % 2 * 2, 1 - i as u32 % 2)).collect(),
    };
    seen.passes.extend((0..20).map(|i| pass(0, 36_010 + i * 20, 1, 0)));
    seen.passes.extend((0..20).map(|i| pass(1, 35_900 + i, 2, 0)));
    let mut late = Trials { passes: Vec::new(), refusals: vec![refusal(1, 36_001, 1, 2)] };
    let end = T0 + 36_400;
    let of = |feed: &mut Feed| feed.conclude(&learned, end).onsets[0].reading.reasons.join("; ");
    let mut live = feed(&tables, &Blamed::default());
    live.add(&mut seen.clone(), &mut Others::default());
    live.go_live();
    live.advance(i64::MAX);
    assert!(of(&mut live).contains("1 of 1 datacenters"), "{}", of(&mut live));
    live.add(&mut late.clone(), &mut Others::default());
    live.advance(i64::MAX);
    let mut whole = feed(&tables, &Blamed::default());
    seen.append(&mut late);
    whole.add(&mut seen, &mut Others::default());
    whole.finish();
    assert!(of(&mut whole).contains("1 of 2 datacenters"), "{}", of(&mut whole));
    assert_eq!(of(&mut live), of(&mut whole));
}
