//! Time stamps of all kinds -> UTC.
//!
//! [`parse`] reads one stamp and knows nothing of zones; a [`Stamper`] makes UTC of it. It keeps the minute it saw
//! last, since the next line is nearly always of the same one, and the year for stamps that have none.

use jiff::civil;
use jiff::tz::TimeZone;

use super::Time;
use crate::memo::Memo;

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
const HALF_YEAR: i64 = 183 * DAY;
/// Reading forward, a stamp without a year that lies so far before the last one is of the next year: the log was silent
/// until then. Lines that come late are late by less. Seconds.
pub const SILENCE: i64 = 40 * DAY;

/// The zone of stamps that do not name one.
#[derive(Clone, Debug)]
pub enum Zone {
    /// Seconds east of Greenwich.
    Fixed(i32),
    /// A zone with its daylight saving rules.
    Named(TimeZone),
}

/// What an input's stamps leave out: plain data, one an input (or one a stretch of it).
#[derive(Clone, Debug)]
pub struct Clock {
    /// For stamps without a zone.
    pub zone: Zone,
    /// For stamps without a year: the year of the line at the place where reading begins.
    pub year: i64,
}

/// A stamp as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Naive {
    /// `None` for BSD stamps (`May  2 03:04:05`).
    pub year: Option<i64>,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31; of a stamp without a year, the 29th of February is a day.
    pub day: u32,
    /// 0 to 86,400 (a leap second is the next minute's first).
    pub second_of_day: u32,
    /// Where there is a fraction; finer digits are cut.
    pub millis: Option<u16>,
    /// Seconds east of Greenwich, where the stamp has a zone.
    pub offset: Option<i32>,
}

impl Naive {
    /// Seconds from 1970 to this date and time as if both were UTC, with `year` where the stamp has none.
    pub fn seconds(&self, year: i64) -> i64 {
        days_from_civil(self.year.unwrap_or(year), self.month, self.day) * DAY + i64::from(self.second_of_day)
    }

    /// Whether that year has this day.
    pub fn exists_in(&self, year: i64) -> bool {
        let year = self.year.unwrap_or(year);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match self.month {
            2 => 28 + u32::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (1..=days).contains(&self.day)
    }

    /// A moment that is told in UTC.
    pub(crate) fn utc(seconds: i64, millis: Option<u16>) -> Self {
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
        let second_of_day = seconds.rem_euclid(DAY) as u32;
        Self { year: Some(year), month, day, second_of_day, millis, offset: Some(0) }
    }
}

/// The time of the last stamp by its text: many lines are of the same second as the one before.
pub(crate) type LastTime = Memo<Option<Time>, 5, 1>;

/// Turns stamps into UTC, reading forward through one input.
#[derive(Clone, Debug)]
pub struct Stamper {
    zone: Zone,
    year: i64,
    /// The last stamp without a year, as if UTC.
    last: Option<i64>,
    minute: Minute,
}

/// The last minute and the bytes that it was read from.
#[derive(Clone, Debug, Default)]
struct Minute {
    key: [u8; ISO],
    len: usize,
    /// As if UTC, without the seconds.
    naive: i64,
    /// In UTC, for stamps without an offset.
    utc: i64,
}

/// Bytes of a stamp before its seconds: `May 12 08:11:` and `2026-05-12T08:12:`.
const BSD: usize = 13;
const ISO: usize = 17;

impl Minute {
    /// Whether a line, which goes on behind it, begins with it. Lengths that the compiler knows make a few comparisons of this.
    #[inline]
    fn begins(&self, line: &[u8]) -> bool {
        line.len() > self.len + 1
            && match self.len {
                BSD => line.first_chunk::<BSD>() == self.key.first_chunk(),
                ISO => line.first_chunk() == Some(&self.key),
                _ => false,
            }
    }
}

impl Stamper {
    /// Begins where the clock says.
    pub fn new(clock: &Clock) -> Self {
        Self { zone: clock.zone.clone(), year: clock.year, last: None, minute: Minute::default() }
    }

    /// Reads the stamp at the start of `line`: the time, whether the stamp told its zone, and its length.
    pub fn read(&mut self, line: &[u8]) -> Option<(Time, bool, usize)> {
        if self.minute.begins(line) {
            return self.same_minute(line);
        }
        let (naive, end) = parse(line)?;
        let time = self.time(&naive);
        // Counted seconds have no such part.
        self.minute.len = 0;
        let len = if naive.year.is_none() { BSD } else { ISO };
        if naive.year.is_none() || line[4] == b'-' {
            let second = i64::from(naive.second_of_day % 60);
            self.minute.key[..len].copy_from_slice(&line[..len]);
            self.minute.naive = naive.seconds(self.year) - second;
            self.minute.utc = match naive.offset {
                None => time.seconds - second,
                Some(_) => self.to_utc(self.minute.naive),
            };
            // A leap second counts as the next minute: not worth a key.
            self.minute.len = if two_digits(line, len) == Some(second as u32) { len } else { 0 };
        }
        Some((time, naive.offset.is_some(), end))
    }

    /// The same, where the stamp is of the minute that was read last.
    #[inline]
    pub fn same_minute(&self, line: &[u8]) -> Option<(Time, bool, usize)> {
        let len = self.minute.len;
        if !self.minute.begins(line) {
            return None;
        }
        let second = two_digits(line, len)?;
        if second > 60 {
            return None;
        }
        let (millis, offset, end) = match line.get(len + 2) {
            // Neither fraction nor zone.
            Some(b' ') if !matches!(line.get(len + 3), Some(b'+' | b'-')) => (None, None, len + 2),
            _ => tail(line, len + 2),
        };
        let base = offset.map_or(self.minute.utc, |offset| self.minute.naive - i64::from(offset));
        Some((Time { seconds: base + i64::from(second), millis }, offset.is_some(), end))
    }

    /// The UTC time of a parsed stamp; the year moves with stamps that have none.
    pub fn time(&mut self, naive: &Naive) -> Time {
        if naive.year.is_none() {
            self.follow_year(naive);
        }
        let seconds = naive.seconds(self.year);
        let seconds = match naive.offset {
            Some(offset) => seconds - i64::from(offset),
            None => self.to_utc(seconds),
        };
        Time { seconds, millis: naive.millis }
    }

    /// Reading forward, December is followed by the next year's January. Lines of several processes may interleave:
    /// from the first days of a year back to the last ones is a step back, not a silence of a year.
    fn follow_year(&mut self, naive: &Naive) {
        let mut now = naive.seconds(self.year);
        if let Some(last) = self.last {
            if now - last < -SILENCE {
                self.year += 1;
            } else if now - last > HALF_YEAR {
                let new_year = days_from_civil(self.year, 1, 1) * DAY;
                let next_new_year = days_from_civil(self.year + 1, 1, 1) * DAY;
                if last < new_year + WEEK && now >= next_new_year - WEEK {
                    self.year -= 1;
                }
            }
            now = naive.seconds(self.year);
        }
        self.last = Some(now);
    }

    fn to_utc(&self, naive: i64) -> i64 {
        match &self.zone {
            Zone::Fixed(east) => naive - i64::from(*east),
            Zone::Named(zone) => named_to_utc(zone, naive).unwrap_or(naive),
        }
    }
}

/// A local time that daylight saving makes ambiguous or skips is resolved as RFC 5545 has it (jiff's "compatible").
/// `None` outside the years that jiff knows.
fn named_to_utc(zone: &TimeZone, naive: i64) -> Option<i64> {
    let (year, month, day) = civil_from_days(naive.div_euclid(DAY));
    let second = naive.rem_euclid(DAY) as i32;
    let local = civil::DateTime::new(
        i16::try_from(year).ok()?,
        month as i8,
        day as i8,
        (second / 3600) as i8,
        (second / 60 % 60) as i8,
        (second % 60) as i8,
        0,
    );
    Some(zone.to_ambiguous_timestamp(local.ok()?).compatible().ok()?.as_second())
}

/// Reads the stamp at the start of `text`, of whatever kind; also gives its length.
///
/// BSD (`May  2 03:04:05`), RFC 3339 and its looser kin (`2026-05-12 08:30:01.482 +0200`), Unix seconds, TAI64N.
pub fn parse(text: &[u8]) -> Option<(Naive, usize)> {
    match text.first()? {
        b'@' => tai64n(text),
        b'A'..=b'Z' => bsd(text),
        b'0'..=b'9' if text.get(4) == Some(&b'-') => iso(text),
        b'0'..=b'9' => unix(text),
        _ => None,
    }
}

/// The same, of a text that is nothing else.
pub(crate) fn whole(text: &[u8]) -> Option<Naive> {
    let (naive, end) = parse(text)?;
    (end == text.len()).then_some(naive)
}

/// `May  2 03:04:05`, `May 02 03:04:05`.
fn bsd(text: &[u8]) -> Option<(Naive, usize)> {
    if text.len() < 15 || text[3] != b' ' || text[6] != b' ' {
        return None;
    }
    let month = month(&text[..3])?;
    let day = match text[4] {
        b' ' => digit(text[5])?,
        _ => two_digits(text, 4)?,
    };
    let second_of_day = clock_time(text, 7)?;
    let (millis, offset, end) = tail(text, 15);
    checked(Naive { year: None, month, day, second_of_day, millis, offset }, end)
}

/// `2026-05-12T08:12:03`, with `T` or a blank, then fraction and zone.
fn iso(text: &[u8]) -> Option<(Naive, usize)> {
    if text.len() < 19 || text[7] != b'-' || !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    let year = i64::from(two_digits(text, 0)? * 100 + two_digits(text, 2)?);
    let month = two_digits(text, 5)?;
    let day = two_digits(text, 8)?;
    let second_of_day = clock_time(text, 11)?;
    let (millis, offset, end) = tail(text, 19);
    checked(Naive { year: Some(year), month, day, second_of_day, millis, offset }, end)
}

fn checked(naive: Naive, end: usize) -> Option<(Naive, usize)> {
    // Of a year that is not told, it may be a leap one.
    let fits = (1..=12).contains(&naive.month) && naive.exists_in(naive.year.unwrap_or(2000));
    fits.then_some((naive, end))
}

/// `Tue, 12 May 2026 10:00:00 +0200 (CEST)`: RFC 5322's date, with what mailers leave out (weekday, seconds, zone) or
/// write as of old (two digits of the year, zones by name). A zone that is not known counts as UTC, as the RFC has it.
pub(crate) fn rfc5322(text: &[u8]) -> Option<Naive> {
    let text = text.trim_ascii();
    let text = match text.iter().take(12).position(|byte| *byte == b',') {
        Some(comma) => &text[comma + 1..],
        None if text.first().is_some_and(u8::is_ascii_alphabetic) => text.get(3..)?,
        None => text,
    };
    let mut words = text.split(|byte| matches!(byte, b' ' | b'\t' | b'-')).filter(|word| !word.is_empty());
    let number = |word: &[u8]| std::str::from_utf8(word).ok()?.parse::<u32>().ok();
    let day = number(words.next()?)?;
    let mut name: Vec<u8> = words.next()?.get(..3)?.to_ascii_lowercase();
    name[0].make_ascii_uppercase();
    let month = month(&name)?;
    let year = words.next()?;
    let year = match (year.len(), i64::from(number(year)?)) {
        (2, year) => year + if year < 50 { 2000 } else { 1900 },
        (_, year) => year,
    };
    let time = words.next()?;
    let mut clock = time.split(|byte| *byte == b':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next().unwrap_or(Some(0))?);
    if hour > 23 || minute > 59 || second > 60 || year > 9999 {
        return None;
    }
    // Where the words are split at a sign, the zone is not.
    let behind = memchr::memrchr(b':', text)? + 3;
    let offset = zone(text.get(behind..).unwrap_or_default().trim_ascii_start());
    let second_of_day = hour * 3600 + minute * 60 + second;
    let naive = Naive { year: Some(year), month, day, second_of_day, millis: None, offset: Some(offset) };
    checked(naive, 0).map(|(naive, _)| naive)
}

/// Seconds east of Greenwich.
fn zone(text: &[u8]) -> i32 {
    if matches!(text.first(), Some(b'+' | b'-')) {
        return offset(text, 0).map_or(0, |(offset, _)| offset);
    }
    let name = &text[..text.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(text.len())];
    let hours = match name.to_ascii_uppercase().as_slice() {
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        _ => 0,
    };
    hours * 3600
}

/// `1778571001`, `1778571001.12`.
fn unix(text: &[u8]) -> Option<(Naive, usize)> {
    let digits = text.iter().take(12).take_while(|byte| byte.is_ascii_digit()).count();
    if !(9..=11).contains(&digits) {
        return None;
    }
    let seconds = text[..digits].iter().fold(0, |number, byte| number * 10 + i64::from(byte - b'0'));
    let (millis, end) = fraction(text, digits);
    Some((Naive::utc(seconds, millis), end))
}

/// `@` and 24 hexadecimal digits: 2^62 + 10 + Unix seconds, then nanoseconds.
fn tai64n(text: &[u8]) -> Option<(Naive, usize)> {
    let hex = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0u64, |number, &byte| Some(number << 4 | u64::from(char::from(byte).to_digit(16)?)))
    };
    let seconds = hex(text.get(1..17)?)?;
    let nanos = hex(text.get(17..25)?)?;
    let seconds = i64::try_from(seconds).ok()?.checked_sub((1 << 62) + 10)?;
    if !(0..=253_402_300_799).contains(&seconds) {
        return None;
    }
    let millis = u16::try_from(nanos / 1_000_000).ok().filter(|millis| *millis < 1000)?;
    Some((Naive::utc(seconds, Some(millis)), 25))
}

/// What may follow the seconds: a fraction and a zone. Gives both and where they end.
#[inline]
fn tail(text: &[u8], at: usize) -> (Option<u16>, Option<i32>, usize) {
    let (millis, at) = fraction(text, at);
    match text.get(at) {
        Some(b'Z' | b'z') => (millis, Some(0), at + 1),
        Some(b'+' | b'-') => match offset(text, at) {
            Some((offset, end)) => (millis, Some(offset), end),
            None => (millis, None, at),
        },
        // Exim's `log_timezone`: ` +0200`.
        Some(b' ') if matches!(text.get(at + 1), Some(b'+' | b'-')) => match offset(text, at + 1) {
            Some((offset, end)) => (millis, Some(offset), end),
            None => (millis, None, at),
        },
        _ => (millis, None, at),
    }
}

#[inline]
fn fraction(text: &[u8], at: usize) -> (Option<u16>, usize) {
    if !matches!(text.get(at), Some(b'.' | b',')) || !text.get(at + 1).is_some_and(u8::is_ascii_digit) {
        return (None, at);
    }
    let mut millis = 0;
    let mut end = at + 1;
    while let Some(byte) = text.get(end).filter(|byte| byte.is_ascii_digit()) {
        if end < at + 4 {
            millis = millis * 10 + u16::from(byte - b'0');
        }
        end += 1;
    }
    for _ in end..at + 4 {
        millis *= 10;
    }
    (Some(millis), end)
}

/// `+02:00`, `+0200`, `+02`, and not the start of something longer.
fn offset(text: &[u8], at: usize) -> Option<(i32, usize)> {
    let hours = two_digits(text, at + 1)?;
    let (minutes, end) = if text.get(at + 3) == Some(&b':') {
        (two_digits(text, at + 4)?, at + 6)
    } else {
        match two_digits(text, at + 3) {
            Some(minutes) => (minutes, at + 5),
            None => (0, at + 3),
        }
    };
    if hours > 23 || minutes > 59 || text.get(end).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let east = (hours * 3600 + minutes * 60) as i32;
    Some((if text[at] == b'-' { -east } else { east }, end))
}

/// `hh:mm:ss` as the second of the day.
fn clock_time(text: &[u8], at: usize) -> Option<u32> {
    if text.get(at + 2) != Some(&b':') || text.get(at + 5) != Some(&b':') {
        return None;
    }
    let (hour, minute, second) =
        (two_digits(text, at)?, two_digits(text, at + 3)?, two_digits(text, at + 6)?);
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

/// The number of an English month's first three letters.
pub(crate) fn month(name: &[u8]) -> Option<u32> {
    Some(match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

#[inline]
fn digit(byte: u8) -> Option<u32> {
    byte.is_ascii_digit().then(|| u32::from(byte - b'0'))
}

#[inline]
fn two_digits(text: &[u8], at: usize) -> Option<u32> {
    Some(digit(*text.get(at)?)? * 10 + digit(*text.get(at + 1)?)?)
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar (after H. Hinnant's public-domain algorithm).
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The reverse of [`days_from_civil`]: year, month, day.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u32, day as u32)
}

#[cfg(test)]
mod tests;
