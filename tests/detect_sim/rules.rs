//! The detector, and rules that are in use elsewhere, on the same mail.

use std::collections::VecDeque;

use eopwatch::detect::{
    ChangeKind, Detector, Family, Names, Observation, Place, ReplyNames, Settings, SourceNames,
};
use eopwatch::microsoft::{Class, Platform};

use crate::mail::{BEGIN, DAY, Simulated};

/// Ids by names of another order.
pub struct Plain;

impl Names for Plain {
    fn source(&self, id: u32) -> SourceNames {
        // Three ranges.
        SourceNames { ip: Some(format!("198.51.{}.{id}", 100 + id % 3)), name: None, host: None }
    }
    fn domain(&self, id: u32) -> &str {
        NAMES[id as usize % 1024]
    }
    fn forest(&self, id: u32) -> &str {
        NAMES[id as usize]
    }
    fn sender_domain(&self, id: u32) -> &str {
        NAMES[id as usize]
    }
    fn reply(&self, id: u32) -> ReplyNames {
        ReplyNames {
            reply_id: format!("r{id}"),
            smtp_code: None,
            enhanced_code: None,
            class: Class::IpBlock,
            cause: None,
        }
    }
    fn path(&self, _: u32) -> &'static str {
        "log"
    }
}

/// Names in an order of their own: the digits are made letters.
static NAMES: std::sync::LazyLock<Vec<&'static str>> = std::sync::LazyLock::new(|| {
    (0..1024)
        .map(|n: u32| &*Box::leak(format!("{:x}", n.wrapping_mul(2_654_435_761)).into_boxed_str()))
        .collect()
});

/// One alarm of whatever rule.
#[derive(Clone, Debug)]
pub struct Raised {
    pub family: Option<Family>,
    pub decided: i64,
    pub start: i64,
    pub cleared: Option<i64>,
    pub scope: Vec<Place>,
}

pub fn by_detector(mail: &Simulated) -> Vec<Raised> {
    let mut detector = Detector::new(Settings::default());
    for observation in &mail.observations {
        detector.push(observation);
    }
    detector.finish(BEGIN + mail.days * DAY);
    let changes = detector.changes();
    let events: Vec<_> = detector.events().collect();
    changes
        .iter()
        .filter(|c| c.kind == ChangeKind::Onset)
        .map(|c| Raised {
            family: Some(c.event.family),
            decided: c.at,
            start: c.event.start,
            cleared: events[c.index].cleared_at,
            scope: c.event.scope.0.clone(),
        })
        .collect()
}

/// A window of an hour over replies for which `counts` says what they are; over when the rule no longer holds.
pub fn by_window(
    mail: &Simulated,
    counts: impl Fn(&Observation) -> Option<bool>,
    rule: impl Fn(usize, usize) -> bool,
) -> Vec<Raised> {
    let mut raised: Vec<Raised> = Vec::new();
    for platform in [Platform::Consumer, Platform::M365] {
        let mut window: VecDeque<(i64, bool)> = VecDeque::new();
        let mut refused = 0;
        let mut active: Option<usize> = None;
        for o in mail.observations.iter().filter(|o| o.platform == platform) {
            let Some(bad) = counts(o) else { continue };
            window.push_back((o.second, bad));
            refused += usize::from(bad);
            while window.front().is_some_and(|(at, _)| *at <= o.second - 3600) {
                refused -= usize::from(window.pop_front().is_some_and(|(_, bad)| bad));
            }
            let holds = rule(window.len(), refused);
            match active {
                None if holds && bad => {
                    active = Some(raised.len());
                    raised.push(Raised {
                        family: None,
                        decided: o.second,
                        start: window.iter().find(|w| w.1).map_or(o.second, |w| w.0),
                        cleared: None,
                        scope: vec![Place::Platform(platform)],
                    });
                }
                Some(at) if !holds => {
                    raised[at].cleared = Some(o.second);
                    active = None;
                }
                _ => {}
            }
        }
    }
    raised
}
