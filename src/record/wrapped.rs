//! Programs that write into somebody else's log: which wrapper (syslog, journald), and whose text is in it.
//!
//! Each MTA's file has a [`Dialect`]: which texts are its own, and how they are read. A line is asked about in the order
//! of [`DIALECTS`], so one log may mix them all. Of each wrapper and MTA there is a format for logs whose lines stand
//! alone, and one for logs in which some do not.

use std::sync::LazyLock;

use memchr::memmem;

use super::postfix::PlainText;
use super::registry::{Format, Glance, Line, Order, Origin, Plain, Reader, Relay, Seen, whole_lines};
use super::stamp::{self, Clock, Naive, Stamper};
use super::syslog::Envelope;
use super::{Mta, Record, exim, journald, opensmtpd, postfix, qmail, sendmail, syslog, zonemta};
use crate::text::near;

/// Takes what a reader finds, with the offset of the line that holds the result.
pub(crate) type Out<'o> = dyn FnMut(u64, Record<'_>) + 'o;

/// Stands in each delivery of all whose lines stand alone, right before the recipient: one search serves a log that mixes
/// them. Another literal would cost one more pass over all bytes; without its blank it would find each `proto=` too.
pub(crate) const RECIPIENT: &[u8] = b" to=";

/// What an MTA writes into a syslog.
pub(crate) struct Dialect {
    pub(crate) mta: Mta,
    /// One line, under syslog.
    pub(crate) sample: &'static str,
    /// Whether its lines stand alone.
    pub(crate) order: Order,
    /// Where they do: each delivery holds one of these.
    pub(crate) needles: &'static [&'static [u8]],
    /// And a line that tells a message's sender one of these, behind the queue id.
    pub(crate) sender_needles: &'static [&'static [u8]],
    /// Whether the program's name alone tells the MTA.
    pub(crate) is_tag: fn(&[u8]) -> bool,
    /// Whether the text alone does.
    pub(crate) is_text: fn(&[u8]) -> bool,
    /// All of them stand in each delivery: to tell one that has lost its wrapper. Empty: there is no telling.
    pub(crate) marks: &'static [&'static [u8]],
    pub(crate) reader: fn(&Clock) -> Box<dyn TextReader>,
    pub(crate) blind_spot: fn(&Seen) -> Option<&'static str>,
}

impl Dialect {
    fn is_own(&self, envelope: &Envelope<'_>) -> bool {
        (self.is_tag)(envelope.tag) || (self.is_text)(envelope.text)
    }

    /// Whether a line holds what stands in each of its deliveries.
    pub(crate) fn has_marks(&self, line: &[u8]) -> bool {
        !self.marks.is_empty() && self.marks.iter().all(|mark| memmem::find(line, mark).is_some())
    }
}

/// Reads texts of one MTA, in the order of the log.
pub(crate) trait TextReader: Send {
    /// Whether the text is this MTA's; then nobody else is asked.
    fn read(&mut self, envelope: &Envelope<'_>, offset: u64, out: &mut Out<'_>) -> bool;
    /// At the end of the input: what still waited.
    fn finish(&mut self, out: &mut Out<'_>) {
        let _ = out;
    }
}

/// Where each line stands alone a function will do.
impl<F> TextReader for F
where
    F: Fn(&Envelope<'_>, &mut dyn FnMut(Record<'_>)) -> bool + Send,
{
    fn read(&mut self, envelope: &Envelope<'_>, offset: u64, out: &mut Out<'_>) -> bool {
        self(envelope, &mut |record| out(offset, record))
    }
}

/// All, in the order in which they are asked. Sendmail's lines begin as Postfix's do; any text may be Exim's.
static DIALECTS: [&Dialect; COUNT] = [
    &sendmail::SENDMAIL,
    &postfix::POSTFIX,
    &opensmtpd::OPENSMTPD,
    &zonemta::ZONEMTA,
    &qmail::QMAIL,
    &exim::EXIM,
];
const COUNT: usize = 6;

/// The needles of all dialects whose lines stand alone.
static NEEDLES: LazyLock<Vec<&[u8]>> = LazyLock::new(|| needles(|dialect| dialect.needles));

/// Those of their senders' lines.
static SENDER_NEEDLES: LazyLock<Vec<&[u8]>> = LazyLock::new(|| needles(|dialect| dialect.sender_needles));

fn needles(of: fn(&Dialect) -> &'static [&'static [u8]]) -> Vec<&'static [u8]> {
    let mut all: Vec<&[u8]> = alone().flat_map(of).copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The dialects whose lines stand alone.
fn alone() -> impl Iterator<Item = &'static Dialect> {
    DIALECTS.iter().copied().filter(|dialect| dialect.order == Order::Any)
}

/// What is put around a program's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrapper {
    Syslog,
    /// journald's JSON export.
    Journal,
}

/// A log under a wrapper, most of which one MTA wrote.
pub(crate) struct Wrapped {
    wrapper: Wrapper,
    /// Who wrote most of it.
    dialect: &'static Dialect,
    order: Order,
    sample: &'static str,
}

/// The formats, those for lines that stand alone before the others.
pub(crate) fn formats() -> impl Iterator<Item = &'static Wrapped> {
    static ALL: LazyLock<Vec<Wrapped>> = LazyLock::new(|| {
        let mut all = Vec::new();
        for wrapper in [Wrapper::Syslog, Wrapper::Journal] {
            for dialect in DIALECTS {
                let sample = match wrapper {
                    Wrapper::Syslog => dialect.sample,
                    Wrapper::Journal => in_journal(dialect.sample),
                };
                for order in [Order::Any, Order::Sequential] {
                    if order == Order::Sequential || dialect.order == Order::Any {
                        all.push(Wrapped { wrapper, dialect, order, sample });
                    }
                }
            }
        }
        all
    });
    ALL.iter()
}

/// The formats with their scores: each wrapper is taken off once for all of them.
pub(crate) fn scored(head: &[u8]) -> impl Iterator<Item = (&'static Wrapped, f32)> {
    let [syslog, journal] = [Wrapper::Syslog, Wrapper::Journal].map(|wrapper| Census::take(wrapper, head));
    formats().map(move |format| {
        let census = if format.wrapper == Wrapper::Syslog { &syslog } else { &journal };
        (format, format.share(census))
    })
}

/// A line of a syslog as the journal has it. Made once, so it may stay.
fn in_journal(line: &'static str) -> &'static str {
    let clock = Clock { year: 2026, ..any_clock() };
    let Some(parts) = syslog::strip(line.as_bytes(), &mut Stamper::new(&clock)) else { return line };
    let text = |bytes| serde_json::Value::from(crate::text::utf8(bytes));
    format!(
        r#"{{"__REALTIME_TIMESTAMP":"{}000000","_HOSTNAME":"mta1","SYSLOG_IDENTIFIER":{},"MESSAGE":{}}}"#,
        parts.time.seconds,
        text(parts.tag),
        text(parts.text),
    )
    .leak()
}

/// For looking at lines whose time does not matter.
fn any_clock() -> Clock {
    Clock { zone: stamp::Zone::Fixed(0), year: 1970 }
}

/// How the lines of a stretch fall out.
#[derive(Default)]
struct Census {
    lines: usize,
    wrapped: usize,
    own: [usize; COUNT],
}

impl Census {
    fn take(wrapper: Wrapper, head: &[u8]) -> Self {
        let mut census = Self::default();
        let mut stamper = Stamper::new(&any_clock());
        let mut scratch = Vec::new();
        for line in whole_lines(head) {
            census.lines += 1;
            let envelope = match wrapper {
                // multilog's stamps are no syslog's.
                Wrapper::Syslog if line.starts_with(b"@") => None,
                Wrapper::Syslog => syslog::strip(line, &mut stamper),
                Wrapper::Journal if !journald::looks_like_entry(line) => None,
                Wrapper::Journal => match journald::strip(line, &mut scratch) {
                    Some(Ok(envelope)) => Some(envelope),
                    _ => {
                        census.wrapped += 1;
                        None
                    }
                },
            };
            let Some(envelope) = envelope else { continue };
            census.wrapped += 1;
            if let Some(index) = DIALECTS.iter().position(|dialect| dialect.is_own(&envelope)) {
                census.own[index] += 1;
            }
        }
        census
    }

    /// Whether lines of a dialect that needs their order are there.
    fn needs_order(&self) -> bool {
        DIALECTS.iter().zip(self.own).any(|(dialect, own)| own > 0 && dialect.order == Order::Sequential)
    }
}

impl Wrapped {
    /// Wrapped lines of other programs are worth little, but they do fit: deliveries may be rare. So a syslog without
    /// any is taken for Postfix's.
    fn share(&self, census: &Census) -> f32 {
        // A stray line that looks like syslog makes no log. One that is an MTA's says more: other containers, or what
        // is torn, may stand between those.
        let all_own: usize = census.own.iter().sum();
        let is_log = census.wrapped * 2 > census.lines || (all_own > 0 && all_own * 4 >= census.lines);
        if !is_log || (self.order == Order::Any && census.needs_order()) {
            return 0.0;
        }
        let counts = DIALECTS.iter().zip(census.own);
        let own: usize = counts.filter(|(d, _)| d.mta == self.dialect.mta).map(|(_, own)| own).sum();
        if own == 0 && self.dialect.mta != postfix::MTA {
            return 0.0;
        }
        (0.95 * own as f32 + 0.05 * census.wrapped as f32) / census.lines as f32
    }
}

impl Format for Wrapped {
    fn name(&self) -> &'static str {
        self.dialect.mta.0
    }

    fn sample(&self) -> &'static str {
        self.sample
    }

    fn score(&self, head: &[u8]) -> f32 {
        self.share(&Census::take(self.wrapper, head))
    }

    /// In a journal a message that is no UTF-8 comes as numbers, one that is too long not at all: nothing stands in all
    /// lines.
    fn needles(&self) -> &'static [&'static [u8]] {
        match (self.wrapper, self.order) {
            (Wrapper::Syslog, Order::Any) => &NEEDLES,
            _ => &[],
        }
    }

    fn sender_needles(&self) -> &'static [&'static [u8]] {
        match (self.wrapper, self.order) {
            (Wrapper::Syslog, Order::Any) => &SENDER_NEEDLES,
            _ => &[],
        }
    }

    fn order(&self) -> Order {
        self.order
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        let texts = Texts::new(self.order, clock);
        match self.wrapper {
            Wrapper::Syslog => Box::new(SyslogReader {
                glances: self.order == Order::Any && self.dialect.mta == postfix::MTA,
                stamper: Stamper::new(clock),
                texts,
                header: 1,
                queue_id: 1,
            }),
            Wrapper::Journal => Box::new(JournalReader { order: self.order, texts, scratch: Vec::new() }),
        }
    }

    /// Of a program of Postfix's, the one whose names hold a slash.
    fn origin<'a>(&self, source: &'a [u8]) -> Option<Origin<'a>> {
        // As it would be read with a text behind it, of which nothing is left.
        let line = [source, b": "].concat();
        let (host, tag, pid, text) = syslog::rfc3164(&line)?;
        let (host, tag) = (host?.len(), pid.map(|_| tag)?.len());
        let (host, tag) = (&source[1..=host], &source[host + 2..][..tag]);
        let is_own = text.is_empty() && tag.contains(&b'/') && postfix::reaches_out(tag);
        is_own.then_some(Origin { host: Some(host), name: Some(tag), ip: None })
    }

    fn relay<'a>(&self, relay: &'a [u8]) -> Option<Relay<'a>> {
        postfix::relay(relay)
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        if self.wrapper == Wrapper::Journal {
            return journald::naive_stamp(line);
        }
        let outer = syslog::naive_stamp(line)?;
        if outer.offset.is_some() || self.order == Order::Any {
            return Some(outer);
        }
        // The stamp of the program itself has the year.
        let text =
            syslog::strip(line, &mut Stamper::new(&any_clock())).map_or(&[][..], |envelope| envelope.text);
        Some(exim::own_stamp(text).unwrap_or(outer))
    }

    fn blind_spot(&self, seen: &Seen) -> Option<&'static str> {
        (self.dialect.blind_spot)(seen)
    }
}

/// What is left when the wrapper is off: each text tells whose it is.
struct Texts {
    readers: Vec<Box<dyn TextReader>>,
}

impl Texts {
    fn new(order: Order, clock: &Clock) -> Self {
        let wanted = DIALECTS.iter().filter(|dialect| order == Order::Sequential || dialect.order == order);
        Self { readers: wanted.map(|dialect| (dialect.reader)(clock)).collect() }
    }

    fn read(&mut self, envelope: &Envelope<'_>, offset: u64, out: &mut Out<'_>) {
        for reader in &mut self.readers {
            if reader.read(envelope, offset, out) {
                return;
            }
        }
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        for reader in &mut self.readers {
            reader.finish(out);
        }
    }
}

/// Whether a line that no wrapper could be taken off still looks like a delivery.
fn looks_like_delivery(line: &[u8]) -> bool {
    DIALECTS.iter().any(|dialect| dialect.has_marks(line))
}

struct SyslogReader {
    /// Lines stand alone, and most are Postfix's.
    glances: bool,
    stamper: Stamper,
    texts: Texts,
    /// Bytes from the stamp to the `]` behind the program's number in the line that was plain last: mostly the same again.
    header: usize,
    /// Likewise, of the queue id.
    queue_id: usize,
}

/// Longer ones are read as the lines of others.
const MOST_HEADER: usize = 128;

impl Reader for SyslogReader {
    fn glance<'a>(&'a mut self, line: &'a [u8]) -> Option<Glance<'a>> {
        if !self.glances {
            return None;
        }
        let (time, zoned, end) = self.stamper.same_minute(line)?;
        let rest = line.get(end..)?;
        // A host's name, not what collectors write there (`stdout F`, a second stamp, a priority).
        if !matches!(rest, [b' ', first, ..] if first.is_ascii_lowercase() && !(zoned && *first == b's')) {
            return None;
        }
        let is_end = |at: usize| rest.get(at - 1..at + 2) == Some(b"]: ");
        if !is_end(self.header) {
            self.header =
                near(b']', &rest[..rest.len().min(MOST_HEADER)]).map(|at| at + 1).filter(|at| is_end(*at))?;
        }
        let (source, text) = rest.split_at(self.header);
        Some(match postfix::plain(&text[2..], &mut self.queue_id)? {
            PlainText::Delivered { queue_id, recipient, relay, reply } => {
                let (queue_id, recipient) = (Some(queue_id), Some(recipient));
                Glance::Delivered(Plain { time, queue_id, sender: None, recipient, reply, source, relay })
            }
            PlainText::Queued { queue_id, sender } => Glance::Queued { source, queue_id, sender },
        })
    }

    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        match syslog::strip(line.bytes, &mut self.stamper) {
            Some(envelope) => self.texts.read(&envelope, line.offset, out),
            None if looks_like_delivery(line.bytes) => {
                out(line.offset, Record::Malformed { why: "a delivery without stamp or tag before it" });
            }
            None => {}
        }
    }

    fn finish(&mut self, out: &mut dyn FnMut(u64, Record<'_>)) {
        self.texts.finish(out);
    }
}

struct JournalReader {
    order: Order,
    texts: Texts,
    scratch: Vec<u8>,
}

impl JournalReader {
    /// Cheap: most entries are other programs'.
    fn worth_a_look(&self, line: &[u8]) -> bool {
        self.order == Order::Sequential
            || NEEDLES.iter().chain(&*SENDER_NEEDLES).any(|needle| memmem::find(line, needle).is_some())
            || memmem::find(line, b"\"MESSAGE\":[").is_some()
            || memmem::find(line, b"\"MESSAGE\":null").is_some()
    }
}

impl Reader for JournalReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        if !self.worth_a_look(line.bytes) {
            return;
        }
        match journald::strip(line.bytes, &mut self.scratch) {
            Some(Ok(envelope)) => self.texts.read(&envelope, line.offset, out),
            // Only what delivers: other programs' long messages are not missed.
            Some(Err(journald::TooLong(tag))) if delivers(tag) => {
                let why = "journalctl left the message out (over 4096 bytes): export with --all";
                out(line.offset, Record::Malformed { why });
            }
            Some(Err(journald::TooLong(_))) => {}
            None if looks_like_delivery(line.bytes) => {
                out(line.offset, Record::Malformed { why: "a delivery in a broken journal entry" });
            }
            None => {}
        }
    }

    fn finish(&mut self, out: &mut dyn FnMut(u64, Record<'_>)) {
        self.texts.finish(out);
    }
}

/// Whether a program of that name delivers: of Postfix's many the client alone.
fn delivers(tag: &[u8]) -> bool {
    tag.ends_with(b"/smtp") || (!tag.contains(&b'/') && DIALECTS.iter().any(|dialect| (dialect.is_tag)(tag)))
}

#[cfg(test)]
pub(crate) mod tests;
