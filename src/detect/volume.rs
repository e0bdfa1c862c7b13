//! How much was tried, over time: what a source remembers of its own mail.

use std::collections::VecDeque;

use crate::microsoft::Platform;

use super::event::Attempts;

const DAY: i64 = 86_400;
/// Minutes of a place that are remembered: an hour before an event that was decided three hours after it began.
const MINUTES: i32 = 240;
/// Seconds of a slot of the volume's history.
pub(super) const SLOT: i64 = 600;

/// Counts of the last day, by the hour.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    hours: VecDeque<(i64, Attempts)>,
}

impl Recent {
    pub(super) fn add(&mut self, second: i64, attempts: u64, refused: u64) {
        let hour = second.div_euclid(3600);
        if let Some((h, counts)) = self.hours.back_mut()
            && *h == hour
        {
            counts.attempts += attempts;
            counts.refused += refused;
            return;
        }
        while self.hours.front().is_some_and(|(h, _)| *h < hour - 27) {
            self.hours.pop_front();
        }
        self.hours.push_back((hour, Attempts { attempts, refused }));
    }

    pub(super) fn day_before(&self, second: i64) -> Attempts {
        let hour = second.div_euclid(3600);
        let mut sum = Attempts::default();
        for (_, counts) in self.hours.iter().filter(|(h, _)| (hour - 24..=hour).contains(h)) {
            sum.attempts += counts.attempts;
            sum.refused += counts.refused;
        }
        sum
    }
}

/// Attempts at a place by the minute, of the last hours.
#[derive(Clone, Debug, Default)]
pub(super) struct Minutes {
    /// The minute from which on it has been counted.
    since: i32,
    pub(super) counts: VecDeque<(i32, u32)>,
}

impl Minutes {
    pub(super) fn new(second: i64) -> Self {
        Self { since: minute_of(second), counts: VecDeque::new() }
    }

    pub(super) fn add(&mut self, second: i64, attempts: u32) {
        let minute = minute_of(second);
        if let Some((last, count)) = self.counts.back_mut()
            && *last == minute
        {
            *count += attempts;
            return;
        }
        while self.counts.front().is_some_and(|(m, _)| *m < minute - MINUTES) {
            self.counts.pop_front();
        }
        self.counts.push_back((minute, attempts));
    }

    /// Attempts in these minutes, and how many of the minutes are remembered.
    pub(super) fn between(&self, from: i32, until: i32) -> (u64, i32) {
        let from = from.max(self.since);
        let inside = self.counts.iter().filter(|(m, _)| (from..until).contains(m));
        (inside.map(|(_, n)| u64::from(*n)).sum(), (until - from).max(0))
    }
}

/// Passes of a place, before it has a key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passes {
    pub(super) n: u32,
    pub(super) day: i32,
    pub(super) today: u32,
    pub(super) yesterday: u32,
    pub(super) hour: i32,
    /// Attempts in this hour and in the one before.
    pub(super) this_hour: u32,
    pub(super) last_hour: u32,
}

impl Passes {
    pub(super) fn add(&mut self, second: i64, attempts: u32) {
        let hour = second.div_euclid(3600) as i32;
        if hour != self.hour {
            self.last_hour = if hour == self.hour + 1 { self.this_hour } else { 0 };
            self.this_hour = 0;
            self.hour = hour;
        }
        self.this_hour = self.this_hour.saturating_add(attempts);
        let day = second.div_euclid(DAY) as i32;
        if day != self.day {
            self.yesterday = if day == self.day + 1 { self.today } else { 0 };
            self.today = 0;
            self.day = day;
        }
        self.n = self.n.saturating_add(1);
        self.today = self.today.saturating_add(attempts);
    }

    /// About how many attempts in the 60 minutes before: the last hour's share of them is taken as even.
    pub(super) fn hour_before(&self, second: i64) -> f64 {
        let left = 1.0 - second.rem_euclid(3600) as f64 / 3600.0;
        let (this, last) = match second.div_euclid(3600) - i64::from(self.hour) {
            0 => (self.this_hour, self.last_hour),
            1 => (0, self.this_hour),
            _ => (0, 0),
        };
        f64::from(this) + f64::from(last) * left
    }

    /// About how many in the 24 hours before: yesterday's share of them is taken as even.
    pub(super) fn day_before(&self, second: i64) -> u64 {
        let left = 1.0 - second.rem_euclid(DAY) as f64 / DAY as f64;
        let (today, yesterday) = match second.div_euclid(DAY) - i64::from(self.day) {
            0 => (self.today, self.yesterday),
            1 => (0, self.today),
            _ => (0, 0),
        };
        u64::from(today) + (f64::from(yesterday) * left).round() as u64
    }
}

/// What one platform saw in ten minutes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub(super) slot: i64,
    pub(super) platform: Option<Platform>,
    pub(super) attempts: u32,
    pub(super) passed: u32,
    /// At recipients that do not exist.
    pub(super) unknown: u32,
}

/// Since 1970; no stamp that is read lies outside of it.
pub(super) fn minute_of(second: i64) -> i32 {
    second.div_euclid(60) as i32
}
