//! PowerMTA's accounting file: CSV (RFC 4180) whose header names the columns, in the operator's choice and order.
//!
//! | column | here |
//! | --- | --- |
//! | `type` | `d` delivered, `t` deferred, `b` bounced; `rb`, a bounce that came back, retells one; others are no attempts |
//! | `timeLogged` | time, with zone or as Unix seconds |
//! | `rcpt`, `orig` | recipient, sender |
//! | `dlvSourceIp`, `vmta` | sending IP, source name |
//! | `dsnMta` (`host (ip)`), `dlvDestinationIp` | relay |
//! | `dsnDiag` (`smtp;` reply), `dsnStatus` | reply; the code where the reply was dropped |
//! | `dlvType` | other than `smtp`: a local hop |
//!
//! Not used: `bounceCat` and the words of `dsnStatus`, which are PowerMTA's guesses. The header stands at the top only, so
//! one reader sees the whole file; lines without a header before them are taken to be in the default order. A record may
//! lie on several lines.

use std::ops::Range;

use memchr::{memchr, memmem, memrchr};

use super::csv::{Field, Fields, Row, Rows, unquote};
use super::registry::{Begins, Format, Glance, Line, Order, Origin, Plain, Reader, Relay, Seen, whole_lines};
use super::stamp::{self, Clock, LastTime, Naive, Stamper};
use super::text::{host_name, is_here, parse_ip, starts_with_code};
use super::{Answer, Attempt, Enhanced, Mta, Outcome, Record, Time, syslog};

mod header;

use header::{COLUMNS, Column, DEFAULT_HEADER, Header, TYPES, whole_stamp};

const MTA: Mta = Mta("powermta");

/// PowerMTA's accounting file.
pub(crate) static POWERMTA: PowerMta = PowerMta;

const SAMPLE: &str = "t,2026-05-12 08:20:40+0200,2026-05-12 08:00:00+0200,news+1@example.com,d@hotmail.com,,delayed,\
    4.4.1 (no answer from host),,,no-answer-from-host,smtp,app1.example.com (10.1.1.1),smtp,203.0.113.11,,\
    \"ENHANCEDSTATUSCODES,PIPELINING,8BITMIME,SMTPUTF8,SIZE,STARTTLS\",20112,vmta-1,job-501,,hotmail.com/vmta-1,pool-a";

/// For the user, of a file that begins with a record.
const ASSUMED: &str = "has no header line: its columns are taken to be in PowerMTA's default order (give the file from \
    its beginning if it has one)";

const NO_DEFERRALS: &str = "holds no deferrals: PowerMTA writes none unless told, so throttling cannot be seen (in the \
    configuration: <acct-file FILE> records d,b,t </acct-file>)";
const NO_SOURCE: &str = "does not tell the sending IP: add it to the columns (in the configuration, in <acct-file FILE>: \
    record-fields d *,dlvSourceIp,vmta and the same for b and t)";
const DAEMON_LOG: &str = "PowerMTA's own log (pmta.log), which does not tell what became of each message: give the \
    accounting file instead (that of <acct-file> in the configuration, often /var/log/pmta/acct.csv)";
/// What tells the daemon's own log.
const DAEMON_WORDS: [&[u8]; 4] = [b"PowerMTA", b"pmta", b"backoff mode", b"back-off mode"];

const NO_HEADER: &str = "no header came before, and it is not in the default order";

pub(crate) struct PowerMta;

impl Format for PowerMta {
    fn name(&self) -> &'static str {
        MTA.0
    }

    fn sample(&self) -> &'static str {
        SAMPLE
    }

    fn score(&self, head: &[u8]) -> f32 {
        let (mut lines, mut own) = (0usize, 0usize);
        for line in whole_lines(head) {
            let line = clean(line);
            lines += 1;
            own += usize::from(Header::read(line).is_some() || looks_like_row(line));
        }
        if own * 2 <= lines { 0.0 } else { own as f32 / lines as f32 }
    }

    /// The header must be seen, and each row: nearly all are attempts, and quotes may go on over lines.
    fn order(&self) -> Order {
        Order::Sequential
    }

    fn begins(&self, opening: &[u8]) -> Option<Begins> {
        let header = Header::read(clean(opening))?;
        Some(Box::new(move |line| header.begins(clean(line))))
    }

    fn retells(&self) -> bool {
        true
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(PowerReader {
            stamper: Stamper::new(clock),
            last_time: LastTime::default(),
            header: Header::read(DEFAULT_HEADER).unwrap_or_default(),
            seen: false,
            is_lost: false,
            told: false,
            rows: Rows::default(),
            scratch: Vec::new(),
        })
    }

    fn blind_spot(&self, seen: &Seen) -> Option<&'static str> {
        if seen.attempts() == 0 {
            None
        } else if seen.deferred == 0 {
            Some(NO_DEFERRALS)
        } else {
            (seen.sourceless == seen.attempts()).then_some(NO_SOURCE)
        }
    }

    fn instead(&self, head: &[u8]) -> Option<&'static str> {
        let (mut lines, mut stamped) = (0usize, 0usize);
        for line in whole_lines(head) {
            let line = clean(line);
            lines += 1;
            let parsed = stamp::parse(line).filter(|(naive, _)| naive.year.is_some());
            stamped += usize::from(parsed.is_some_and(|(_, end)| line.get(end) == Some(&b' ')));
        }
        let named = DAEMON_WORDS.iter().any(|word| memmem::find(head, word).is_some());
        (named && stamped * 2 > lines).then_some(DAEMON_LOG)
    }

    fn origin<'a>(&self, source: &'a [u8]) -> Option<Origin<'a>> {
        Origin::of_key(source, parse_ip)
    }

    /// A `dsnMta` with name and address, not inside the own network.
    fn relay<'a>(&self, dsn_mta: &'a [u8]) -> Option<Relay<'a>> {
        let (host, address) = host_and_address(dsn_mta);
        let ip = parse_ip(&dsn_mta[address]).filter(|ip| !is_here(*ip))?;
        Some(Relay { host: Some(host_name(host)?), ip: Some(ip), port: None })
    }

    /// Without the header: where it stands by default, else the first field that is a stamp.
    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        let line = clean(line);
        Fields::of(line).nth(1).and_then(whole_stamp).or_else(|| Fields::of(line).find_map(whole_stamp))
    }
}

fn clean(line: &[u8]) -> &[u8] {
    let line = syslog::trim(line);
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

/// Whether a line without its header is one of PowerMTA's, in whatever order its columns are.
fn looks_like_row(line: &[u8]) -> bool {
    let (mut count, mut kind, mut time, mut mark) = (0, false, false, false);
    for (index, field) in Fields::of(line).enumerate() {
        count += 1;
        let text = field.text;
        let is_kind = TYPES.contains(&text);
        let is_time = whole_stamp(field).is_some();
        kind |= is_kind;
        time |= is_time;
        mark |= matches!(text, b"relayed" | b"delayed" | b"failed")
            || text.starts_with(b"smtp;")
            || Enhanced::at_start(text).is_some_and(|(_, end)| text[end..].starts_with(b" ("))
            // Receptions have nothing else that is known.
            || (index == 1 && is_time && kind);
    }
    count > 4 && kind && time && mark
}

/// Whether a line that cannot be read without its header holds something that could be.
fn in_another_order(row: &[u8]) -> bool {
    let first = Fields::of(row).next().map_or(&[][..], |field| field.text);
    !TYPES.contains(&first) && looks_like_row(row)
}

struct PowerReader {
    stamper: Stamper,
    last_time: LastTime,
    header: Header,
    /// Whether a header came; else it is the default one.
    seen: bool,
    /// Whether another one came later.
    is_lost: bool,
    /// Whether it was said that none came.
    told: bool,
    rows: Rows,
    scratch: Vec<u8>,
}

impl Reader for PowerReader {
    /// A row on one line, in the order of a header that came, without doubled quotes in what is read of it; the relay's
    /// address, where it stands there twice, is the same.
    fn glance<'a>(&'a mut self, line: &'a [u8]) -> Option<Glance<'a>> {
        if !self.seen || self.rows.wait() {
            return None;
        }
        let mut cells = [None::<&[u8]>; COLUMNS];
        let mut fields = Fields::of(clean(line));
        for role in &self.header.roles {
            let Field { text, doubled, open } = fields.next()?;
            let Some(role) = role else { continue };
            if doubled || open || (*role == Column::Type && text != b"d") {
                return None;
            }
            cells[*role as usize] = Some(text);
        }
        let given = |column: Column| cells[column as usize].filter(|text| !text.is_empty());
        let reply = given(Column::DsnDiag)?.strip_prefix(b"smtp;")?.trim_ascii();
        let is_smtp = given(Column::DlvType).is_none_or(|kind| kind.eq_ignore_ascii_case(b"smtp"));
        let relay = given(Column::DsnMta)?;
        let is_one = given(Column::DlvDestinationIp).is_none_or(|ip| {
            let named = relay.strip_suffix(b")").and_then(|inner| inner.strip_suffix(ip));
            named.is_some_and(|before| before.ends_with(b"("))
        });
        if !starts_with_code(reply) || !is_smtp || !is_one || !fields.close() {
            return None;
        }
        let time = self.time(given(Column::TimeLogged)?)?;
        let raw = |column: Column| cells[column as usize].unwrap_or_default();
        Origin::write_key(&mut self.scratch, raw(Column::DlvSourceIp), raw(Column::Vmta))?;
        let (sender, recipient) = (cells[Column::Orig as usize], given(Column::Rcpt));
        Some(Glance::Delivered(Plain {
            time,
            queue_id: None,
            sender,
            recipient,
            reply,
            source: &self.scratch,
            relay,
        }))
    }

    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        let row = clean(line.bytes);
        let begins = self.rows.wait() && self.header.begins(row);
        let mut rows = std::mem::take(&mut self.rows);
        rows.line(row, line.offset, begins, |row| self.read(&row, out));
        self.rows = rows;
    }

    fn is_lost(&self) -> bool {
        self.is_lost
    }

    fn finish(&mut self, out: &mut dyn FnMut(u64, Record<'_>)) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.finish(|row| self.read(&row, out));
    }
}

impl PowerReader {
    fn time(&mut self, text: &[u8]) -> Option<Time> {
        let Self { stamper, last_time, .. } = self;
        last_time.get(text, || stamper.read(text).map(|(time, ..)| time))
    }

    fn read(&mut self, row: &Row<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        if row.bytes.is_empty() {
            return;
        }
        let assumed = !self.seen && !self.told;
        match self.row(row) {
            Record::Irrelevant => {
                if let Some(header) = Header::read(row.bytes) {
                    self.is_lost |= self.seen && header != self.header;
                    self.header = header;
                    self.seen = true;
                } else if !self.seen && in_another_order(row.bytes) {
                    out(row.offset, Record::Malformed { why: NO_HEADER });
                }
            }
            record => {
                if assumed && !matches!(record, Record::Malformed { .. }) {
                    out(row.offset, Record::Note(ASSUMED));
                }
                out(row.offset, record);
                self.told = true;
            }
        }
    }

    fn row<'a>(&'a mut self, row: &Row<'a>) -> Record<'a> {
        let mut fields = [None::<Field<'a>>; COLUMNS];
        let mut open = false;
        let mut count = 0;
        for (role, field) in self.header.roles.iter().zip(Fields::of(row.bytes)) {
            count += 1;
            open |= field.open;
            let Some(role) = role else { continue };
            fields[*role as usize] = Some(field);
            if *role == Column::Type && kind(field.text).is_none() {
                return Record::Irrelevant;
            }
        }
        let Some(kind) = fields[Column::Type as usize].and_then(|field| kind(field.text)) else {
            return Record::Irrelevant;
        };
        let outcome = kind.outcome();
        if open {
            return Record::Malformed { why: "quotes that do not close" };
        }
        if count < self.header.roles.len() && self.seen {
            return Record::Malformed { why: "fewer columns than the header names" };
        }
        let raw = |column: Column| fields[column as usize].map_or(&[][..], |field| field.text);
        let Some(time) = self.time(raw(Column::TimeLogged)) else {
            let why = if self.seen { "a timeLogged that is no time" } else { NO_HEADER };
            return Record::Malformed { why };
        };
        if !self.seen && memchr(b'@', raw(Column::Rcpt)).is_none() {
            return Record::Malformed { why: NO_HEADER };
        }
        let dlv_type = raw(Column::DlvType);
        if !dlv_type.is_empty() && !dlv_type.eq_ignore_ascii_case(b"smtp") {
            return Record::Irrelevant;
        }
        let spans = unquote(&fields, row.broken, &mut self.scratch);
        let scratch = &self.scratch;
        let value = |column: Column| match &spans[column as usize] {
            Some(span) => &scratch[span.clone()],
            None => raw(column),
        };
        let dsn_mta = value(Column::DsnMta);
        let (host, address) = host_and_address(dsn_mta);
        let relay_ip = parse_ip(value(Column::DlvDestinationIp)).or_else(|| parse_ip(&dsn_mta[address]));
        if relay_ip.is_some_and(is_here) {
            return Record::Irrelevant;
        }
        let reached = !dsn_mta.is_empty() || relay_ip.is_some();
        let status = Enhanced::at_start(value(Column::DsnStatus)).map(|(enhanced, _)| enhanced);
        let answer = match diagnosis(value(Column::DsnDiag)) {
            Diagnosis::Reply(reply) => Answer::Text(reply),
            // A bounce that tells no refusal.
            _ if kind == Kind::CameBack => return Record::Irrelevant,
            // It answered, or it would not be delivered.
            _ if outcome == Outcome::Delivered => codes(status),
            Diagnosis::OwnWords if !reached => {
                return match outcome {
                    Outcome::Deferred => Record::HeldBack { time: Some(time) },
                    _ => Record::Irrelevant,
                };
            }
            Diagnosis::OwnWords => Answer::Nobody,
            // Its time ran out (RFC 3463, x.4.7) while it waited.
            Diagnosis::Nothing
                if !reached && outcome == Outcome::Bounced && matches!(status, Some(Enhanced(_, 4, 7))) =>
            {
                return Record::Irrelevant;
            }
            Diagnosis::Nothing | Diagnosis::NoReply if dsn_mta.is_empty() => Answer::Nobody,
            Diagnosis::Nothing | Diagnosis::NoReply => codes(status),
        };
        let given = |column: Column| Some(value(column)).filter(|value| !value.is_empty());
        let attempt = Attempt {
            time: Some(time),
            mta: MTA,
            host: None,
            queue_id: None,
            source_ip: parse_ip(value(Column::DlvSourceIp)),
            source_name: given(Column::Vmta),
            sender: fields[Column::Orig as usize].map(|_| value(Column::Orig)),
            recipient: given(Column::Rcpt),
            relay_host: host_name(host),
            relay_ip,
            relay_port: None,
            outcome,
            answer,
            greeting: None,
        };
        if kind == Kind::CameBack { Record::Retold(attempt) } else { Record::Attempt(attempt) }
    }
}

/// The types of records that tell of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Delivered,
    Deferred,
    Bounced,
    CameBack,
}

impl Kind {
    fn outcome(self) -> Outcome {
        match self {
            Self::Delivered => Outcome::Delivered,
            Self::Deferred => Outcome::Deferred,
            Self::Bounced | Self::CameBack => Outcome::Bounced,
        }
    }
}

fn kind(kind: &[u8]) -> Option<Kind> {
    Some(match kind {
        b"d" => Kind::Delivered,
        b"t" => Kind::Deferred,
        b"b" => Kind::Bounced,
        b"rb" => Kind::CameBack,
        _ => return None,
    })
}

/// What `dsnDiag` says.
enum Diagnosis<'a> {
    Reply(&'a [u8]),
    /// Of SMTP, and no reply.
    NoReply,
    /// Of another type (`x-pmta;bounce-queue`).
    OwnWords,
    Nothing,
}

fn diagnosis(text: &[u8]) -> Diagnosis<'_> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Diagnosis::Nothing;
    }
    let semicolon = memchr(b';', &text[..text.len().min(24)]);
    let (kind, words) = match semicolon {
        Some(at) if !text[..at].contains(&b' ') => (&text[..at], text[at + 1..].trim_ascii_start()),
        _ => (&b"smtp"[..], text),
    };
    if !kind.eq_ignore_ascii_case(b"smtp") {
        Diagnosis::OwnWords
    } else if starts_with_code(words) {
        Diagnosis::Reply(words)
    } else {
        Diagnosis::NoReply
    }
}

/// It answered, but the text was dropped: the status where it says more than x.0.0.
fn codes(status: Option<Enhanced>) -> Answer<'static> {
    let enhanced = status.filter(|Enhanced(_, subject, detail)| (*subject, *detail) != (0, 0));
    Answer::Codes { smtp: None, enhanced }
}

/// `host (ip)`: the name, and where the address stands. Each may be all of it.
fn host_and_address(text: &[u8]) -> (&[u8], Range<usize>) {
    let blanks = text.len() - text.trim_ascii_start().len();
    let text = text.trim_ascii();
    match text.strip_suffix(b")").and_then(|inner| Some((inner, memrchr(b'(', inner)?))) {
        Some((inner, open)) => (inner[..open].trim_ascii(), blanks + open + 1..blanks + inner.len()),
        None => (text, blanks..blanks + text.len()),
    }
}

#[cfg(test)]
mod tests;
