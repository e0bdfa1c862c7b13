//! The normalised record that every parser returns.

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

/// A moment in UTC, as exact as the log tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Milliseconds (finer digits are cut), where the log writes a fraction.
    pub millis: Option<u16>,
}

impl Time {
    /// A moment that the log tells to the second only.
    pub fn from_seconds(seconds: i64) -> Self {
        Self { seconds, millis: None }
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC; three decimals where the log had a fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.seconds.div_euclid(86_400);
        let second = self.seconds.rem_euclid(86_400);
        let (year, month, day) = super::stamp::civil_from_days(days);
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        write!(f, "{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)?;
        if let Some(millis) = self.millis {
            write!(f, ".{millis:03}")?;
        }
        f.write_str("Z")
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What became of the recipient in this attempt, by the MTA's own marker, never by the reply's first digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The remote server took the message.
    Delivered,
    /// The MTA keeps the message and tries again.
    Deferred,
    /// The MTA gave up: for this recipient the message is lost.
    Bounced,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Delivered, Self::Deferred, Self::Bounced];

    /// The name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
        }
    }
}

/// The program that wrote the record; `name` is the value of `mta` in the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mta(pub &'static str);

/// What the remote server answered, as far as the log tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The reply as logged, from its three digits on (`550 5.7.1 Unfortunately, …`). The parser has taken the MTA's
    /// own words around it away and has undone the MTA's quoting, nothing else.
    Text(&'a [u8]),
    /// It answered, but the log dropped the text: the codes are all there is.
    Codes {
        /// Three digits, where logged.
        smtp: Option<u16>,
        /// Enhanced status code (RFC 3463), where logged.
        enhanced: Option<Enhanced>,
    },
    /// Nobody answered (timeout, lost connection, DNS), or the MTA made the text up.
    Nobody,
}

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl Enhanced {
    /// Reads `[245].ddd.ddd` at the start of `text`, followed by a blank, bracket or end; also gives its length.
    /// A `?` ends it too: Postfix writes one for each control character, such as a tab behind the code.
    pub fn at_start(text: &[u8]) -> Option<(Self, usize)> {
        let class = *text.first()?;
        if !matches!(class, b'2' | b'4' | b'5') {
            return None;
        }
        let (subject, after_subject) = dotted_number(text, 1)?;
        let (detail, end) = dotted_number(text, after_subject)?;
        match text.get(end) {
            None
            | Some(
                b' ' | b'\t' | b'\r' | b'\n' | b'[' | b']' | b'(' | b')' | b'<' | b'>' | b':' | b';' | b','
                | b'?',
            ) => Some((Self(class - b'0', subject, detail), end)),
            _ => None,
        }
    }
}

/// `.` and one to three digits at `at`; gives the number and the offset behind it.
fn dotted_number(text: &[u8], at: usize) -> Option<(u16, usize)> {
    if text.get(at) != Some(&b'.') {
        return None;
    }
    let digits = text[at + 1..].iter().take(3).take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let number = text[at + 1..at + 1 + digits].iter().fold(0, |n, b| n * 10 + u16::from(b - b'0'));
    Some((number, at + 1 + digits))
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// One recipient of one delivery try that reached for a remote server. Borrows from the line (or from the
/// parser's scratch space); whoever keeps something interns it.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    /// When the MTA logged the result; `None` only for a bounce without any date.
    pub time: Option<Time>,
    /// Who wrote it.
    pub mta: Mta,
    /// The host that logged it.
    pub host: Option<&'a [u8]>,
    /// As logged.
    pub queue_id: Option<&'a [u8]>,
    /// The sending address, where the log has a field of its own for it.
    pub source_ip: Option<IpAddr>,
    /// The name that stands for the sending address (Postfix `syslog_name/service`, virtual MTA, …).
    pub source_name: Option<&'a [u8]>,
    /// Envelope sender, where this very line has it; empty for the null sender.
    pub sender: Option<&'a [u8]>,
    /// The address that was tried.
    pub recipient: Option<&'a [u8]>,
    /// The host that was talked to, or that could not be reached: no port, no address, no final dot, case as logged.
    pub relay_host: Option<&'a [u8]>,
    /// Its address.
    pub relay_ip: Option<IpAddr>,
    /// Its port, where logged: 587 is submission, not delivery to an MX.
    pub relay_port: Option<u16>,
    /// By the MTA's marker.
    pub outcome: Outcome,
    /// What was said.
    pub answer: Answer<'a>,
    /// The name by which the remote server greeted, where the log has the whole session.
    pub greeting: Option<&'a [u8]>,
}

impl<'a> Attempt<'a> {
    /// What follows the last `@` of the recipient, case as logged.
    pub fn recipient_domain(&self) -> Option<&'a [u8]> {
        domain_of(self.recipient?)
    }
}

/// What follows the last `@`; `None` without one or with nothing behind it. Event exports may have the address as a
/// header had it, `Name <address>`.
pub fn domain_of(address: &[u8]) -> Option<&[u8]> {
    let at = memchr::memrchr(b'@', address)?;
    let domain = &address[at + 1..];
    let domain = domain.strip_suffix(b">").unwrap_or(domain);
    (!domain.is_empty()).then_some(domain)
}

/// What a line turned out to be.
#[derive(Clone, Debug)]
pub enum Record<'a> {
    /// A delivery attempt.
    Attempt(Attempt<'a>),
    /// An attempt that a log has told already, if there is one: a bounce message (RFC 3464), or what a log writes of one
    /// that came back.
    Retold(Attempt<'a>),
    /// A message came into the queue: what delivery lines leave out.
    Queued {
        /// The host that logged it.
        host: Option<&'a [u8]>,
        /// As delivery lines write it.
        queue_id: &'a [u8],
        /// Envelope sender; empty for the null sender.
        sender: &'a [u8],
    },
    /// Repeats an old reply or only reports waiting: nothing was tried.
    HeldBack {
        /// When it was logged.
        time: Option<Time>,
    },
    /// None of ours: a local hop, a reception, progress, an expiry without a try.
    Irrelevant,
    /// Something about this log that the user should know; said once an input.
    Note(&'static str),
    /// Shaped like a delivery, and not understood: counted and shown, never dropped.
    Malformed {
        /// What was missing, for the user.
        why: &'static str,
    },
}
