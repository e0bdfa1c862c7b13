//! Which formats there are, and which one some bytes are in.
//!
//! A format is one file, one static in [`formats`], one sample line.

use std::net::IpAddr;
use std::sync::LazyLock;

use memchr::memchr_iter;

use super::stamp::{Clock, Naive};
use super::{Answer, Attempt, Outcome, Record, Time, wrapped};
use crate::text::lines;

/// One line of an input.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Without its line end.
    pub bytes: &'a [u8],
    /// Where it begins in the decompressed stream.
    pub offset: u64,
}

/// Whether lines can be understood one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Each line stands for itself: stretches may be read in parallel, and lines without the needle left out.
    Any,
    /// State runs through the file: one reader sees all lines, in order.
    Sequential,
}

/// A log format. One static a format; what is read is kept in its [`Reader`]s.
pub trait Format: Sync {
    /// For `--mta` and `inputs[].mta`; formats that differ in their wrapper alone share it.
    fn name(&self) -> &'static str;
    /// One line, for people.
    fn sample(&self) -> &'static str;
    /// How well the complete lines of a stretch of a file fit: 0 (not at all) to 1 (each is of this MTA).
    fn score(&self, head: &[u8]) -> f32;
    /// Each delivery holds one of these; empty: every line is to be looked at.
    fn needles(&self) -> &'static [&'static [u8]] {
        &[]
    }
    /// Where deliveries leave the sender out, and other lines, which lack those needles, tell it: what stands there
    /// behind the queue id.
    fn sender_needles(&self) -> &'static [&'static [u8]] {
        &[]
    }
    /// Whether the file may be cut up.
    fn order(&self) -> Order;
    /// Where lines do not stand alone: what tells the lines with which a record begins, whatever came before, in a file that
    /// opens with these comments, or this first line. There the file may be cut up, if each reader is shown the opening first.
    fn begins(&self, opening: &[u8]) -> Option<Begins> {
        let _ = opening;
        None
    }
    /// A reader for one input, or one stretch of it.
    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send>;
    /// What [`Plain::source`] tells, and the source of [`Glance::Queued`]. `None`: nothing that makes a plain line.
    fn origin<'a>(&self, source: &'a [u8]) -> Option<Origin<'a>> {
        let _ = source;
        None
    }
    /// What [`Plain::relay`] tells; likewise.
    fn relay<'a>(&self, relay: &'a [u8]) -> Option<Relay<'a>> {
        let _ = relay;
        None
    }
    /// The stamp of a line as it stands there; the engine infers zone and year from it.
    fn naive_stamp(&self, line: &[u8]) -> Option<Naive>;
    /// Whether its records may repeat what another log tells ([`Record::Retold`]).
    fn retells(&self) -> bool {
        false
    }
    /// Whether a record may span lines: then equal lines in a row are not one record that was written twice.
    fn spans_lines(&self) -> bool {
        false
    }
    /// What a log with these attempts leaves out by the MTA's settings, and how to have it written.
    fn blind_spot(&self, seen: &Seen) -> Option<&'static str> {
        let _ = seen;
        None
    }
    /// What to give instead, where the bytes are of this MTA and hold no deliveries. Asked if no format fits.
    fn instead(&self, head: &[u8]) -> Option<&'static str> {
        let _ = head;
        None
    }
}

/// Whether a record begins with a line.
pub type Begins = Box<dyn Fn(&[u8]) -> bool>;

/// Counts of one input's attempts, Microsoft's and others'.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Taken by the remote server.
    pub delivered: u64,
    /// To be tried again.
    pub deferred: u64,
    /// Given up.
    pub bounced: u64,
    /// Answered with a 5xx whose text the log dropped.
    pub textless: u64,
    /// Without an address of the sending host in a field of its own.
    pub sourceless: u64,
}

impl Seen {
    /// Adds another stretch of the same input.
    pub fn merge(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.deferred += other.deferred;
        self.bounced += other.bounced;
        self.textless += other.textless;
        self.sourceless += other.sourceless;
    }

    /// Counts a plain delivery.
    pub fn count_plain(&mut self, has_address: bool) {
        self.delivered += 1;
        self.sourceless += u64::from(!has_address);
    }

    /// Counts an attempt.
    pub fn count(&mut self, attempt: &Attempt<'_>) {
        match attempt.outcome {
            Outcome::Delivered => self.delivered += 1,
            Outcome::Deferred => self.deferred += 1,
            Outcome::Bounced => self.bounced += 1,
        }
        if attempt.outcome != Outcome::Delivered
            && let Answer::Codes { .. } = attempt.answer
        {
            self.textless += 1;
        }
        self.sourceless += u64::from(attempt.source_ip.is_none());
    }

    /// All attempts.
    pub fn attempts(&self) -> u64 {
        self.delivered + self.deferred + self.bounced
    }
}

/// A line in one of the plainest forms that make up most of a log.
#[derive(Clone, Copy, Debug)]
pub enum Glance<'a> {
    /// An attempt that was delivered.
    Delivered(Plain<'a>),
    /// As [`Record::Queued`].
    Queued {
        /// What tells the host, by [`Format::origin`].
        source: &'a [u8],
        queue_id: &'a [u8],
        sender: &'a [u8],
    },
}

/// Where the parts of a plain delivery stand: most are of no use where the mail is another provider's.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a> {
    pub time: Time,
    pub queue_id: Option<&'a [u8]>,
    /// Envelope sender, where this line has it.
    pub sender: Option<&'a [u8]>,
    pub recipient: Option<&'a [u8]>,
    /// From its three digits on.
    pub reply: &'a [u8],
    /// What tells its host and source, by [`Format::origin`]: the same bytes tell the same.
    pub source: &'a [u8],
    /// What tells its relay, by [`Format::relay`]; likewise.
    pub relay: &'a [u8],
}

/// Who sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    pub host: Option<&'a [u8]>,
    pub name: Option<&'a [u8]>,
    pub ip: Option<IpAddr>,
}

impl<'a> Origin<'a> {
    /// Writes address and name as one key, which [`Self::of_key`] reads. `None`: the address is far too long for one.
    pub(crate) fn write_key(key: &mut Vec<u8>, address: &[u8], name: &[u8]) -> Option<()> {
        key.clear();
        key.push(u8::try_from(address.len()).ok()?);
        key.extend_from_slice(address);
        key.extend_from_slice(name);
        Some(())
    }

    /// `None`: an address that is none, by `parse`. What is empty is not told.
    pub(crate) fn of_key(key: &'a [u8], parse: impl FnOnce(&'a [u8]) -> Option<IpAddr>) -> Option<Self> {
        let (length, text) = key.split_first()?;
        let (address, name) = text.split_at_checked(usize::from(*length))?;
        let ip = if address.is_empty() { None } else { Some(parse(address)?) };
        Some(Self { host: None, name: Some(name).filter(|name| !name.is_empty()), ip })
    }
}

/// Who took it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relay<'a> {
    pub host: Option<&'a [u8]>,
    pub ip: Option<IpAddr>,
    pub port: Option<u16>,
}

/// Reads the lines of one input in one format.
pub trait Reader {
    /// Looks at a line in its plainest form, of which [`Self::line`] would hand out the one record, if source and relay are
    /// such as [`Format::origin`] and [`Format::relay`] know. `None`: it has to be read. Most lines that are looked at are
    /// such ones: they should cost least.
    fn glance<'a>(&'a mut self, line: &'a [u8]) -> Option<Glance<'a>> {
        let _ = line;
        None
    }
    /// Hands each record that the line completes to `out`, with the offset of the line that holds the result. A line
    /// without a call is irrelevant, or waits for its other half.
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>));
    /// Whether there was something that the stretches behind this one would have to know of: what was cut up is to be read
    /// in order.
    fn is_lost(&self) -> bool {
        false
    }
    /// At the end of the input: what still waited.
    fn finish(&mut self, out: &mut dyn FnMut(u64, Record<'_>)) {
        let _ = out;
    }
}

/// The formats that have a file of their own.
static OWN_FILES: [&dyn Format; 15] = [
    // One a line.
    &super::exim::MAIN_LOG,
    &super::powermta::POWERMTA,
    &super::kumomta::KUMOMTA,
    &super::exchange::EXCHANGE,
    &super::momentum::MOMENTUM,
    &super::mailerq::MAILERQ,
    &super::greenarrow::GREENARROW,
    &super::halon::HALON,
    &super::dsn::DSN,
    &super::ses::SES,
    &super::sendgrid::SENDGRID,
    &super::mailgun::MAILGUN,
    &super::sparkpost::SPARKPOST,
    &super::haraka::HARAKA,
    &super::qmail::MULTILOG,
];

/// All formats.
pub fn formats() -> &'static [&'static dyn Format] {
    static FORMATS: LazyLock<Vec<&dyn Format>> = LazyLock::new(|| {
        let wrapped = wrapped::formats().map(|format| format as &dyn Format);
        OWN_FILES.into_iter().chain(wrapped).collect()
    });
    &FORMATS
}

/// The format that fits the bytes best: the first 64 kB of a file, or any stretch of it. `None` where none fits.
pub fn guess(head: &[u8]) -> Option<&'static dyn Format> {
    best(head, |_| true)
}

/// For the user, of a file that no format fits: what it is, and what to give instead.
pub fn instead(head: &[u8]) -> Option<&'static str> {
    formats().iter().find_map(|format| format.instead(head))
}

/// The first format of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    formats().iter().copied().find(|format| format.name() == name)
}

/// The format of that name which fits the bytes best: the name tells the MTA, not the wrapper.
pub fn by_name_for(name: &str, head: &[u8]) -> Option<&'static dyn Format> {
    best(head, |format| format.name() == name).or_else(|| by_name(name))
}

/// Of equals the one that stands first.
fn best(head: &[u8], wanted: impl Fn(&dyn Format) -> bool) -> Option<&'static dyn Format> {
    let own = OWN_FILES.into_iter().map(|format| (format, format.score(head)));
    let wrapped = wrapped::scored(head).map(|(format, score)| (format as &'static dyn Format, score));
    let mut found: Option<(&'static dyn Format, f32)> = None;
    for (format, score) in own.chain(wrapped) {
        if wanted(format) && score > 0.0 && found.is_none_or(|(_, best)| score > best) {
            found = Some((format, score));
        }
    }
    found.map(|(format, _)| format)
}

/// The lines of a stretch that can be judged: the first may have been cut in front and the last behind, so each is left
/// out if there are others.
pub(crate) fn whole_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = memchr::memrchr(b'\n', head).map_or(head.len(), |last| last + 1);
    let whole = &head[..end];
    let mut start = 0;
    let many = memchr_iter(b'\n', whole.trim_ascii()).nth(1).is_some();
    if many && let Some(first) = memchr::memchr(b'\n', whole) {
        start = first + 1;
    }
    lines(&whole[start..]).filter(|line| !line.trim_ascii().is_empty()).take(2000)
}

#[cfg(test)]
pub(crate) mod tests;
