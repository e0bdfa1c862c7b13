//! The detector from outside its parts: what must raise an event, and what must not.

use super::*;
use crate::microsoft::{Class, Platform, Signal};
use crate::record::Outcome;

const T0: i64 = 1_770_000_000;
const DAY: i64 = 86_400;

struct Test;

impl Names for Test {
    fn source(&self, id: u32) -> SourceNames {
        SourceNames { ip: Some(format!("192.0.{}.{}", id / 10, id % 10 + 1)), name: None, host: None }
    }
    fn domain(&self, id: u32) -> &str {
        ["a.example", "b.example", "c.example", "d.example"][id as usize % 4]
    }
    fn forest(&self, id: u32) -> &str {
        ["", "nam10", "nam11", "eur01", "eur02"][id as usize]
    }
    fn sender_domain(&self, id: u32) -> &str {
        ["", "shop.example", "news.example"][id as usize]
    }
    fn reply(&self, id: u32) -> ReplyNames {
        ReplyNames {
            reply_id: format!("reply-{id}"),
            smtp_code: Some(550),
            enhanced_code: None,
            class: if id == 0 { Class::Accepted } else { Class::IpBlock },
            cause: (id >= 10).then(|| format!("list-{}", id / 10)),
        }
    }
    fn path(&self, _: u32) -> &'static str {
        "mail.log"
    }
}

#[derive(Default)]
struct Mail {
    list: Vec<Observation>,
    count: u64,
}

impl Mail {
    fn add(&mut self, second: i64, signal: Signal) -> &mut Observation {
        self.count += 1;
        let refused = !matches!(signal, Signal::Pass | Signal::Skip);
        self.list.push(Observation {
            second,
            source: 1,
            platform: Platform::Consumer,
            domain: 0,
            forest: 1 + (self.count % 4) as u32,
            sender_domain: 2,
            signal,
            stated: false,
            unknown_recipient: false,
            queue: self.count,
            reply: u32::from(refused),
            cause: 0,
            outcome: match signal {
                Signal::Pass => Outcome::Delivered,
                Signal::Block | Signal::Auth => Outcome::Bounced,
                _ => Outcome::Deferred,
            },
            line: LineRef { input: 0, offset: self.count * 100 },
        });
        self.list.last_mut().expect("just added")
    }

    /// Evenly spread attempts, `a_day` of them a day.
    fn steady(&mut self, from: i64, until: i64, a_day: i64, signal: impl Fn(u64) -> Signal) {
        let step = DAY / a_day;
        for (i, second) in (from..until).step_by(step as usize).enumerate() {
            self.add(second, signal(i as u64));
        }
    }

    fn detect(&mut self, end: i64) -> Detection {
        detect(&mut self.list, &Test, Settings::default(), end, None)
    }
}

fn pass(_: u64) -> Signal {
    Signal::Pass
}

fn block(_: u64) -> Signal {
    Signal::Block
}

#[test]
fn a_full_block_at_20_and_at_some_20_000_a_day() {
    for a_day in [20, 21_600] {
        let mut mail = Mail::default();
        let begin = T0 + 5 * DAY;
        mail.steady(T0, begin, a_day, pass);
        mail.steady(begin, begin + DAY, a_day, block);
        mail.steady(begin + DAY, begin + 3 * DAY, a_day, pass);
        let found = mail.detect(begin + 3 * DAY);
        assert_eq!(found.onsets.len(), 1, "{a_day} a day");
        let onset = &found.onsets[0];
        assert_eq!(onset.family, Family::Block);
        assert_eq!(onset.start.seconds, begin);
        assert!(onset.decided_at.seconds - begin <= 3 * DAY / a_day);
        assert_eq!(onset.platform, Some(vec!["consumer".to_owned()]));
        assert_eq!((onset.datacenters.clone(), onset.domain.clone()), (None, None));
        assert_eq!(onset.status, OnsetStatus::Cleared);
        // The end is the last refusal, not the decision.
        assert_eq!(onset.end.map(|t| t.seconds), Some(begin + DAY - DAY / a_day));
        assert!(onset.cleared_at.map(|t| t.seconds) >= Some(begin + DAY + 600));
        assert_eq!(onset.during.refused, a_day as u64);
        assert_eq!(onset.lost, a_day as u64);
        assert!(onset.confidence >= 0.99 && onset.confidence <= 0.9999);
        let kinds: Vec<ChangeKind> = found.changes.iter().map(|c| c.0).collect();
        assert_eq!(kinds, [ChangeKind::Onset, ChangeKind::Clear]);
    }
}

#[test]
fn silence_is_no_clear() {
    let mut mail = Mail::default();
    mail.steady(T0, T0 + 3 * DAY, 2000, pass);
    mail.steady(T0 + 3 * DAY, T0 + 3 * DAY + 7200, 2000, block);
    // The queue is on hold for six hours, then the block goes on.
    mail.steady(T0 + 3 * DAY + 8 * 3600, T0 + 3 * DAY + 9 * 3600, 2000, block);
    let last = mail.list.last().expect("some").second;
    let found = mail.detect(T0 + 4 * DAY);
    assert_eq!(found.onsets.len(), 1);
    let onset = &found.onsets[0];
    assert_eq!(onset.status, OnsetStatus::Active);
    assert_eq!(onset.untried_since.map(|t| t.seconds), Some(last));
    assert_eq!(onset.end, None);
}

#[test]
fn one_forest_and_then_all() {
    let mut mail = Mail::default();
    let begin = T0 + 3 * DAY;
    mail.steady(T0, begin, 4000, pass);
    for i in 0..400 {
        let forest = 1 + (i % 4) as u32;
        let refused = forest == 1 || i >= 200;
        mail.add(begin + i * 20, if refused { Signal::Block } else { Signal::Pass }).forest = forest;
    }
    let found = mail.detect(begin + DAY);
    assert_eq!(found.onsets.len(), 1);
    let first = &found.changes[0].2;
    assert_eq!(first.datacenters, Some(vec!["nam10".to_owned()]));
    let onset = &found.onsets[0];
    assert!(found.changes.iter().any(|c| c.0 == ChangeKind::Scope));
    assert!(onset.datacenters.as_ref().is_none_or(|d| d.len() > 1), "{:?}", onset.datacenters);
    assert_eq!(onset.spread.len(), 4);
    assert_eq!(onset.spread[0].forest, "nam10");
}

#[test]
fn one_tenant() {
    let mut mail = Mail::default();
    for i in 0..6000 {
        let o = mail.add(T0 + i * 40, Signal::Pass);
        (o.platform, o.forest, o.domain) = (Platform::M365, 0, (i % 4) as u32);
        if i >= 5000 && i % 4 == 2 {
            (o.signal, o.outcome, o.reply) = (Signal::Block, Outcome::Bounced, 1);
        }
    }
    let found = mail.detect(T0 + 240_000);
    assert_eq!(found.onsets.len(), 1);
    assert_eq!(found.onsets[0].domain.as_deref(), Some("c.example"));
    assert_eq!(found.onsets[0].platform, Some(vec!["m365".to_owned()]));
}

#[test]
fn a_throttle_that_ramps_up() {
    let mut mail = Mail::default();
    let begin = T0 + 3 * DAY;
    mail.steady(T0, begin, 2000, pass);
    mail.steady(begin, begin + 6 * 3600, 2000, |i| {
        if (i * 37) % 100 < i.min(90) { Signal::Throttle } else { Signal::Pass }
    });
    let found = mail.detect(begin + 6 * 3600);
    assert_eq!(found.onsets.len(), 1);
    assert_eq!(found.onsets[0].family, Family::Throttle);
    assert!(found.onsets[0].deferred > 0 && found.onsets[0].lost == 0);
    assert!(found.onsets[0].backoff.is_some_and(|b| b.accepted_per_minute > Some(0.1)));
}

#[test]
fn an_authentication_failure_is_the_domains() {
    let mut mail = Mail::default();
    for i in 0..3000 {
        let o = mail.add(T0 + i * 60, Signal::Pass);
        o.sender_domain = 1 + (i % 2) as u32;
        if i >= 2000 && o.sender_domain == 1 {
            (o.signal, o.outcome, o.reply) = (Signal::Auth, Outcome::Bounced, 1);
        }
    }
    let found = mail.detect(T0 + 180_000);
    assert_eq!(found.onsets.len(), 1);
    assert_eq!(found.onsets[0].family, Family::Auth);
    assert_eq!(found.onsets[0].sender_domain.as_deref(), Some("shop.example"));
}

#[test]
fn microsofts_own_words_count_where_there_is_little_mail() {
    let mut mail = Mail::default();
    for i in 0..3 {
        mail.add(T0 + i * 10 * DAY, Signal::Block).stated = true;
    }
    let found = mail.detect(T0 + 21 * DAY);
    assert_eq!(found.onsets.len(), 1);
    assert_eq!(found.onsets[0].basis, Basis::Stated);
    assert_eq!(found.onsets[0].during.attempts, 3);
    // Not where there is much.
    let mut mail = Mail::default();
    mail.steady(T0, T0 + 3 * DAY, 500, pass);
    mail.add(T0 + 3 * DAY, Signal::Block).stated = true;
    mail.steady(T0 + 3 * DAY, T0 + 4 * DAY, 500, pass);
    assert!(mail.detect(T0 + 4 * DAY).onsets.is_empty());
}

#[test]
fn what_is_stated_becomes_a_rate() {
    let mut mail = Mail::default();
    mail.steady(T0, T0 + 10 * DAY, 10, pass);
    mail.steady(T0 + 10 * DAY, T0 + 12 * DAY, 10, block);
    for o in &mut mail.list {
        o.stated = o.signal == Signal::Block;
    }
    let found = mail.detect(T0 + 12 * DAY);
    assert_eq!(found.onsets.len(), 1);
    assert_eq!(found.changes[0].2.basis, Basis::Stated);
    assert_eq!(found.changes[0].1, T0 + 10 * DAY);
    assert_eq!(found.onsets[0].basis, Basis::Rate);
    assert_eq!(found.onsets[0].during.refused, 20);
}

#[test]
fn decoys_raise_nothing() {
    let quiet = |what: &str, mail: &mut Mail| {
        let found = mail.detect(T0 + 5 * DAY);
        assert!(found.onsets.is_empty(), "{what}: {:?}", found.onsets);
    };
    let mut mail = Mail::default();
    mail.steady(T0, T0 + 3 * DAY, 2000, pass);
    mail.steady(T0 + 3 * DAY, T0 + 4 * DAY, 10_000, pass);
    for (i, o) in mail.list.iter_mut().enumerate() {
        if i % 2 == 0 && o.second > T0 + 3 * DAY {
            o.outcome = Outcome::Bounced;
        }
    }
    quiet("unknown recipients, content, a surge: all passes", &mut mail);

    let mut mail = Mail::default();
    mail.steady(T0, T0 + 4 * DAY, 2000, pass);
    for i in 0..40 {
        let o = mail.add(T0 + 3 * DAY + i * 600, Signal::Throttle);
        (o.platform, o.domain, o.forest, o.queue) = (Platform::M365, 1, 0, 77);
    }
    quiet("one stuck message", &mut mail);

    let mut mail = Mail::default();
    mail.steady(T0, T0 + 3 * DAY, 2000, pass);
    for blip in 0..5 {
        let begin = T0 + 3 * DAY + blip * 1200;
        mail.steady(begin, begin + 240, 2000, |_| Signal::Busy);
        mail.steady(begin + 240, begin + 1200, 2000, pass);
    }
    quiet("a train of blips", &mut mail);

    let mut mail = Mail::default();
    for i in 0..4000_u64 {
        mail.add(T0 + i as i64 * 60, Signal::Busy).queue = 100_000 + i;
        mail.add(T0 + i as i64 * 60 + 30, Signal::Pass).queue = 100_000 + i;
    }
    quiet("greylisting", &mut mail);

    let mut mail = Mail::default();
    mail.steady(T0, T0 + 3 * DAY, 2000, pass);
    mail.steady(
        T0 + 3 * DAY,
        T0 + 3 * DAY + 1800,
        2000,
        |i| if i == 20 { Signal::Block } else { Signal::Pass },
    );
    quiet("one stale refusal", &mut mail);

    let mut mail = Mail::default();
    mail.steady(T0, T0 + 4 * DAY, 2000, |i| if i % 3 == 0 { Signal::Skip } else { Signal::Pass });
    quiet("what says nothing", &mut mail);
}

#[test]
fn recipients_of_one_transaction_are_one_trial() {
    let mut mail = Mail::default();
    mail.steady(T0, T0 + 3 * DAY, 1000, pass);
    for _ in 0..50 {
        let o = mail.add(T0 + 3 * DAY, Signal::Block);
        (o.queue, o.forest) = (5, 1);
    }
    mail.steady(T0 + 3 * DAY + 1, T0 + 4 * DAY, 1000, pass);
    assert!(mail.detect(T0 + 4 * DAY).onsets.is_empty());
}

#[test]
fn order_and_numbering_do_not_matter() {
    let mut mail = Mail::default();
    let begin = T0 + 3 * DAY;
    mail.steady(T0, begin, 3000, pass);
    for i in 0..300 {
        let o = mail.add(begin + i, if i % 3 == 0 { Signal::Pass } else { Signal::Block });
        o.forest = 1 + (i % 4) as u32;
    }
    let expected = mail.detect(begin + DAY);
    assert_eq!(expected.onsets.len(), 1);
    mail.list.reverse();
    assert_eq!(mail.detect(begin + DAY), expected);

    /// The same names under other numbers.
    struct Renumbered;
    impl Names for Renumbered {
        fn source(&self, id: u32) -> SourceNames {
            Test.source(id - 90)
        }
        fn domain(&self, id: u32) -> &str {
            Test.domain(3 - id)
        }
        fn forest(&self, id: u32) -> &str {
            ["", "eur02", "eur01", "nam11", "nam10"][id as usize]
        }
        fn sender_domain(&self, id: u32) -> &str {
            ["", "news.example", "shop.example"][id as usize]
        }
        fn reply(&self, id: u32) -> ReplyNames {
            Test.reply(1 - id)
        }
        fn path(&self, _: u32) -> &'static str {
            "mail.log"
        }
    }
    for o in &mut mail.list {
        (o.source, o.domain, o.forest) = (o.source + 90, 3 - o.domain, 5 - o.forest);
        (o.sender_domain, o.reply) = (3 - o.sender_domain, 1 - o.reply);
    }
    let renumbered = detect(&mut mail.list, &Renumbered, Settings::default(), begin + DAY, None);
    assert_eq!(renumbered, expected);
}

/// Mail of several sources, those in `hit` blocked from the same quarter of an hour on.
fn several(sources: u32, hit: impl Fn(u32) -> bool) -> Detection {
    Mail { list: several_mail(sources, hit), ..Mail::default() }.detect(T0 + 9 * DAY + 7200)
}

fn several_mail(sources: u32, hit: impl Fn(u32) -> bool) -> Vec<Observation> {
    let mut mail = Mail::default();
    let begin = T0 + 9 * DAY;
    for source in 0..sources {
        let from = mail.list.len();
        mail.steady(T0, begin, 500, pass);
        mail.steady(begin, begin + 7200, 500, |_| if hit(source) { Signal::Block } else { Signal::Pass });
        for o in &mut mail.list[from..] {
            o.source = source * 7;
        }
    }
    mail.list
}

#[test]
fn yours_or_theirs() {
    let theirs = several(4, |_| true);
    assert_eq!(theirs.onsets.len(), 4);
    assert!(theirs.onsets.iter().all(|o| o.reading.verdict == "theirs"), "{:?}", theirs.onsets[0].reading);
    assert!(theirs.onsets[0].reading.reasons[0].starts_with("4 of 4 sources"));
    let yours = several(9, |source| source == 3);
    assert_eq!(yours.onsets.len(), 1);
    assert_eq!(yours.onsets[0].reading.verdict, "yours");
    let said = |r: &String| r.starts_with("8 sources that were not hit are let through, ");
    assert!(yours.onsets[0].reading.reasons.iter().any(said), "{:?}", yours.onsets[0].reading);
    let unknown = several(2, |_| true);
    assert!(unknown.onsets.iter().all(|o| o.reading.verdict == "cannot tell"));
    // 0 and 7 share a /24.
    assert_eq!(unknown.onsets[0].range.as_deref(), Some("192.0.0.0/24"));
}

#[test]
fn a_line_tells_what_was_known_then() {
    let found = several(4, |_| true);
    let first = &found.changes[0];
    assert_eq!((first.0, first.2.reading.verdict), (ChangeKind::Onset, "cannot tell"));
    assert!(first.2.reading.reasons.contains(&"1 of 4 sources were hit within 1 min".to_owned()));
    assert!(first.2.reading.reasons.iter().any(|r| r.contains("too early")), "{:?}", first.2.reading);
    assert!(first.2.backoff.is_some_and(|b| b.per_minute_before.is_some()));
    assert_eq!(first.2.takeover, None);
    // What comes later changes no line that was said.
    let shorter = {
        let mut mail = Mail { list: several_mail(4, |_| true), ..Mail::default() };
        mail.list.retain(|o| o.second <= first.1);
        mail.detect(first.1)
    };
    assert_eq!(&shorter.changes[0], first);
}

#[test]
fn what_other_providers_say() {
    let mut mail = Mail { list: several_mail(4, |_| true), ..Mail::default() };
    let slot = (T0 + 9 * DAY) / 600;
    let others = |after: u64| {
        let mut others = OtherProviders::default();
        for source in 0..4_u32 {
            for s in slot - 144..slot + 12 {
                others.add(Some(source * 7), s, 10, if s < slot { 9 } else { after });
            }
        }
        others
    };
    let end = T0 + 9 * DAY + 7200;
    let mut read =
        |other: &OtherProviders| detect(&mut mail.list, &Test, Settings::default(), end, Some(other));
    let unmoved = read(&others(9));
    let reading = &unmoved.onsets[0].reading;
    assert_eq!(reading.verdict, "theirs");
    assert!(
        reading.reasons.contains(
            &"other providers accept this source's mail, 63 of 70 (90 %) attempts, 1296 of 1440 (90 %) in the day \
              before"
                .to_owned()
        ),
        "{reading:?}"
    );
    assert_eq!(read(&others(2)).onsets[0].reading.verdict, "yours");
}

#[test]
fn a_bad_list_before_is_said() {
    let mut mail = Mail::default();
    let begin = T0 + 9 * DAY;
    mail.steady(T0, begin, 500, pass);
    for o in mail.list.iter_mut().filter(|o| o.second >= begin - DAY) {
        o.unknown_recipient = o.queue % 4 == 0;
    }
    mail.steady(begin, begin + 7200, 500, block);
    let reading = mail.detect(begin + 7200).onsets.remove(0).reading;
    assert_eq!(reading.verdict, "cannot tell");
    let said = reading.reasons.iter().find(|r| r.starts_with("unknown recipients before: ")).expect("said");
    assert!(said.contains("(25 %) attempts in the day, 0 of"), "{said}");
    assert!(reading.reasons.iter().any(|r| r.contains("1.0 times the 50")), "{reading:?}");
}

#[test]
fn another_source_takes_over() {
    let mut mail = Mail::default();
    let begin = T0 + 3 * DAY;
    mail.steady(T0, begin, 1000, pass);
    mail.steady(begin, begin + 7200, 1000, block);
    let own = mail.list.len();
    mail.steady(T0, begin, 1000, pass);
    mail.steady(begin, begin + 7200, 4000, pass);
    for o in &mut mail.list[own..] {
        o.source = 2;
    }
    let found = mail.detect(begin + 7200);
    let takeover = found.onsets[0].takeover.as_ref().expect("linked");
    assert_eq!(takeover.source_ip.as_deref(), Some("192.0.0.3"));
    assert!(takeover.factor > 3.0);
}

#[test]
fn busy_for_hours_is_an_onset_in_the_end() {
    let mut mail = Mail::default();
    let begin = T0 + 3 * DAY;
    mail.steady(T0, begin, 4000, pass);
    // Every message is deferred, again and again.
    for i in 0..200_u64 {
        for again in 0..4 {
            mail.add(begin + i as i64 * 20 + again * 400, Signal::Busy).queue = 500_000 + i;
        }
    }
    let found = mail.detect(begin + 3 * 3600);
    assert_eq!(found.onsets.len(), 1);
    assert_eq!(found.onsets[0].family, Family::Throttle);
    assert!(found.onsets[0].decided_at.seconds >= begin + 600);
    assert!(found.onsets[0].backoff.is_some_and(|b| b.retries > Some(100)));
}

#[test]
fn bit_by_bit_is_the_same_as_at_once() {
    let mut mail = Mail::default();
    let begin = T0 + 3 * DAY;
    mail.steady(T0, begin, 2000, pass);
    mail.steady(begin, begin + 7200, 2000, block);
    mail.steady(begin + 7200, begin + DAY, 2000, pass);
    mail.list.sort_by(|a, b| content_order(a, b, &Test));
    let mut whole = Detector::new(Settings::default());
    let mut live = Detector::new(Settings::default());
    for o in &mail.list {
        whole.push(o);
        live.push(o);
        if o.second % 97 == 0 {
            let state = live.state(o.source);
            live.push(o);
            live.restore(o.source, state);
        }
    }
    whole.finish(begin + DAY);
    live.finish(begin + DAY);
    let show = |d: &Detector| d.events().map(|e| resolve(e, &Test)).collect::<Vec<_>>();
    assert_eq!(show(&whole).len(), 1);
    assert_eq!(show(&whole), show(&live));
}

#[test]
fn one_cause_on_both_platforms_is_one_event() {
    // The same reply; two replies of one list; replies of two lists.
    for (consumer, m365, events) in [((1, 0), (1, 0), 1), ((10, 1), (11, 1), 1), ((10, 1), (21, 2), 2)] {
        let found = on_both_platforms(consumer, m365);
        assert_eq!(found.onsets.len(), events, "{consumer:?} {m365:?}");
        if events == 1 {
            assert_eq!(found.onsets[0].platform, None);
            assert!(found.onsets[0].during.refused >= 998, "{:?}", found.onsets[0].during);
        }
    }
}

#[test]
fn neighbours_on_one_list_are_linked() {
    let mut list = several_mail(2, |_| true);
    for o in list.iter_mut().filter(|o| o.signal == Signal::Block) {
        (o.reply, o.cause) = if o.source == 0 { (10, 1) } else { (11, 1) };
    }
    let found = Mail { list, ..Mail::default() }.detect(T0 + 9 * DAY + 7200);
    let ranges: Vec<Option<&str>> = found.onsets.iter().map(|o| o.range.as_deref()).collect();
    assert_eq!(ranges, [Some("192.0.0.0/24"); 2]);
}

/// A block of one source everywhere, by these replies (id, cause).
fn on_both_platforms(consumer: (u32, u32), m365: (u32, u32)) -> Detection {
    let mut mail = Mail::default();
    let begin = T0 + 3 * DAY;
    for i in 0..8000 {
        let refused = i >= 7000;
        let o = mail.add(T0 + i * 38, if refused { Signal::Block } else { Signal::Pass });
        if i % 2 == 0 {
            (o.platform, o.forest, o.domain) = (Platform::M365, 0, (i / 2 % 4) as u32);
        }
        if refused {
            (o.reply, o.cause) = if i % 2 == 0 { m365 } else { consumer };
        }
    }
    mail.detect(begin + DAY)
}

/// The example of the method's description: a thousand passes in a day, then refusals at these seconds, with passes
/// between where `mixed`.
fn worked_example(mixed: bool) -> String {
    let mut mail = Mail::default();
    for i in 0..1000 {
        mail.add(T0 + i * 86, Signal::Pass);
    }
    for i in 0..3 {
        mail.add(T0 + DAY + i * 10, Signal::Block);
        if mixed && i < 2 {
            mail.add(T0 + DAY + i * 10 + 5, Signal::Pass);
        }
    }
    let end = T0 + DAY + 3600;
    let id = mail.detect(end).onsets.remove(0).id;
    assert_eq!(explain(&mut mail.list, &Test, Settings::default(), end, "another"), None);
    explain(&mut mail.list, &Test, Settings::default(), end, &id).expect("explained")
}

#[test]
fn the_worked_example_is_shown_step_by_step() {
    let text = worked_example(false);
    for part in [
        "series block, key the consumer platform",
        "N = 1000 trials, K = 0 refused; u = K + 0.5 = 0.5; (u + sqrt u) / (N + 30) = 0.001172, within 0.002 and 0.5: \
         p0 = 0.002000",
        "ln A = 12.61",
        "a refusal adds ln(q / p0) = +3.689, +4.605, +5.416, +6.109",
        "1 refused    7.378    9.210   10.832   12.218         11.10",
        "1 refused   11.067   13.816   16.248   18.328         17.07",
        "3 refusals (at least 3), 17.07 >= 12.61",
        "3 of 3 refused since",
        "scope     the consumer platform",
        "\nClear: 3 of 3 trials refused up to the last refusal that counted, 0 trials since",
        "qa = min(0.6 x (3 - 1) / (3 + 1), (3 - 1) / (3 + 0 + 1)), within 0.040 and 0.9, = 0.300; pc = 0.0100",
        "C = 0.00, since: not set",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let mixed = worked_example(true);
    for part in [
        "a pass adds ln((1 - q) / (1 - p0)) = -0.081, -0.221, -0.596, -2.301",
        "1 refused   10.904   13.373   15.057   13.727         14.05",
    ] {
        assert!(mixed.contains(part), "{part:?} in {mixed}");
    }
}

#[test]
fn the_arithmetic_tells_scope_clear_and_microsofts_words() {
    let mut mail = Mail::default();
    let begin = T0 + 3 * DAY;
    mail.steady(T0, begin, 2000, pass);
    mail.steady(begin, begin + 4 * 3600, 2000, |_| Signal::Pass);
    for o in mail.list.iter_mut().filter(|o| o.second >= begin && o.second < begin + 7200 && o.forest == 2) {
        (o.signal, o.reply, o.outcome) = (Signal::Block, 1, Outcome::Bounced);
    }
    let end = begin + 4 * 3600;
    let onset = mail.detect(end).onsets.remove(0);
    let text = explain(&mut mail.list, &Test, Settings::default(), end, &onset.id).expect("explained");
    assert!(text.contains("gain      only the datacenters nam11: inside 8 of 8 "), "{text}");
    assert!(text.contains("scope     the datacenters nam11"), "{text}");
    assert!(text.contains(&format!(": cleared {};", onset.cleared_at.expect("cleared"))), "{text}");

    let mut few = Mail::default();
    few.add(T0, Signal::Block).stated = true;
    let id = few.detect(T0 + DAY).onsets.remove(0).id;
    let text = explain(&mut few.list, &Test, Settings::default(), T0 + DAY, &id).expect("explained");
    assert!(
        text.contains("fewer than 20 attempts were made there in the day before; there were 0"),
        "{text}"
    );
    assert!(!text.contains("Alarm"), "{text}");
}

#[test]
fn a_forest_that_refuses_a_part_must_last() {
    // From the fourth day on half of what goes to one forest is refused, in turns.
    let part = |length: i64| {
        let mut mail = Mail::default();
        let begin = T0 + 3 * DAY;
        mail.steady(T0, begin + 6 * 3600, 40_000, pass);
        let mut turn = 0;
        for o in mail.list.iter_mut().filter(|o| (begin..begin + length).contains(&o.second) && o.forest == 2)
        {
            turn += 1;
            if turn % 4 < 2 {
                (o.signal, o.reply, o.outcome) = (Signal::Block, 1, Outcome::Bounced);
            }
        }
        (mail.detect(begin + 6 * 3600), begin)
    };
    assert!(part(1800).0.onsets.is_empty(), "half an hour: a front end with a stale list");
    let (found, begin) = part(3 * 3600);
    assert_eq!(found.onsets.len(), 1);
    assert_eq!(found.onsets[0].datacenters, Some(vec!["nam11".to_owned()]));
    let waited = found.onsets[0].decided_at.seconds - begin;
    assert!((1800..2400).contains(&waited), "{waited}");
    assert_eq!(found.onsets[0].status, OnsetStatus::Cleared);
}

#[test]
fn three_attempts_in_a_month_are_no_statistic() {
    let mut mail = Mail::default();
    for i in 0..3 {
        mail.add(T0 + i * 10 * DAY, Signal::Block);
    }
    assert!(mail.detect(T0 + 30 * DAY).onsets.is_empty());
}

#[test]
fn a_few_refusals_clear_more_slowly_than_many() {
    let passes_until_clear = |refusals: i64| {
        let mut mail = Mail::default();
        let begin = T0 + 3 * DAY;
        mail.steady(T0, begin, 1440, pass);
        mail.steady(begin, begin + refusals * 60, 1440, block);
        let end = begin + refusals * 60;
        mail.steady(end, end + DAY, 1440, pass);
        let onset = mail.detect(end + DAY).onsets.remove(0);
        (onset.cleared_at.expect("cleared").seconds - end) / 60
    };
    let (few, many) = (passes_until_clear(4), passes_until_clear(40));
    assert!(few > 30 && few < 120 && many < 25, "{few} {many}");
}

#[test]
fn the_back_off_audit_counts_the_scope_alone() {
    // A hundred a minute to the platform, of which one forest has a quarter, and the sender does not slow down.
    let audit = |slower: bool| {
        let mut mail = Mail::default();
        let begin = T0 + DAY;
        mail.steady(begin - 7200, begin + 3600, 86_400, pass);
        for o in mail.list.iter_mut().filter(|o| o.second >= begin && o.forest == 1) {
            (o.signal, o.reply, o.outcome) = (Signal::Throttle, 1, Outcome::Deferred);
        }
        mail.list.retain(|o| !slower || o.second < begin + 60 || o.forest != 1 || o.second % 40 == 3);
        mail.detect(begin + 3600).onsets.remove(0)
    };
    let same = audit(false);
    assert_eq!(same.datacenters, Some(vec!["nam10".to_owned()]));
    let backoff = same.backoff.expect("audited");
    let (before, after) =
        (backoff.per_minute_before.expect("known"), backoff.per_minute_after.expect("known"));
    assert!((before - 15.0).abs() < 0.1 && (after - 15.0).abs() < 0.1, "{before} {after}");
    assert_eq!(same.slowing(), Some(Slowing::No));
    assert!(same.backoff_words().expect("said").contains("throttled, not slowing"));
    let slower = audit(true);
    assert_eq!(slower.slowing(), Some(Slowing::Yes));
    assert!(!slower.backoff_words().expect("said").contains("not slowing"));
}

#[test]
fn a_tenants_minutes_before_its_first_refusal_are_known() {
    let mut mail = Mail::default();
    let begin = T0 + DAY + 1800;
    for i in 0..400 {
        let second = begin - 6000 + i * 30;
        let o = mail.add(second, if second >= begin { Signal::Block } else { Signal::Pass });
        (o.platform, o.forest, o.domain) = (Platform::M365, 0, 2);
        let o = mail.add(second + 1, Signal::Pass);
        (o.platform, o.forest, o.domain) = (Platform::M365, 0, 1);
    }
    let onset = mail.detect(begin + DAY).onsets.remove(0);
    assert_eq!(onset.domain.as_deref(), Some("c.example"));
    let backoff = onset.backoff.expect("audited");
    assert!((backoff.per_minute_before.expect("known") - 2.0).abs() < 0.1, "{backoff:?}");
    assert!((backoff.per_minute_after.expect("known") - 2.0).abs() < 0.1, "{backoff:?}");
}

#[test]
fn recovery_is_told_forest_by_forest() {
    let mut mail = Mail::default();
    let begin = T0 + 3 * DAY;
    mail.steady(T0, begin, 4000, pass);
    mail.steady(begin, begin + 3600, 4000, block);
    for (i, o) in (0..80).zip(0..) {
        let forest = 1 + (i % 4) as u32;
        let signal = if forest == 2 { Signal::Block } else { Signal::Pass };
        mail.add(begin + 3600 + o * 20, signal).forest = forest;
    }
    let onset = mail.detect(begin + DAY).onsets.remove(0);
    assert_eq!(onset.recovery_words().as_deref(), Some("3 of 4 datacenters accept again"));
}

#[test]
fn a_share_too_small_to_matter_is_not_looked_for() {
    let found =
        |smallest_share: f64| {
            let mut mail = Mail::default();
            mail.steady(T0, T0 + 3 * DAY, 8000, pass);
            mail.steady(T0 + 3 * DAY, T0 + 4 * DAY, 8000, |i| {
                if i % 13 == 0 { Signal::Block } else { Signal::Pass }
            });
            let settings = Settings { smallest_share, ..Settings::default() };
            detect(&mut mail.list, &Test, settings, T0 + 4 * DAY, None).onsets.len()
        };
    assert_eq!((found(0.08), found(0.45)), (1, 0));
}
