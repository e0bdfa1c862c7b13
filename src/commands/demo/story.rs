//! The story itself: a Postfix log of three days, the same for the same midnight.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use serde::Deserialize;

use crate::view::{Guide, Tip};

/// Seconds between two messages to Microsoft at the busiest hour.
const PAUSE_S: f64 = 14.0;

/// `story.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    times: Times,
    source: Vec<Source>,
    recipient: Vec<Recipient>,
    datacenter: Vec<Datacenter>,
    replies: Replies,
    caption: Vec<Caption>,
    lesson: Vec<Lesson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    watched: Moment,
    mailing: Moment,
    mailed: Moment,
    blocked: Moment,
    everywhere: Moment,
    held: Moment,
    test: Moment,
    free: Moment,
    end: Moment,
}

/// Seconds since the story's first midnight.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Moment(i64);

impl TryFrom<String> for Moment {
    type Error = String;

    /// Reads `DAY HH:MM`.
    fn try_from(text: String) -> Result<Self, String> {
        let part = |range: std::ops::Range<usize>| text.get(range).and_then(|p| p.parse::<i64>().ok());
        match (part(0..1), part(2..4), part(5..7)) {
            (Some(day), Some(hour), Some(minute)) => Ok(Self((day - 1) * 86_400 + hour * 3600 + minute * 60)),
            _ => Err(format!("{text}: no DAY HH:MM")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    ip: String,
    weight: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipient {
    domain: String,
    mx: String,
    #[serde(default)]
    consumer: bool,
    weight: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Datacenter {
    forest: String,
    site: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replies {
    accepted: String,
    blocked: String,
    no_mailbox: String,
    no_recipient: String,
}

/// What happens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Caption {
    at: Moment,
    text: String,
}

/// What to try.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lesson {
    from: Moment,
    text: String,
    /// Names of actions.
    does: Vec<String>,
}

/// A log that is still to be written, and what is said beside it.
pub struct Story {
    /// When each line is written, in Unix seconds, and the line with its end; in order.
    pub lines: Vec<(i64, String)>,
    /// From here on the lines come before the viewer's eyes.
    pub watched: i64,
    pub guide: Guide,
}

impl Story {
    /// The story of the last days before `now`.
    pub fn before(now: &ZonedDateTime) -> Self {
        let book = book();
        let end = book.times.end.0;
        let now_s = now.timestamp().as_second();
        let today = now.start_of_day().map_or(now_s, |t| t.timestamp().as_second());
        let mut midnight = today - end.div_euclid(DAY) * DAY;
        if midnight + end > now_s {
            midnight -= DAY;
        }
        let at = |moment: Moment| midnight + moment.0;
        let guide = Guide::new(
            book.caption.iter().map(|c| (at(c.at), c.text.clone())).collect(),
            book.lesson
                .iter()
                .map(|l| Tip { from: at(l.from), text: l.text.clone(), does: l.does.clone() })
                .collect(),
        );
        let (watched, zone) = (at(book.times.watched), now.time_zone().clone());
        let rng = fastrand::Rng::with_seed(5_711);
        let mut teller = Teller { book, midnight, zone, rng, number: 0x4C1_0000, lines: Vec::new() };
        teller.tell();
        let mut lines = teller.lines;
        lines.sort_by_key(|(at, _)| *at);
        Self { lines, watched, guide }
    }
}

const DAY: i64 = 86_400;

fn book() -> Book {
    let book: Result<Book, _> = toml::from_str(include_str!("story.toml"));
    // A file of the program: a test reads it.
    book.unwrap_or_else(|error| panic!("src/commands/demo/story.toml: {error}"))
}

struct Teller {
    book: Book,
    midnight: i64,
    zone: TimeZone,
    rng: fastrand::Rng,
    number: u64,
    lines: Vec<(i64, String)>,
}

impl Teller {
    fn tell(&mut self) {
        let mut at = 0.0;
        while at < self.book.times.end.0 as f64 {
            let hour = at / 3600.0 % 24.0;
            let busy = 0.15 + (1.0 - (hour - 13.0).abs() / 9.0).max(0.0);
            at += PAUSE_S / busy * -(1.0 - self.rng.f64()).ln();
            let source = chosen(&mut self.rng, &self.book.source, |s| s.weight);
            self.message(Moment(at as i64), source, false);
            let times = &self.book.times;
            let is_mailing = (times.mailing.0..times.mailed.0).contains(&(at as i64));
            // What had waited in the queue goes out beside the new mail.
            let is_catching_up = at as i64 >= times.free.0;
            if source == 0 && (is_mailing || is_catching_up) {
                self.message(Moment(at as i64), source, is_mailing);
            }
        }
    }

    /// One message and its try; some go to others than Microsoft as well.
    fn message(&mut self, at: Moment, source: usize, from_the_list: bool) {
        let times = &self.book.times;
        let now = at.0;
        let is_first = source == 0;
        if is_first && (times.held.0..times.test.0).contains(&now) {
            return;
        }
        // A fifth of the mail is the test.
        if is_first && (times.test.0..times.free.0).contains(&now) && self.rng.f64() < 0.8 {
            return;
        }
        let to = chosen(&mut self.rng, &self.book.recipient, |r| r.weight);
        let front = self.rng.usize(..self.book.datacenter.len() * 2);
        let center = front % self.book.datacenter.len();
        let is_blocked = is_first
            && self.book.recipient[to].consumer
            && now < times.test.0
            && (now >= times.everywhere.0 || center == 0 && now >= times.blocked.0);
        let is_dead = self.rng.f64() < if from_the_list { 0.4 } else { 0.01 };
        let (book, recipient) = (&self.book, &self.book.recipient[to]);
        let (reply, command) = match (is_blocked, is_dead) {
            (true, _) => (&book.replies.blocked, "MAIL FROM"),
            (_, true) if recipient.consumer => (&book.replies.no_mailbox, "RCPT TO"),
            (_, true) => (&book.replies.no_recipient, "RCPT TO"),
            _ => (&book.replies.accepted, ""),
        };
        let ip = &book.source[source].ip;
        let Datacenter { forest, site } = &book.datacenter[center];
        let tag = format!(
            "[{site}PEPF{:08X}.{forest}.prod.outlook.com {}Z 08DE{:012X}]",
            self.rng.u32(..),
            Timestamp::from_second(self.midnight + now + 1)
                .unwrap_or_default()
                .strftime("%Y-%m-%dT%H:%M:%S.%3f"),
            self.rng.u64(..1 << 48)
        );
        let reply = reply
            .replace("{ip}", ip)
            .replace("{number}", &self.number.to_string())
            .replace("{forest}", forest)
            .replace("{tag}", &tag);
        let enhanced = reply.split(' ').nth(1).unwrap_or_default();
        let relay = format!("{}[52.101.{}.{}]", recipient.mx, 20 + front, 1 + center);
        let (status, text) = if command.is_empty() {
            ("sent", reply.clone())
        } else {
            ("bounced", format!("host {relay} said: {reply} (in reply to {command} command)"))
        };
        let user = ["anna", "ben", "carla", "david", "eva", "felix"][self.rng.usize(..6)];
        let user = format!("{user}{}", self.rng.u32(..10_000));
        let delivery = format!(
            "postfix-{ip}/smtp[{}]: {{id}}: to=<{user}@{}>, relay={relay}:25, delay=1.2, delays=0.05/0.01/0.5/0.64, \
             dsn={enhanced}, status={status} ({text})",
            3010 + source,
            recipient.domain
        );
        let other = format!(
            "postfix-{ip}/smtp[{}]: {{id}}: to=<{user}@gmail.com>, relay=gmail-smtp-in.l.google.com[142.250.27.27]:25, \
             delay=0.9, delays=0.05/0.01/0.4/0.44, dsn=2.0.0, status=sent (250 2.0.0 OK {} d9443c01a7336 - gsmtp)",
            3020 + source,
            self.number
        );
        let has_other = self.rng.f64() < 0.4;
        self.write(now, &delivery);
        if has_other {
            self.write(now, &other);
        }
    }

    /// What Postfix writes of a message: that it is sent from the queue, and how that went.
    fn write(&mut self, at: i64, delivery: &str) {
        self.number += 1;
        let id = format!("4b{:09X}z{:02}", self.number, self.number % 97);
        let stamp = |second: i64| {
            let at = Timestamp::from_second(self.midnight + second).unwrap_or_default();
            at.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
        };
        let queued = format!(
            "{} mta1 postfix/qmgr[811]: {id}: from=<news@news.example>, size=22014, nrcpt=1 (queue active)\n",
            stamp(at)
        );
        let done = format!("{} mta1 {}\n", stamp(at + 1), delivery.replace("{id}", &id));
        self.lines.push((self.midnight + at, queued));
        self.lines.push((self.midnight + at + 1, done));
    }
}

/// One of them by chance, the heavier ones more often.
fn chosen<T>(rng: &mut fastrand::Rng, all: &[T], weight: impl Fn(&T) -> u32) -> usize {
    let mut left = rng.u32(..all.iter().map(&weight).sum::<u32>());
    for (index, one) in all.iter().enumerate() {
        match left.checked_sub(weight(one)) {
            Some(rest) => left = rest,
            None => return index,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Keymap;

    fn noon(day: &str) -> ZonedDateTime {
        format!("{day}T12:00:00+01:00[Europe/Berlin]").parse().expect("a time")
    }

    #[test]
    fn the_same_day_has_the_same_story_and_no_line_is_in_the_future() {
        let now = noon("2026-11-24");
        let story = Story::before(&now);
        assert!(story.lines == Story::before(&now).lines);
        assert!(story.lines.is_sorted_by_key(|(at, _)| *at));
        let (first, last) = (story.lines[0].0, story.lines[story.lines.len() - 1].0);
        assert!(last <= now.timestamp().as_second() && last - first > 2 * DAY);
        let early: ZonedDateTime = "2026-11-24T01:00:00+01:00[Europe/Berlin]".parse().expect("a time");
        assert_eq!(Story::before(&early).lines[0].0, first - DAY);
    }

    #[test]
    fn every_key_that_a_caption_names_is_one_and_all_fit_into_80_cells() {
        let (keymap, book) = (Keymap::default(), book());
        for lesson in &book.lesson {
            for name in lesson.text.split('{').skip(1).map(|part| part.split('}').next().unwrap_or_default())
            {
                assert!(keymap.action_of(name).is_some(), "{name}: {}", lesson.text);
            }
            // Every default key that is named takes one cell.
            let names: usize =
                lesson.text.split('{').skip(1).filter_map(|part| part.find('}')).map(|at| at + 1).sum();
            let cells = " ▌ Try: ".chars().count() + lesson.text.chars().count() - names;
            assert!(cells <= 80, "{cells} cells: {}", lesson.text);
            assert!(!lesson.does.is_empty() && lesson.does.iter().all(|n| keymap.action_of(n).is_some()));
        }
        assert!(book.caption.iter().all(|c| c.text.chars().count() <= 77));
        assert!(book.lesson.is_sorted_by_key(|l| l.from.0) && book.caption.is_sorted_by_key(|c| c.at.0));
    }
}
