//! Exchange (on-premises): the protocol log of its send connectors, and message tracking. Both are CSV whose columns a
//! `#Fields:` line names.
//!
//! | protocol log | here |
//! | --- | --- |
//! | `session-id`, `event`, `data` | sessions are put together: see [`session`] |
//! | `date-time` | time, of the line with the reply |
//! | `local-endpoint`, `remote-endpoint` | sending IP; relay's address and port. No relay is named |
//! | `connector-id` | source name |
//!
//! | message tracking | here |
//! | --- | --- |
//! | `event-id` | with `source` `SMTP`: `SENDEXTERNAL` delivered, `DEFER` deferred, `FAIL` bounced; others are no attempts |
//! | `recipient-address`, `recipient-status` | an attempt a recipient; its reply, in `{LED=…}` or alone |
//! | `{FQDN=…}`, `{IP=…}`; `server-hostname`, `server-ip` | relay, of what failed; of what was delivered |
//! | `client-ip` | sending IP, of what was delivered |
//! | `client-hostname`, `connector-id`, `internal-message-id` | host, source name, queue id |
//! | `return-path`, else `sender-address` | sender |
//!
//! A `DEFER` without a reply only waits: what was refused stands in the protocol log.

use memchr::{memchr, memmem};

use self::session::{Sessions, Settled};
use super::csv::{Field, Fields, Row, Rows, has_odd_quotes, unquote};
use super::registry::{Begins, Format, Line, Order, Reader, whole_lines};
use super::stamp::{self, Clock, Naive, Stamper};
use super::text::{Addresses, host_name, is_here, parse_ip, starts_with_code};
use super::{Answer, Attempt, Mta, Outcome, Record, Time, syslog};
use crate::text::{self, near_literal};

mod session;

const MTA: Mta = Mta("exchange");

/// Exchange's protocol logs and message tracking.
pub(crate) static EXCHANGE: Exchange = Exchange;

const SAMPLE: &str = "2026-05-12T07:55:00.123Z,,EX01,,,08DEA1B20C3D6004,To Internet,SMTP,DEFER,5001,<x1@example.com>,\
    8e9b967e-b07a-46d7-081f-08d8f8f9f0a1,d@hotmail.com,\"[{LED=441 4.4.1 Error encountered while communicating with \
    primary target IP address: \"\"Failed to connect. Winsock error code: 10060\"\"};{MSG=};\
    {FQDN=hotmail-com.olc.protection.outlook.com};{IP=198.51.100.12};{LRT=5/12/2026 7:55:00 AM}]\",4096,1,,,Invoice,\
    n@example.com,n@example.com,,Originating,,,,,Email,0b6c9a2e-1d3f-4e5a-9b7c-8d6e5f4a3b2c,15.02.1748.010";

const PROTOCOL: &[u8] =
    b"date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context";
const TRACKING: &[u8] = b"date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,connector-id,\
    source,event-id,internal-message-id,message-id,network-message-id,recipient-address,recipient-status,total-bytes,\
    recipient-count,related-recipient-address,reference,message-subject,sender-address,return-path,message-info,\
    directionality,tenant-id,original-client-ip,original-server-ip,custom-data,transport-traffic-type,log-id,\
    schema-version";

/// For the user.
const RECEIVES: &str = "holds what this server received: what it sent is in the protocol log of its send connectors \
    (ProtocolLog\\SmtpSend; Set-SendConnector -ProtocolLoggingLevel Verbose)";
const ASSUMED: &str =
    "has no #Fields line: the columns of message tracking are taken to be those of Exchange 2019";

const WAITS: &str = "message tracking does not tell why mail was deferred: the protocol log of the send connectors does \
    (Set-SendConnector NAME -ProtocolLoggingLevel Verbose)";

/// Begins the statuses that pass on another server's reply.
const PASSED_ON: &[u8] = b"Primary target IP address responded with: \"";
/// In statuses that Exchange makes up itself.
const OWN_WORDS: [&[u8]; 9] = [
    b"Error encountered while communicating",
    b"Failed to connect",
    b"Unable to connect",
    b"Connection dropped",
    b"Connection timed out",
    b"DNS query failed",
    b"SocketError",
    b"Winsock",
    b"SMTPSEND.",
];
/// In statuses of messages whose time ran out.
const EXPIRED: [&[u8]; 2] = [b"QUEUE.Expired", b"QUEUE.TimeToLive"];

/// The columns that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    DateTime,
    ConnectorId,
    SessionId,
    Sequence,
    Local,
    Remote,
    Event,
    Data,
    ClientIp,
    ClientHostname,
    ServerIp,
    ServerHostname,
    Source,
    EventId,
    InternalMessageId,
    Recipient,
    Status,
    SenderAddress,
    ReturnPath,
}

const COLUMNS: usize = 19;
const NAMES: [(&[u8], Column); COLUMNS] = [
    (b"date-time", Column::DateTime),
    (b"connector-id", Column::ConnectorId),
    (b"session-id", Column::SessionId),
    (b"sequence-number", Column::Sequence),
    (b"local-endpoint", Column::Local),
    (b"remote-endpoint", Column::Remote),
    (b"event", Column::Event),
    (b"data", Column::Data),
    (b"client-ip", Column::ClientIp),
    (b"client-hostname", Column::ClientHostname),
    (b"server-ip", Column::ServerIp),
    (b"server-hostname", Column::ServerHostname),
    (b"source", Column::Source),
    (b"event-id", Column::EventId),
    (b"internal-message-id", Column::InternalMessageId),
    (b"recipient-address", Column::Recipient),
    (b"recipient-status", Column::Status),
    (b"sender-address", Column::SenderAddress),
    (b"return-path", Column::ReturnPath),
];

pub(crate) struct Exchange;

impl Format for Exchange {
    fn name(&self) -> &'static str {
        MTA.0
    }

    fn sample(&self) -> &'static str {
        SAMPLE
    }

    fn score(&self, head: &[u8]) -> f32 {
        let (mut lines, mut own) = (0usize, 0usize);
        // The header may be the very first line.
        let first = clean(text::lines(head).next().unwrap_or_default());
        let mut named = Header::of_comment(first).is_some();
        for line in whole_lines(head) {
            let line = clean(line);
            if line.first() == Some(&b'#') {
                // Others are what other logs of Microsoft's begin with as well.
                let is_header = Header::of_comment(line).is_some();
                named |= is_header;
                lines += usize::from(is_header);
                own += usize::from(is_header);
                continue;
            }
            lines += 1;
            // Which columns there are is the operator's choice, where a header names them.
            own += usize::from(if named { begins(line).is_some() } else { kind_of_row(line).is_some() });
        }
        if own * 2 <= lines { 0.0 } else { own as f32 / lines as f32 }
    }

    /// The header must be seen, sessions go on over lines, and so may quotes.
    fn order(&self) -> Order {
        Order::Sequential
    }

    /// Of message tracking.
    fn begins(&self, opening: &[u8]) -> Option<Begins> {
        let header = text::lines(opening).filter_map(|line| Header::of_comment(clean(line))).last();
        let header = header.filter(|header| header.kind() == Some(Kind::Tracking))?;
        Some(Box::new(move |line| header.begins(clean(line))))
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(ExchangeReader {
            stamper: Stamper::new(clock),
            protocol: Header::read(PROTOCOL).unwrap_or_default(),
            tracking: Header::read(TRACKING).unwrap_or_default(),
            named: None,
            receives: false,
            is_lost: false,
            told_assumed: false,
            told_waits: false,
            rows: Rows::default(),
            sessions: Sessions::default(),
            addresses: Addresses::default(),
            scratch: Vec::new(),
        })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        begins(clean(line))
    }
}

fn clean(line: &[u8]) -> &[u8] {
    let line = syslog::trim(line);
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

/// Each record begins with its time.
fn begins(line: &[u8]) -> Option<Naive> {
    let (naive, end) = line.first().filter(|byte| byte.is_ascii_digit()).and_then(|_| stamp::parse(line))?;
    (line.get(10) == Some(&b'T') && line.get(end) == Some(&b',')).then_some(naive)
}

/// Which of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Protocol,
    Tracking,
}

/// Of a line without its header.
fn kind_of_row(line: &[u8]) -> Option<Kind> {
    begins(line)?;
    let is = |text: &[u8], byte: fn(&u8) -> bool| !text.is_empty() && text.iter().all(byte);
    let (mut sequence, mut source, mut event) = (false, false, false);
    for (index, Field { text, .. }) in Fields::of(line).take(16).enumerate() {
        match index {
            3 => sequence = is(text, u8::is_ascii_digit),
            6 if sequence && matches!(text, b"<" | b">" | b"+" | b"-" | b"*") => return Some(Kind::Protocol),
            7 => source = is(text, u8::is_ascii_uppercase),
            8 => event = is(text, u8::is_ascii_uppercase),
            15 if source && event => return Some(Kind::Tracking),
            _ => {}
        }
    }
    None
}

/// Which field holds what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Header {
    /// By index of the field.
    roles: Vec<Option<Column>>,
}

impl Header {
    fn read(names: &[u8]) -> Option<Self> {
        let mut roles: Vec<Option<Column>> = names
            .split(|byte| *byte == b',')
            .map(|name| {
                let name = name.trim_ascii();
                NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, column)| *column)
            })
            .collect();
        while roles.last() == Some(&None) {
            roles.pop();
        }
        let header = Self { roles };
        header.kind().map(|_| header)
    }

    fn of_comment(line: &[u8]) -> Option<Self> {
        Self::read(line.strip_prefix(b"#Fields:")?.trim_ascii())
    }

    /// Whether a record of message tracking in this order begins with the line. What goes on in a quoted field and looks the
    /// same has one quote more.
    fn begins(&self, line: &[u8]) -> bool {
        if has_odd_quotes(line) {
            return false;
        }
        let is_word = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_uppercase);
        let mut words = 0;
        for (role, field) in self.roles.iter().zip(Fields::of(line)) {
            if matches!(role, Some(Column::Source | Column::EventId)) {
                words += usize::from(is_word(field.text));
            }
        }
        words == 2 && begins(line).is_some()
    }

    fn kind(&self) -> Option<Kind> {
        let has = |column| self.roles.contains(&Some(column));
        if !has(Column::DateTime) {
            None
        } else if has(Column::SessionId) && has(Column::Event) && has(Column::Data) {
            Some(Kind::Protocol)
        } else if has(Column::EventId) && has(Column::Recipient) {
            Some(Kind::Tracking)
        } else {
            None
        }
    }
}

struct ExchangeReader {
    stamper: Stamper,
    /// The columns of either log, as the last header named them.
    protocol: Header,
    tracking: Header,
    /// What the last header was of.
    named: Option<Kind>,
    /// Whether the stretch is a log of receptions.
    receives: bool,
    /// Whether another header came later, or another log.
    is_lost: bool,
    /// Whether it was said that no header came, and that reasons are missing.
    told_assumed: bool,
    told_waits: bool,
    rows: Rows,
    sessions: Sessions,
    addresses: Addresses,
    scratch: Vec<u8>,
}

impl Reader for ExchangeReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        let row = clean(line.bytes);
        let begins = self.rows.wait() && (row.first() == Some(&b'#') || begins(row).is_some());
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

/// A record by column.
type Values<'a> = [&'a [u8]; COLUMNS];

impl ExchangeReader {
    fn read(&mut self, row: &Row<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        if row.bytes.first() == Some(&b'#') {
            return self.comment(row, out);
        }
        if row.bytes.is_empty() || self.receives {
            return;
        }
        let Some(naive) = begins(row.bytes) else {
            return out(row.offset, Record::Malformed { why: "a record that does not begin with its time" });
        };
        let Some(kind) = self.named.or_else(|| kind_of_row(row.bytes)) else {
            return out(
                row.offset,
                Record::Malformed { why: "a record of neither log, and no #Fields line" },
            );
        };
        let roles = match kind {
            Kind::Protocol => &self.protocol.roles,
            Kind::Tracking => &self.tracking.roles,
        };
        let mut fields = [None::<Field<'_>>; COLUMNS];
        let (mut open, mut count) = (false, 0);
        for (role, field) in roles.iter().zip(Fields::of(row.bytes)) {
            count += 1;
            open |= field.open;
            let Some(role) = *role else { continue };
            fields[role as usize] = Some(field);
            // Most rows are of other events.
            if kind == Kind::Tracking && role == Column::EventId && outcome(field.text).is_none() {
                return;
            }
        }
        let fewer = count < roles.len();
        let raw = |column: Column| fields[column as usize].map_or(&[][..], |field| field.text);
        if kind == Kind::Tracking && (raw(Column::Source) != b"SMTP" || raw(Column::EventId).is_empty()) {
            return;
        }
        if open || fewer {
            let why = if open { "quotes that do not close" } else { "fewer columns than the header names" };
            return out(row.offset, Record::Malformed { why });
        }
        let time = self.stamper.time(&naive);
        let mut scratch = std::mem::take(&mut self.scratch);
        let spans = unquote(&fields, row.broken, &mut scratch);
        let mut values: Values<'_> = [&[]; COLUMNS];
        for (index, value) in values.iter_mut().enumerate() {
            *value = match &spans[index] {
                Some(span) => &scratch[span.clone()],
                None => fields[index].map_or(&[][..], |field| field.text),
            };
        }
        let mut out = |record: Record<'_>| out(row.offset, record);
        match kind {
            Kind::Protocol => self.protocol(time, &values, &mut out),
            Kind::Tracking => {
                if self.named.is_none() && !std::mem::replace(&mut self.told_assumed, true) {
                    out(Record::Note(ASSUMED));
                }
                let mut waits = false;
                tracking(time, &values, &mut self.addresses, &mut |record| {
                    waits |= matches!(record, Record::HeldBack { .. });
                    out(record);
                });
                if waits && !std::mem::replace(&mut self.told_waits, true) {
                    out(Record::Note(WAITS));
                }
            }
        }
        self.scratch = scratch;
    }

    fn comment(&mut self, row: &Row<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        let line = row.bytes.to_ascii_lowercase();
        if let Some(kind) = line.strip_prefix(b"#log-type:") {
            let receives = memmem::find(kind, b"receive").is_some();
            self.is_lost |= self.named.is_some() && receives != self.receives;
            self.receives = receives;
            if self.receives {
                out(row.offset, Record::Note(RECEIVES));
            }
        } else if let Some(header) = Header::of_comment(row.bytes)
            && let Some(named) = header.kind()
        {
            let known = match named {
                Kind::Protocol => &mut self.protocol,
                Kind::Tracking => &mut self.tracking,
            };
            self.is_lost |= self.named.is_some() && (self.named != Some(named) || *known != header);
            *known = header;
            self.named = Some(named);
        }
    }

    fn protocol(&mut self, time: Time, values: &Values<'_>, out: &mut dyn FnMut(Record<'_>)) {
        let value = |column: Column| values[column as usize];
        let (relay_ip, relay_port) = endpoint(value(Column::Remote));
        if relay_ip.is_some_and(is_here) {
            return;
        }
        let base = Attempt {
            time: Some(time),
            mta: MTA,
            host: None,
            queue_id: None,
            source_ip: endpoint(value(Column::Local)).0,
            source_name: Some(value(Column::ConnectorId)).filter(|name| !name.is_empty()),
            sender: None,
            recipient: None,
            relay_host: None,
            relay_ip,
            relay_port,
            outcome: Outcome::Deferred,
            answer: Answer::Nobody,
            greeting: None,
        };
        let line = session::Step {
            session: value(Column::SessionId),
            sequence: value(Column::Sequence),
            event: value(Column::Event),
            data: value(Column::Data),
        };
        self.sessions.line(&line, &mut |settled| match settled {
            Settled::Recipient { sender, recipient, outcome, answer, greeting } => {
                out(Record::Attempt(Attempt {
                    sender,
                    recipient,
                    outcome,
                    answer,
                    greeting,
                    ..base.clone()
                }));
            }
            Settled::Received => out(Record::Note(RECEIVES)),
            Settled::Malformed(why) => out(Record::Malformed { why }),
        });
    }
}

/// `192.0.2.61:51112`, `[2001:db8::1]:25`: address and port.
fn endpoint(text: &[u8]) -> (Option<std::net::IpAddr>, Option<u16>) {
    let Some(colon) = memchr::memrchr(b':', text) else { return (parse_ip(text), None) };
    let (host, port) = (&text[..colon], &text[colon + 1..]);
    let host = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
    let port = std::str::from_utf8(port).ok().and_then(|port| port.parse().ok());
    (parse_ip(host), port)
}

fn outcome(event: &[u8]) -> Option<Outcome> {
    Some(match event {
        b"SENDEXTERNAL" => Outcome::Delivered,
        b"DEFER" => Outcome::Deferred,
        b"FAIL" => Outcome::Bounced,
        _ => return None,
    })
}

fn tracking(time: Time, values: &Values<'_>, addresses: &mut Addresses, out: &mut dyn FnMut(Record<'_>)) {
    let value = |column: Column| values[column as usize];
    let given = |column: Column| Some(value(column)).filter(|value| !value.is_empty());
    let Some(outcome) = outcome(value(Column::EventId)) else { return };
    let recipients = parts(value(Column::Recipient), |_| true);
    if recipients.is_empty() {
        return out(Record::Malformed { why: "a delivery without recipient-address" });
    }
    let statuses = statuses(value(Column::Status), recipients.len());
    let sender = given(Column::ReturnPath).or_else(|| given(Column::SenderAddress));
    let delivered = outcome == Outcome::Delivered;
    for (index, recipient) in recipients.into_iter().enumerate() {
        let text = statuses.get(index).or_else(|| statuses.last()).copied().unwrap_or_default();
        let status = Status::read(text);
        let (relay_host, relay_ip) = if delivered {
            (value(Column::ServerHostname), addresses.parse(value(Column::ServerIp)))
        } else {
            (status.host, parse_ip(status.ip))
        };
        if relay_ip.is_some_and(is_here) {
            continue;
        }
        let says = |words: &[&[u8]]| words.iter().any(|words| memmem::find(status.text, words).is_some());
        let answer = match reply(status.text) {
            None if delivered => Answer::Codes { smtp: None, enhanced: None },
            None if outcome == Outcome::Deferred => {
                out(Record::HeldBack { time: Some(time) });
                continue;
            }
            None => {
                out(Record::Malformed { why: "a FAIL without a reply in recipient-status" });
                continue;
            }
            Some(_) if !delivered && says(&EXPIRED) => continue,
            Some(reply) if !delivered && is_own(reply) => Answer::Nobody,
            Some(reply) => Answer::Text(reply),
        };
        out(Record::Attempt(Attempt {
            time: Some(time),
            mta: MTA,
            host: given(Column::ClientHostname)
                .or_else(|| given(Column::ServerHostname).filter(|_| !delivered)),
            queue_id: given(Column::InternalMessageId),
            source_ip: addresses.parse(value(Column::ClientIp)).filter(|_| delivered),
            source_name: given(Column::ConnectorId),
            sender: sender.map(|sender| if sender == b"<>" { &[][..] } else { sender }),
            recipient: Some(recipient),
            relay_host: host_name(relay_host),
            relay_ip,
            relay_port: None,
            outcome,
            answer,
            greeting: None,
        }));
    }
}

/// Parts between semicolons outside of quotes, where each fits.
fn parts(text: &[u8], fits: impl Fn(&[u8]) -> bool) -> Vec<&[u8]> {
    let (mut found, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b';' if !quoted && fits(&text[at + 1..]) => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[start..]);
    found.retain(|part| !part.is_empty());
    found
}

/// The recipients' statuses: one for all, or as many as there are recipients.
fn statuses(text: &[u8], recipients: usize) -> Vec<&[u8]> {
    if recipients == 1 {
        return vec![text];
    }
    let listed = parts(text, |rest| rest.starts_with(b"[{") || starts_with_code(rest));
    if listed.len() == recipients { listed } else { vec![text] }
}

/// A status taken apart: `[{LED=…};{MSG=…};{FQDN=…};{IP=…};{LRT=…}]`, in any order, or the text alone.
#[derive(Default)]
struct Status<'a> {
    text: &'a [u8],
    host: &'a [u8],
    ip: &'a [u8],
}

impl<'a> Status<'a> {
    fn read(text: &'a [u8]) -> Self {
        let text = text.trim_ascii();
        let Some(mut rest) = text.strip_prefix(b"[{") else { return Self { text, ..Self::default() } };
        let mut status = Self::default();
        // A reply may hold braces: only what begins the next pair ends a value.
        loop {
            let end = memchr::memchr_iter(b'}', rest).find(|at| {
                matches!(&rest[at + 1..], [b';', b'{', next @ ..] if is_key(next)) || &rest[at + 1..] == b"]"
            });
            let pair = &rest[..end.unwrap_or(rest.len())];
            if let Some(equals) = memchr(b'=', pair) {
                let value = &pair[equals + 1..];
                match &pair[..equals] {
                    b"LED" => status.text = value,
                    b"FQDN" => status.host = value,
                    b"IP" => status.ip = value,
                    _ => {}
                }
            }
            match end {
                Some(end) if rest[end + 1] == b';' => rest = &rest[end + 3..],
                _ => return status,
            }
        }
    }
}

fn is_key(text: &[u8]) -> bool {
    let letters = text.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    letters > 0 && text.get(letters) == Some(&b'=')
}

/// What the remote server said, or what Exchange did.
fn reply(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii();
    let Some(at) = near_literal(PASSED_ON, text) else { return starts_with_code(text).then_some(text) };
    let inner = &text[at + PASSED_ON.len()..];
    let end = memmem::find(inner, b"\" Attempted failover")
        .or_else(|| memmem::find(inner, b"\". Attempted failover"))
        .or_else(|| memmem::find(inner, b".\" Attempted failover"))
        .or_else(|| memchr::memrchr(b'"', inner))
        .unwrap_or(inner.len());
    let inner = inner[..end].trim_ascii();
    Some(if starts_with_code(inner) { inner } else { text })
}

/// A remote server's reply may say the same, with its name in brackets at the end.
fn is_own(reply: &[u8]) -> bool {
    !reply.ends_with(b"]") && OWN_WORDS.iter().any(|words| memmem::find(reply, words).is_some())
}

#[cfg(test)]
mod tests;
