//! Arguments and config -> the engine's options.

use std::fs;
use std::path::Path;

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, ZonedDateTime};

use crate::aggregate::{Filter, Patterns};
use crate::attribute::SourceMap;
use crate::cli::ReadArgs;
use crate::config::Config;
use crate::detect::Settings;
use crate::engine::{Options, Prefilter};
use crate::microsoft::{Class, Platform};
use crate::record::{self, Outcome, Zone};

use super::output::Failure;
use super::rules;

/// What a reading command needs.
pub fn options(args: &ReadArgs, config: &Config, follow: bool) -> Result<Options, Failure> {
    let zone = args.timezone.as_deref().map(zone).transpose()?;
    let local = match &zone {
        Some(Zone::Named(zone)) => zone.clone(),
        Some(Zone::Fixed(seconds)) => {
            TimeZone::fixed(jiff::tz::Offset::from_seconds(*seconds).unwrap_or(jiff::tz::Offset::UTC))
        }
        None => TimeZone::system(),
    };
    let now = Timestamp::now();
    let time = |text: &Option<String>| {
        text.as_deref().map(|t| moment(t, &now.to_zoned_datetime(local.clone()))).transpose()
    };
    let filter = Filter {
        since: time(&args.since)?.map(Timestamp::as_second),
        until: time(&args.until)?.map(Timestamp::as_second),
        source: patterns(&args.source)?,
        domain: patterns(&args.domain)?,
        sender_domain: patterns(&args.sender_domain)?,
        datacenter: patterns(&args.datacenter)?,
        platform: patterns_of("--platform", &args.platform, &Platform::ALL.map(Platform::name))?,
        reply: patterns(&args.reply)?,
        class: patterns_of("--class", &args.class, &Class::ALL.map(Class::name))?,
        outcome: patterns_of("--outcome", &args.outcome, &Outcome::ALL.map(Outcome::name))?,
    };
    let default = Settings::default();
    let knobs = &config.detect;
    let detect = Settings {
        alpha: knobs.false_alarms_a_day.unwrap_or(default.alpha),
        smallest_share: knobs.smallest_share.unwrap_or(default.smallest_share),
        clear_after: knobs.clear_after_minutes.map_or(default.clear_after, |m| (m * 60.0) as i64),
        ..default
    };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Options {
        mta: args.mta.as_deref().map(format).transpose()?,
        source_map: source_map(args.source_map.as_deref(), config)?,
        zone,
        year: args.year,
        threads: args.threads.map_or(processors, std::num::NonZero::get),
        mmap: args.mmap,
        filter,
        detect,
        now: now.as_second(),
        follow,
        prefilter: if args.no_prefilter { Prefilter::Off } else { Prefilter::Deliveries },
        ..Options::of(args.paths.clone())
    })
}

/// The config of a reading command; the user's own replies are put to use.
pub fn config(args: &ReadArgs) -> Result<Config, Failure> {
    load(args.config.as_deref(), args.rules.as_deref())
}

/// The config, with its errors as the user should see them; the user's own replies are put to use.
pub fn load(config: Option<&Path>, own_replies: Option<&Path>) -> Result<Config, Failure> {
    let config = Config::load(config)
        .map_err(|(path, error)| Failure::Usage(format!("{}: {error}", path.display())))?;
    rules::activate(own_replies, &config)?;
    Ok(config)
}

fn patterns(list: &[String]) -> Result<Patterns, Failure> {
    let mut patterns = Patterns::default();
    for text in list {
        patterns.add(text).map_err(|e| Failure::Usage(e.to_string()))?;
    }
    Ok(patterns)
}

/// Patterns for one of a few words: one that fits none of them is a slip of the keyboard, and would find nothing.
fn patterns_of(option: &str, list: &[String], words: &[&str]) -> Result<Patterns, Failure> {
    for text in list {
        let one = patterns(&[text.trim_start_matches('!').to_owned()])?;
        if !words.iter().any(|word| one.matches([*word].into_iter())) {
            let text = crate::text::escape_controls(text.as_bytes());
            return Err(Failure::Usage(format!(
                "{option} {text}: no such word (one of {})",
                words.join(", ")
            )));
        }
    }
    patterns(list)
}

fn format(name: &str) -> Result<String, Failure> {
    if name == "list" {
        // A format may be there several times, for the ways in which its lines may be mixed with others.
        let lines: std::collections::BTreeSet<String> =
            record::formats().iter().map(|f| format!("{:<10} {}\n", f.name(), f.sample())).collect();
        let lines = lines.into_iter();
        return Err(Failure::Listing(lines.collect()));
    }
    record::by_name(name).map(|format| format.name().to_owned()).ok_or_else(|| {
        let known: std::collections::BTreeSet<&str> = record::formats().iter().map(|f| f.name()).collect();
        let known: Vec<&str> = known.into_iter().collect();
        Failure::Usage(format!("--mta {name}: no such format (known: {})", known.join(", ")))
    })
}

fn source_map(file: Option<&Path>, config: &Config) -> Result<SourceMap, Failure> {
    let mut map = match file {
        None => SourceMap::default(),
        Some(path) => {
            let text = fs::read_to_string(path)
                .map_err(|source| Failure::File { path: path.display().to_string(), source })?;
            SourceMap::parse(&text).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?
        }
    };
    for (key, ip) in &config.sources {
        let (host, name) = match key.split_whitespace().collect::<Vec<_>>()[..] {
            [name] => (None, name),
            [host, name] => (Some(host), name),
            _ => {
                let text = format!("[sources]: {key:?} is neither a name nor a host and a name");
                return Err(Failure::Usage(text));
            }
        };
        // The file that was named for this run beats the config.
        if !map.has(host, name) {
            map.insert(host, name, *ip);
        }
    }
    Ok(map)
}

/// An IANA name, `UTC`, or an offset: `+02:00`, `-0530`.
fn zone(text: &str) -> Result<Zone, Failure> {
    let bad = || {
        Failure::Usage(format!("--timezone {text}: no such zone (a name as Europe/Berlin, UTC, or +02:00)"))
    };
    if let Some(sign) = text.chars().next().filter(|c| matches!(c, '+' | '-')) {
        let digits: String = text[1..].chars().filter(char::is_ascii_digit).collect();
        let (hours, minutes) = match digits.len() {
            1 | 2 => (digits.as_str(), "0"),
            4 => digits.split_at(2),
            _ => return Err(bad()),
        };
        let hours: i32 = hours.parse().map_err(|_| bad())?;
        let minutes: i32 = minutes.parse().map_err(|_| bad())?;
        if hours > 15 || minutes > 59 {
            return Err(bad());
        }
        let seconds = hours * 3600 + minutes * 60;
        return Ok(Zone::Fixed(if sign == '-' { -seconds } else { seconds }));
    }
    match text {
        "UTC" | "utc" | "Z" => Ok(Zone::Fixed(0)),
        _ => TimeZone::get(text).map(Zone::Named).map_err(|_| bad()),
    }
}

/// A moment as people type it.
pub fn moment(text: &str, now: &ZonedDateTime) -> Result<Timestamp, Failure> {
    let bad = || {
        Failure::Usage(format!(
            "`{text}` is no time (2026-05-10T13:00:00Z, `2026-05-10 13:00`, 14:30, 2h, 3d, today, yesterday)"
        ))
    };
    let zone = now.time_zone();
    let at = |datetime: civil::DateTime| datetime.to_zoned_datetime(zone.clone()).map(|z| z.timestamp());
    let today = now.date();
    let found = match text {
        "now" => return Ok(now.timestamp()),
        "today" => at(today.at(0, 0, 0, 0)),
        "yesterday" => today.yesterday().and_then(|d| at(d.at(0, 0, 0, 0))),
        _ => {
            if let Some(ago) = ago(text.trim_start_matches('-')) {
                return now.timestamp().checked_sub(ago).map_err(|_| bad());
            }
            if let Ok(timestamp) = text.parse::<Timestamp>() {
                return Ok(timestamp);
            }
            if let Ok(datetime) = text.parse::<civil::DateTime>() {
                at(datetime)
            } else if let Ok(date) = text.parse::<civil::Date>() {
                at(date.at(0, 0, 0, 0))
            } else if let Ok(time) = text.parse::<civil::Time>() {
                let when = today.to_datetime(time);
                let datetime = if when > now.datetime() { when.checked_sub(1.day()) } else { Ok(when) };
                datetime.and_then(at)
            } else {
                return Err(bad());
            }
        }
    };
    found.map_err(|_| bad())
}

/// `90s`, `15m`, `2h`, `3d`, `1w`.
fn ago(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    Some(SignedDuration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_type_them() {
        let now: ZonedDateTime = "2026-05-13T14:32:10+02:00[Europe/Berlin]".parse().expect("a time");
        let utc = |text: &str| moment(text, &now).map(|t| t.to_string()).unwrap_or_else(|e| e.to_string());
        assert_eq!(utc("2026-05-10T13:00:00Z"), "2026-05-10T13:00:00Z");
        assert_eq!(utc("2026-05-10 13:00"), "2026-05-10T11:00:00Z");
        assert_eq!(utc("2026-05-10"), "2026-05-09T22:00:00Z");
        assert_eq!(utc("2h"), "2026-05-13T10:32:10Z");
        assert_eq!(utc("-15m"), "2026-05-13T12:17:10Z");
        assert_eq!(utc("today"), "2026-05-12T22:00:00Z");
        assert_eq!(utc("yesterday"), "2026-05-11T22:00:00Z");
        assert_eq!(utc("14:30"), "2026-05-13T12:30:00Z");
        assert_eq!(utc("23:00"), "2026-05-12T21:00:00Z", "not yet today: yesterday's");
        assert!(utc("tomorrow-ish").contains("is no time"));
    }
}
