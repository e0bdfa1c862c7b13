//! The formats that are text of Postfix or Exim in some wrapper: which wrapper, which text, in which order.

use memchr::memmem;

use super::pieces::{Joined, Origin, Pieces, piece};
use super::registry::{Format, Line, Order, Reader, whole_lines};
use super::stamp::{self, Clock, Naive, Stamper};
use super::syslog::Envelope;
use super::{Record, exim, journald, postfix, syslog};

/// Postfix under syslog, or in its own file, which looks the same.
pub(crate) static POSTFIX_SYSLOG: Syslog = Syslog { mta: Mta::Postfix };
/// Exim under syslog.
pub(crate) static EXIM_SYSLOG: Syslog = Syslog { mta: Mta::Exim };
/// A syslog in which both write.
pub(crate) static MIXED_SYSLOG: Syslog = Syslog { mta: Mta::Both };
/// Exim's own main log.
pub(crate) static EXIM: MainLog = MainLog;
/// Postfix in journald's JSON export.
pub(crate) static POSTFIX_JOURNAL: Journal = Journal { mta: Mta::Postfix };
/// Exim in journald's JSON export, alone or beside Postfix.
pub(crate) static EXIM_JOURNAL: Journal = Journal { mta: Mta::Exim };

const POSTFIX_SAMPLE: &str = "May 12 08:14:02 mta1 postfix-out1/smtp[3027]: 61F0D2E0113: to=<k@live.com>, \
    relay=live-com.olc.protection.outlook.com[198.51.100.13]:25, delay=301, delays=0.1/0/301/0, dsn=4.4.2, \
    status=deferred (conversation with live-com.olc.protection.outlook.com[198.51.100.13] timed out while sending \
    MAIL FROM)";
const EXIM_SAMPLE: &str = "2026-05-12 08:31:44 1uEAbE-0000000BxZ1-3Cde == d@example.org R=dnslookup T=remote_smtp \
    defer (110): Connection timed out H=example-org.mail.protection.outlook.com [198.51.100.14] I=[192.0.2.21] DT=2m7s";
const EXIM_SYSLOG_SAMPLE: &str = "May 12 08:31:44 mta1 exim[4711]: 2026-05-12 08:31:44 1uEAbE-0000000BxZ1-3Cde == \
    d@example.org R=dnslookup T=remote_smtp defer (110): Connection timed out \
    H=example-org.mail.protection.outlook.com [198.51.100.14] I=[192.0.2.21] DT=2m7s";
const JOURNAL_SAMPLE: &str = r#"{"__REALTIME_TIMESTAMP":"1778566442000000","_HOSTNAME":"mta1","SYSLOG_IDENTIFIER":"postfix/smtp","MESSAGE":"61F0D2E0113: to=<k@live.com>, relay=live-com.olc.protection.outlook.com[198.51.100.13]:25, delay=301, delays=0.1/0/301/0, dsn=4.4.2, status=deferred (conversation with live-com.olc.protection.outlook.com[198.51.100.13] timed out while sending MAIL FROM)"}"#;
const EXIM_JOURNAL_SAMPLE: &str = r#"{"__REALTIME_TIMESTAMP":"1778567504000000","_HOSTNAME":"mta1","SYSLOG_IDENTIFIER":"exim","MESSAGE":"2026-05-12 08:31:44 1uEAbE-0000000BxZ1-3Cde == d@example.org R=dnslookup T=remote_smtp defer (110): Connection timed out H=example-org.mail.protection.outlook.com [198.51.100.14] I=[192.0.2.21] DT=2m7s"}"#;

/// Whose lines a wrapped format is chosen for. The readers of `Exim` and `Both` read both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mta {
    Postfix,
    Exim,
    Both,
}

/// How the lines of a stretch fall out.
#[derive(Default)]
struct Census {
    lines: usize,
    wrapped: usize,
    postfix: usize,
    exim: usize,
}

impl Census {
    /// Wrapped lines of other programs are worth little, but they do fit: deliveries may be rare.
    fn score(&self, mta: Mta) -> f32 {
        // A stray line that looks like syslog makes no log.
        if self.wrapped * 2 <= self.lines {
            return 0.0;
        }
        let own = match mta {
            Mta::Postfix => self.postfix,
            Mta::Exim if self.exim == 0 => return 0.0,
            Mta::Exim => self.exim,
            Mta::Both if self.exim == 0 || self.postfix == 0 => return 0.0,
            Mta::Both => self.exim + self.postfix,
        };
        (0.95 * own as f32 + 0.05 * self.wrapped as f32) / self.lines as f32
    }

    fn count(&mut self, envelope: &Envelope<'_>) {
        self.wrapped += 1;
        if postfix::shape(envelope.text).is_some() || memmem::find(envelope.tag, b"postfix").is_some() {
            self.postfix += 1;
        } else if envelope.tag.starts_with(b"exim") || exim::looks_like_line(envelope.text) {
            self.exim += 1;
        }
    }
}

/// For looking at lines whose time does not matter.
fn any_clock() -> Clock {
    Clock { zone: stamp::Zone::Fixed(0), year: 1970 }
}

/// Postfix and Exim under syslog and its kin.
pub(crate) struct Syslog {
    mta: Mta,
}

impl Format for Syslog {
    fn name(&self) -> &'static str {
        match self.mta {
            Mta::Exim => exim::MTA.0,
            Mta::Postfix | Mta::Both => postfix::MTA.0,
        }
    }

    fn sample(&self) -> &'static str {
        match self.mta {
            Mta::Exim => EXIM_SYSLOG_SAMPLE,
            Mta::Postfix | Mta::Both => POSTFIX_SAMPLE,
        }
    }

    fn score(&self, head: &[u8]) -> f32 {
        let mut census = Census::default();
        let mut stamper = Stamper::new(&any_clock());
        for line in whole_lines(head) {
            census.lines += 1;
            if let Some(envelope) = syslog::strip(line, &mut stamper) {
                census.count(&envelope);
            }
        }
        census.score(self.mta)
    }

    fn needles(&self) -> &'static [&'static [u8]] {
        if self.mta == Mta::Postfix { &[b" relay="] } else { &[] }
    }

    fn order(&self) -> Order {
        if self.mta == Mta::Postfix { Order::Any } else { Order::Sequential }
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(SyslogReader { stamper: Stamper::new(clock), texts: Texts::new(clock) })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        let outer = syslog::naive_stamp(line)?;
        if outer.offset.is_some() || self.mta == Mta::Postfix {
            return Some(outer);
        }
        // Exim's own stamp has the year.
        let text =
            syslog::strip(line, &mut Stamper::new(&any_clock())).map_or(&[][..], |envelope| envelope.text);
        let own = piece(text).map_or(text, |piece| piece.text);
        Some(stamp::parse(own).map_or(outer, |(naive, _)| naive))
    }
}

struct SyslogReader {
    stamper: Stamper,
    texts: Texts,
}

impl Reader for SyslogReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        match syslog::strip(line.bytes, &mut self.stamper) {
            Some(envelope) => self.texts.read(&envelope, line.offset, out),
            None if postfix::looks_like_delivery(line.bytes) => {
                out(line.offset, Record::Malformed { why: "a delivery without stamp or tag before it" });
            }
            None => {}
        }
    }

    fn finish(&mut self, out: &mut dyn FnMut(u64, Record<'_>)) {
        self.texts.finish(out);
    }
}

/// What is left when the wrapper is off: each text tells whose it is.
struct Texts {
    /// For the stamps that Exim puts into its text.
    stamper: Stamper,
    pieces: Pieces,
    scratch: Vec<u8>,
}

impl Texts {
    fn new(clock: &Clock) -> Self {
        Self { stamper: Stamper::new(clock), pieces: Pieces::default(), scratch: Vec::new() }
    }

    fn read(&mut self, envelope: &Envelope<'_>, offset: u64, out: &mut dyn FnMut(u64, Record<'_>)) {
        match postfix::read(envelope) {
            Record::Irrelevant => {}
            record => return out(offset, record),
        }
        let Some(piece) = piece(envelope.text) else {
            return self.exim(envelope, offset, out);
        };
        let Envelope { time, zoned, host, pid, .. } = *envelope;
        if let Some(joined) = self.pieces.add(&piece, &Origin { offset, time, zoned, host, pid }) {
            self.joined(&joined, out);
        }
    }

    fn joined(&mut self, joined: &Joined, out: &mut dyn FnMut(u64, Record<'_>)) {
        let envelope = Envelope {
            time: joined.time,
            zoned: joined.zoned,
            host: joined.host.as_deref(),
            tag: b"exim",
            pid: None,
            text: &joined.text,
        };
        self.exim(&envelope, joined.offset, out);
    }

    fn exim(&mut self, envelope: &Envelope<'_>, offset: u64, out: &mut dyn FnMut(u64, Record<'_>)) {
        let (own, rest) = match exim::stamped(envelope.text, &mut self.stamper) {
            Some((time, rest)) => (Some(time), rest),
            None => (None, envelope.text),
        };
        let Some(delivery) = exim::delivery(rest) else { return };
        // A syslog stamp that tells its zone is surer than Exim's own, which has the year at least.
        let time = if envelope.zoned { envelope.time } else { own.unwrap_or(envelope.time) };
        match exim::read(delivery, Some(time), envelope.host, true, &mut self.scratch) {
            Record::Irrelevant => {}
            record => out(offset, record),
        }
    }

    fn finish(&mut self, out: &mut dyn FnMut(u64, Record<'_>)) {
        let left: Vec<Joined> = self.pieces.drain().collect();
        for joined in &left {
            self.joined(joined, out);
        }
    }
}

/// Exim's main log in its own file.
pub(crate) struct MainLog;

impl Format for MainLog {
    fn name(&self) -> &'static str {
        exim::MTA.0
    }

    fn sample(&self) -> &'static str {
        EXIM_SAMPLE
    }

    fn score(&self, head: &[u8]) -> f32 {
        let (mut lines, mut stamped, mut own) = (0usize, 0usize, 0usize);
        for line in whole_lines(head) {
            let line = syslog::trim(line);
            lines += 1;
            // Access logs and others have such stamps as well, but with a `T`, or without a blank behind.
            if let Some((naive, end)) = stamp::parse(line)
                && naive.year.is_some()
                && line[10] == b' '
                && line.get(end) == Some(&b' ')
            {
                stamped += 1;
                own += usize::from(exim::looks_like_line(line));
            }
        }
        // Without one message id it is some other program's log.
        if own == 0 || stamped * 2 <= lines {
            return 0.0;
        }
        (0.95 * own as f32 + 0.05 * stamped as f32) / lines as f32
    }

    fn needles(&self) -> &'static [&'static [u8]] {
        &[]
    }

    fn order(&self) -> Order {
        Order::Any
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(MainLogReader { stamper: Stamper::new(clock), scratch: Vec::new() })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        stamp::parse(syslog::trim(line)).map(|(naive, _)| naive)
    }
}

struct MainLogReader {
    stamper: Stamper,
    scratch: Vec<u8>,
}

impl Reader for MainLogReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        let text = syslog::trim(line.bytes);
        let Some((time, rest)) = exim::stamped(text, &mut self.stamper) else { return };
        let Some(delivery) = exim::delivery(rest) else { return };
        match exim::read(delivery, Some(time), None, false, &mut self.scratch) {
            Record::Irrelevant => {}
            record => out(line.offset, record),
        }
    }
}

/// journald's JSON export.
pub(crate) struct Journal {
    mta: Mta,
}

impl Format for Journal {
    fn name(&self) -> &'static str {
        match self.mta {
            Mta::Exim => exim::MTA.0,
            Mta::Postfix | Mta::Both => postfix::MTA.0,
        }
    }

    fn sample(&self) -> &'static str {
        if self.mta == Mta::Exim { EXIM_JOURNAL_SAMPLE } else { JOURNAL_SAMPLE }
    }

    fn score(&self, head: &[u8]) -> f32 {
        let mut census = Census::default();
        let mut scratch = Vec::new();
        for line in whole_lines(head) {
            census.lines += 1;
            if journald::looks_like_entry(line) {
                match journald::strip(line, &mut scratch) {
                    Some(Ok(envelope)) => census.count(&envelope),
                    _ => census.wrapped += 1,
                }
            }
        }
        census.score(self.mta)
    }

    /// A message that is no UTF-8 comes as numbers, one that is too long not at all: nothing stands in all lines.
    fn needles(&self) -> &'static [&'static [u8]] {
        &[]
    }

    fn order(&self) -> Order {
        if self.mta == Mta::Postfix { Order::Any } else { Order::Sequential }
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(JournalReader { mta: self.mta, texts: Texts::new(clock), scratch: Vec::new() })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        journald::naive_stamp(line)
    }
}

struct JournalReader {
    mta: Mta,
    texts: Texts,
    scratch: Vec<u8>,
}

impl JournalReader {
    /// Cheap: most entries are other programs'.
    fn worth_a_look(&self, line: &[u8]) -> bool {
        memmem::find(line, b" relay=").is_some()
            || memmem::find(line, b"\"MESSAGE\":[").is_some()
            || memmem::find(line, b"\"MESSAGE\":null").is_some()
            || (self.mta == Mta::Exim && memmem::find(line, b"exim").is_some())
    }
}

impl Reader for JournalReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        if !self.worth_a_look(line.bytes) {
            return;
        }
        match journald::strip(line.bytes, &mut self.scratch) {
            Some(Ok(envelope)) => self.texts.read(&envelope, line.offset, out),
            // Only the agents that deliver: other programs' long messages are not missed.
            Some(Err(journald::TooLong)) if memmem::find(line.bytes, b"/smtp\"").is_some() => {
                let why = "journalctl left the message out (over 4096 bytes): export with --all";
                out(line.offset, Record::Malformed { why });
            }
            Some(Err(journald::TooLong)) => {}
            None if postfix::looks_like_delivery(line.bytes) => {
                out(line.offset, Record::Malformed { why: "a delivery in a broken journal entry" });
            }
            None => {}
        }
    }

    fn finish(&mut self, out: &mut dyn FnMut(u64, Record<'_>)) {
        self.texts.finish(out);
    }
}

#[cfg(test)]
mod tests;
