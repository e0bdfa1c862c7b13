//! How far a host's clock is off: the time of its refusals against the stamp that Microsoft put into each.

use std::collections::BTreeMap;

use crate::text::escape_controls;

/// Fewer refusals tell nothing.
const FEWEST: u64 = 5;
/// Less is the time that a reply and a log take, and says nothing. Seconds.
const WORTH_SAYING: i64 = 60;
/// Differences of most refusals of a good clock lie as close together. Seconds.
const SPREAD: i64 = 60;
/// A zone that is not the one taken for the log. Seconds.
const QUARTER: i64 = 900;
/// Hosts that are told apart.
const MOST_HOSTS: usize = 1 << 12;

/// Seconds by which a host is ahead of Microsoft, and how often; coarser far from it, so that they stay few.
#[derive(Clone, Debug, Default)]
pub struct Skew(BTreeMap<i64, u64>);

impl Skew {
    fn add(&mut self, ahead: i64) {
        let ahead = ahead.clamp(-2 * 86_400, 2 * 86_400);
        let kept = if ahead.abs() < 120 { ahead } else { ahead.div_euclid(30) * 30 };
        *self.0.entry(kept).or_default() += 1;
    }

    fn count(&self) -> u64 {
        self.0.values().sum()
    }

    fn median(&self) -> i64 {
        let half = self.count().div_ceil(2);
        let mut seen = 0;
        let middle = self.0.iter().find(|(_, count)| {
            seen += **count;
            seen >= half
        });
        middle.map_or(0, |(ahead, _)| *ahead)
    }

    fn text(&self, host: &str) -> Option<String> {
        let (count, median) = (self.count(), self.median());
        if count < FEWEST {
            return None;
        }
        let near: u64 = self.0.range(median - SPREAD..=median + SPREAD).map(|(_, count)| count).sum();
        let of = if host.is_empty() { "the log's clock".to_owned() } else { format!("the clock of {host}") };
        if near * 10 < count * 8 {
            return Some(format!(
                "unsure of {of}: its distance from Microsoft's own stamps differs from reply to reply (is the time zone \
                 right? --timezone)"
            ));
        }
        if median.abs() < WORTH_SAYING {
            return None;
        }
        let side = if median > 0 { "ahead of" } else { "behind" };
        let quarters = (median + QUARTER / 2).div_euclid(QUARTER) * QUARTER;
        let zone = quarters != 0 && (median - quarters).abs() <= 150;
        let why = if zone { ": another time zone? (--timezone, or one log a host)" } else { "" };
        Some(format!("{of} is {} {side} Microsoft's (median of {count} replies){why}", span(median.abs())))
    }
}

fn span(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{}.{} h", seconds / 3600, seconds % 3600 * 10 / 3600),
    }
}

/// By host, as logged.
#[derive(Clone, Debug, Default)]
pub struct Skews(BTreeMap<Box<[u8]>, Skew>);

impl Skews {
    /// A refusal that Microsoft stamped so many seconds before the log did.
    pub fn add(&mut self, host: &[u8], ahead: i64) {
        if let Some(skew) = self.0.get_mut(host) {
            skew.add(ahead);
        } else if self.0.len() < MOST_HOSTS {
            self.0.entry(host.into()).or_default().add(ahead);
        }
    }

    pub fn merge(&mut self, other: Self) {
        for (host, skew) in other.0 {
            let own = self.0.entry(host).or_default();
            for (ahead, count) in skew.0 {
                *own.0.entry(ahead).or_default() += count;
            }
        }
    }

    /// What the user should know of the hosts' clocks.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|(host, skew)| skew.text(&escape_controls(host)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(ahead: &[i64]) -> Option<String> {
        let mut parts = [Skews::default(), Skews::default()];
        for (i, seconds) in ahead.iter().enumerate() {
            parts[i % 2].add(b"mta1", *seconds);
        }
        let [mut first, second] = parts;
        first.merge(second);
        first.texts().next()
    }

    #[test]
    fn a_clock_that_is_off_is_said_and_a_good_one_is_not() {
        assert_eq!(said(&[0, 1, 2, 1, 0, 30]), None);
        assert_eq!(said(&[600, 601, 600, 602]), None, "four tell nothing");
        let late = said(&[-95, -95, -94, -93, -95, 4]).expect("said");
        assert_eq!(late, "the clock of mta1 is 95 s behind Microsoft's (median of 6 replies)");
        let zone = said(&[7201, 7200, 7202, 7203, 7200]).expect("said");
        assert!(zone.starts_with("the clock of mta1 is 2.0 h ahead of Microsoft's (median of 5"), "{zone}");
        assert!(zone.contains("another time zone?"), "{zone}");
        let unsure = said(&[0, 3600, 0, 3600, 0, 3600]).expect("said");
        assert!(unsure.starts_with("unsure of the clock of mta1"), "{unsure}");
    }
}
