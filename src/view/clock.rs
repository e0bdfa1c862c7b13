//! Times for the eye: local, and durations beside them.

use jiff::{Timestamp, ZonedDateTime, tz::TimeZone};

use crate::record::Time;

/// The zone in which the screen tells times.
#[derive(Clone, Debug)]
pub struct Clock {
    pub zone: TimeZone,
}

impl Clock {
    pub fn at(&self, seconds: i64) -> ZonedDateTime {
        Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned_datetime(self.zone.clone())
    }

    /// `09:41:07`.
    pub fn time(&self, time: Time) -> String {
        self.at(time.seconds).strftime("%H:%M:%S").to_string()
    }

    /// `09:41`.
    pub fn minute(&self, seconds: i64) -> String {
        self.at(seconds).strftime("%H:%M").to_string()
    }

    /// `13 May`.
    pub fn day(&self, seconds: i64) -> String {
        self.at(seconds).strftime("%-d %b").to_string()
    }

    /// `13 May 09:41:07`.
    pub fn full(&self, time: Time) -> String {
        self.at(time.seconds).strftime("%-d %b %H:%M:%S").to_string()
    }

    /// `+02:00`.
    pub fn offset(&self, seconds: i64) -> String {
        self.at(seconds).strftime("%:z").to_string()
    }

    /// `13 May 00:00 to 14:32`, with the second day and the years where they are others.
    pub fn range(&self, first: i64, last: i64) -> String {
        let (a, b) = (self.at(first), self.at(last));
        let from = if a.year() == b.year() { "%-d %b %H:%M" } else { "%-d %b %Y %H:%M" };
        let to = if a.date() == b.date() { "%H:%M" } else { from };
        format!("{} to {}", a.strftime(from), b.strftime(to))
    }

    /// `09:41:07`, with the day where it is not that of `now`.
    pub fn relative(&self, time: Time, now: i64) -> String {
        if self.at(time.seconds).date() == self.at(now).date() { self.time(time) } else { self.full(time) }
    }

    /// The same to the minute.
    pub fn relative_minute(&self, time: Time, now: i64) -> String {
        let format =
            if self.at(time.seconds).date() == self.at(now).date() { "%H:%M" } else { "%-d %b %H:%M" };
        self.at(time.seconds).strftime(format).to_string()
    }
}

/// `4 h 51 m`, two units at most.
pub(super) fn duration(seconds: i64) -> String {
    let s = seconds.max(0);
    let (d, h, m) = (s / 86_400, s / 3600 % 24, s / 60 % 60);
    match s {
        0..60 => format!("{s} s"),
        60..600 if s % 60 != 0 => format!("{m} m {} s", s % 60),
        60..3600 => format!("{m} m"),
        3600..86_400 if m == 0 => format!("{h} h"),
        3600..86_400 => format!("{h} h {m} m"),
        _ if h == 0 => format!("{d} d"),
        _ => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let all = [(5, "5 s"), (90, "1 m 30 s"), (1800, "30 m"), (17_460, "4 h 51 m"), (180_000, "2 d 2 h")];
        for (seconds, text) in all {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn ranges() {
        let clock = Clock { zone: TimeZone::UTC };
        assert_eq!(clock.range(0, 3600), "1 Jan 00:00 to 01:00");
        assert_eq!(clock.range(0, 90_000), "1 Jan 00:00 to 2 Jan 01:00");
    }
}
