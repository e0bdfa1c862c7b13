//! What is typed into the prompts: filters and times.

use jiff::civil::{Date, DateTime, Time as CivilTime};
use jiff::{Timestamp, ToSpan as _, ZonedDateTime};

use super::clock::Clock;
use super::state::{Crumb, Field};
use crate::aggregate::Patterns;

/// A filter as typed: what becomes breadcrumbs, and the words that stay with the table in view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub crumbs: Vec<Crumb>,
    pub words: String,
}

/// Splits `source:192.0.2.* !domain:live.com hotmail` into crumbs and words.
pub(super) fn filter(text: &str) -> Result<Query, String> {
    let mut query = Query::default();
    for token in text.split_whitespace() {
        let (negated, body) = match token.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, token),
        };
        let Some((name, values)) = body.split_once(':').filter(|(n, _)| is_word(n)) else {
            if !query.words.is_empty() {
                query.words.push(' ');
            }
            query.words.push_str(token);
            continue;
        };
        let field = Field::parse(name).ok_or_else(|| {
            format!("no field `{name}`: source domain sender dc platform reply class outcome")
        })?;
        let mut patterns = Vec::new();
        for value in values.split(',').filter(|v| !v.is_empty()) {
            let pattern =
                if negated && !value.starts_with('!') { format!("!{value}") } else { value.to_owned() };
            Patterns::default().add(&pattern).map_err(|e| e.to_string())?;
            patterns.push(pattern);
        }
        if !patterns.is_empty() {
            query.crumbs.push(Crumb::Pick { field, label: patterns.join(", "), patterns });
        }
    }
    Ok(query)
}

/// A name before a colon, not the start of an IPv6 address.
fn is_word(text: &str) -> bool {
    text.len() > 1 && text.chars().all(|c| c.is_ascii_alphabetic() || c == '-' || c == '_') && text != "fe"
}

/// The words of a table's filter: every one must be in the name (or match it as a glob), none with `!` may.
#[derive(Clone, Debug, Default)]
pub(super) struct Words(Vec<Patterns>);

impl Words {
    pub(super) fn new(text: &str) -> Self {
        let word = |token: &str| {
            let (negated, body) = match token.strip_prefix('!') {
                Some(rest) => ("!", rest),
                None => ("", token),
            };
            let glob = if body.contains(['*', '?', '[']) {
                body.to_owned()
            } else {
                format!("*{}*", crate::aggregate::literal(body))
            };
            let mut patterns = Patterns::default();
            patterns.add(&format!("{negated}{glob}")).ok()?;
            Some(patterns)
        };
        Self(text.split_whitespace().filter(|t| *t != "!").filter_map(word).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.0.iter().all(|p| p.matches(std::iter::once(name)))
    }
}

/// From and until in Unix seconds, each inclusive and open where missing.
pub(super) type Span = (Option<i64>, Option<i64>);

/// Reads a time range: `14:30`, `-2h`, `yesterday`, `09:00 to 10:30`, `2026-05-10`, `2026-05-10 13:00`. Relative ones
/// count back from `now`, the newest line.
pub(super) fn span(text: &str, now: i64, clock: &Clock) -> Result<Span, String> {
    let text = text.trim();
    if text.is_empty() || text == "all" {
        return Ok((None, None));
    }
    for separator in [" to ", "..", " until ", " - ", "–"] {
        if let Some((a, b)) = text.split_once(separator) {
            let (from, until) = (moment(a.trim(), now, clock)?, moment(b.trim(), now, clock)?);
            return Ok((from.map(|m| m.0), until.map(|m| m.1)));
        }
    }
    if let Some((a, b)) = text.split_once('-').filter(|(a, b)| a.contains(':') && b.contains(':'))
        && !a.contains('T')
        && !b.contains('-')
    {
        let (from, until) = (moment(a.trim(), now, clock)?, moment(b.trim(), now, clock)?);
        return Ok((from.map(|m| m.0), until.map(|m| m.1)));
    }
    let is_day = text == "yesterday" || text.parse::<Date>().is_ok() && !text.contains(':');
    Ok(match moment(text, now, clock)? {
        Some((from, until)) if is_day => (Some(from), Some(until)),
        Some((from, _)) => (Some(from), None),
        None => (None, None),
    })
}

/// First and last second of what is named.
fn moment(text: &str, now: i64, clock: &Clock) -> Result<Option<(i64, i64)>, String> {
    let unknown = || format!("`{text}` is no time: try 14:30, -2h, yesterday, 2026-05-10 13:00");
    if text.is_empty() {
        return Ok(None);
    }
    let here = clock.at(now);
    let zoned = |datetime: DateTime| datetime.to_zoned_datetime(clock.zone.clone()).map_err(|_| unknown());
    let day = |date: Date| -> Result<_, String> {
        let next = date.tomorrow().map_err(|_| unknown())?;
        Ok(Some((seconds(&zoned(date.into())?), seconds(&zoned(next.into())?) - 1)))
    };
    match text {
        "now" => return Ok(Some((now, now))),
        "today" => return day(here.date()),
        "yesterday" => return day(here.date().yesterday().map_err(|_| unknown())?),
        _ => {}
    }
    if let Some(back) = relative(text) {
        return Ok(Some((now - back, now - back)));
    }
    let minute =
        |m: ZonedDateTime, exact: bool| Some((seconds(&m), seconds(&m) + if exact { 0 } else { 59 }));
    let exact = text.matches(':').count() > 1;
    if text.contains(':')
        && !text.contains(['-', ' ', 'T'])
        && let Ok(time) = text.parse::<CivilTime>()
    {
        let mut at = zoned(here.date().to_datetime(time))?;
        if seconds(&at) > now {
            at = at.checked_sub(1.day()).map_err(|_| unknown())?;
        }
        return Ok(minute(at, exact));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Some((time.as_second(), time.as_second())));
    }
    if text.contains(':')
        && let Ok(datetime) = text.parse::<DateTime>()
    {
        return Ok(minute(zoned(datetime)?, exact));
    }
    text.parse::<Date>().map_err(|_| unknown()).and_then(day)
}

/// Seconds of `-2h`, `3d`, `90 m`.
fn relative(text: &str) -> Option<i64> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: i64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    number.checked_mul(unit)
}

fn seconds(zoned: &ZonedDateTime) -> i64 {
    zoned.timestamp().as_second()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn filters() {
        let query = filter("source:192.0.2.* !dc:nam10,eur01 hot !live").expect("good");
        assert_eq!(query.words, "hot !live");
        let patterns: Vec<_> = query
            .crumbs
            .iter()
            .map(|c| match c {
                Crumb::Pick { field, patterns, .. } => (*field, patterns.join(",")),
                Crumb::Span { .. } => unreachable!(),
            })
            .collect();
        assert_eq!(
            patterns,
            [(Field::Source, "192.0.2.*".to_owned()), (Field::Datacenter, "!nam10,!eur01".to_owned())]
        );
        assert!(filter("colour:red").is_err());
        assert_eq!(filter("2001:db8::1").expect("an address").words, "2001:db8::1");
        let words = Words::new("hot !uk h*.com");
        assert!(words.matches("Hotmail.com"));
        assert!(!words.matches("hotmail.co.uk"));
    }

    #[test]
    fn times() {
        let clock = Clock { zone: TimeZone::UTC };
        // 2026-05-13T14:32:00Z
        let now = 1_778_682_720;
        let midnight = now - now % 86_400;
        let at = |h: i64, m: i64| midnight + h * 3600 + m * 60;
        assert_eq!(span("14:30", now, &clock), Ok((Some(at(14, 30)), None)));
        assert_eq!(span("15:00", now, &clock), Ok((Some(at(15, 0) - 86_400), None)));
        assert_eq!(span("-2h", now, &clock), Ok((Some(now - 7200), None)));
        assert_eq!(span("yesterday", now, &clock), Ok((Some(midnight - 86_400), Some(midnight - 1))));
        assert_eq!(span("09:00 to 10:30", now, &clock), Ok((Some(at(9, 0)), Some(at(10, 30) + 59))));
        assert_eq!(span("09:00-10:30", now, &clock), Ok((Some(at(9, 0)), Some(at(10, 30) + 59))));
        assert_eq!(span("2026-05-13 09:00", now, &clock), Ok((Some(at(9, 0)), None)));
        assert_eq!(span("2026-05-13", now, &clock), Ok((Some(midnight), Some(midnight + 86_399))));
        assert_eq!(span("", now, &clock), Ok((None, None)));
        assert!(span("soon", now, &clock).is_err());
    }
}
