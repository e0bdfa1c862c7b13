//! Exim's main log: `date time id flag address item … : text`, in its own file or under syslog.

use std::net::IpAddr;

use memchr::{memchr, memmem, memrchr};

use super::pieces::{Joined, Origin, Pieces, piece};
use super::registry::{Format, Line, Order, Reader, Seen, whole_lines};
use super::stamp::{self, Clock, Naive, Stamper};
use super::syslog::{self, Envelope};
use super::text::{answer_text, host_name, is_here, octal, parse_ip, quoted_end, starts_with_code};
use super::wrapped::{Dialect, Out, TextReader};
use super::{Answer, Attempt, Mta, Outcome, Record, Time};

const MTA: Mta = Mta("exim");

/// Exim's main log in its own file.
pub(crate) static MAIN_LOG: MainLog = MainLog;

/// Exim under syslog, where long lines come in pieces.
pub(crate) static EXIM: Dialect = Dialect {
    mta: MTA,
    sample: "May 12 08:31:44 mta1 exim[4711]: 2026-05-12 08:31:44 1uEAbE-0000000BxZ1-3Cde == d@example.org R=dnslookup \
        T=remote_smtp defer (110): Connection timed out H=example-org.mail.protection.outlook.com [198.51.100.14] \
        I=[192.0.2.21] DT=2m7s",
    order: Order::Sequential,
    needles: &[],
    sender_needles: &[],
    is_tag: |tag| tag.starts_with(b"exim"),
    is_text: looks_like_line,
    marks: &[],
    reader: |clock| Box::new(Texts::new(clock)),
    blind_spot,
};

const SAMPLE: &str = "2026-05-12 08:31:44 1uEAbE-0000000BxZ1-3Cde == d@example.org R=dnslookup T=remote_smtp defer (110): \
    Connection timed out H=example-org.mail.protection.outlook.com [198.51.100.14] I=[192.0.2.21] DT=2m7s";

/// The default selector leaves the sending address out.
fn blind_spot(seen: &Seen) -> Option<&'static str> {
    (seen.attempts() > 0 && seen.sourceless == seen.attempts()).then_some(
        "the log does not tell which address sent: set `log_selector = +outgoing_interface` in Exim's configuration",
    )
}

pub(crate) struct MainLog;

impl Format for MainLog {
    fn name(&self) -> &'static str {
        MTA.0
    }

    fn sample(&self) -> &'static str {
        SAMPLE
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
                own += usize::from(looks_like_line(line));
            }
        }
        // Without one message id it is some other program's log.
        if own == 0 || stamped * 2 <= lines {
            return 0.0;
        }
        (0.95 * own as f32 + 0.05 * stamped as f32) / lines as f32
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

    fn blind_spot(&self, seen: &Seen) -> Option<&'static str> {
        blind_spot(seen)
    }
}

struct MainLogReader {
    stamper: Stamper,
    scratch: Vec<u8>,
}

impl Reader for MainLogReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        let text = syslog::trim(line.bytes);
        let Some((time, rest)) = stamped(text, &mut self.stamper) else { return };
        match event(rest, Some(time), None, false, &mut self.scratch) {
            Record::Irrelevant => {}
            record => out(line.offset, record),
        }
    }
}

/// Exim's texts under syslog or in the journal.
struct Texts {
    /// For Exim's own stamps.
    stamper: Stamper,
    pieces: Pieces,
    scratch: Vec<u8>,
}

impl Texts {
    fn new(clock: &Clock) -> Self {
        Self { stamper: Stamper::new(clock), pieces: Pieces::default(), scratch: Vec::new() }
    }

    fn whole(&mut self, envelope: &Envelope<'_>, offset: u64, out: &mut Out<'_>) {
        let (own, rest) = match stamped(envelope.text, &mut self.stamper) {
            Some((time, rest)) => (Some(time), rest),
            None => (None, envelope.text),
        };
        // A syslog stamp that tells its zone is surer than Exim's own, which has the year at least.
        let time = if envelope.zoned { envelope.time } else { own.unwrap_or(envelope.time) };
        match event(rest, Some(time), envelope.host, true, &mut self.scratch) {
            Record::Irrelevant => {}
            record => out(offset, record),
        }
    }

    fn joined(&mut self, joined: &Joined, out: &mut Out<'_>) {
        let envelope = Envelope {
            time: joined.time,
            zoned: joined.zoned,
            host: joined.host.as_deref(),
            tag: b"exim",
            pid: None,
            text: &joined.text,
        };
        self.whole(&envelope, joined.offset, out);
    }
}

impl TextReader for Texts {
    fn read(&mut self, envelope: &Envelope<'_>, offset: u64, out: &mut Out<'_>) -> bool {
        let Some(piece) = piece(envelope.text) else {
            self.whole(envelope, offset, out);
            return true;
        };
        let Envelope { time, zoned, host, pid, .. } = *envelope;
        if let Some(joined) = self.pieces.add(&piece, &Origin { offset, time, zoned, host, pid }) {
            self.joined(&joined, out);
        }
        true
    }

    fn finish(&mut self, out: &mut Out<'_>) {
        let left: Vec<Joined> = self.pieces.drain().collect();
        for joined in &left {
            self.joined(joined, out);
        }
    }
}

/// The stamp of Exim's own that a text under syslog begins with.
pub(crate) fn own_stamp(text: &[u8]) -> Option<Naive> {
    let text = piece(text).map_or(text, |piece| piece.text);
    stamp::parse(text).map(|(naive, _)| naive)
}

/// Reads what follows the stamp.
fn event<'a>(
    text: &'a [u8],
    time: Option<Time>,
    host: Option<&'a [u8]>,
    under_syslog: bool,
    scratch: &'a mut Vec<u8>,
) -> Record<'a> {
    match flagged(text) {
        Some((id, Flag::Tried(outcome), rest)) => {
            read(Delivery { id, outcome, rest }, time, host, under_syslog, scratch)
        }
        Some((queue_id, Flag::Received, rest)) => {
            let (sender, _) = split_address(rest);
            let sender = if sender == b"<>" { b"" } else { sender };
            Record::Queued { host, queue_id, sender }
        }
        None => Record::Irrelevant,
    }
}

/// What stands behind a message id, of the lines that are read.
#[derive(Clone, Copy, Debug)]
enum Flag {
    Tried(Outcome),
    Received,
}

/// A line of the main log, cut behind its flag.
#[derive(Clone, Copy, Debug)]
struct Delivery<'a> {
    id: &'a [u8],
    outcome: Outcome,
    rest: &'a [u8],
}

/// Message id, flag and what follows it, of what follows the stamp; `None` for all other lines.
fn flagged(text: &[u8]) -> Option<(&[u8], Flag, &[u8])> {
    let text = after_pid(text.strip_prefix(b" ").unwrap_or(text));
    let length = id_room(text)?;
    let flag = match text.get(length..length + 4)? {
        b" => " | b" -> " | b" >> " => Flag::Tried(Outcome::Delivered),
        b" == " => Flag::Tried(Outcome::Deferred),
        b" ** " => Flag::Tried(Outcome::Bounced),
        b" <= " => Flag::Received,
        _ => return None,
    };
    id_length(text)?;
    Some((&text[..length], flag, &text[length + 4..]))
}

/// Whether a line without its wrapper is one of Exim's: stamp and message id, or id alone (`syslog_timestamp = false`).
fn looks_like_line(text: &[u8]) -> bool {
    let behind = match stamp::parse(text) {
        Some((_, end)) => text[end..].strip_prefix(b" ").unwrap_or(&[]),
        None => text,
    };
    id_length(after_pid(behind)).is_some()
}

/// `+pid` writes `[1234] `.
fn after_pid(text: &[u8]) -> &[u8] {
    if text.first() != Some(&b'[') {
        return text;
    }
    match memchr(b']', &text[..text.len().min(24)]) {
        Some(close) => text[close + 1..].strip_prefix(b" ").unwrap_or(&text[close + 1..]),
        None => text,
    }
}

/// Message ids are base 62: `6-6-2`, since 4.97 `6-11-4`.
fn id_length(text: &[u8]) -> Option<usize> {
    let length = id_room(text)?;
    let id = text.get(..length)?;
    let ended = text.get(length).is_none_or(|byte| *byte == b' ');
    // All bytes are looked at: that is quicker than to stop at the first.
    let plain = id.iter().fold(true, |plain, byte| plain & (byte.is_ascii_alphanumeric() | (*byte == b'-')));
    (ended && plain).then_some(length)
}

/// How long a message id is whose dashes stand there.
fn id_room(text: &[u8]) -> Option<usize> {
    match (text.get(6)?, text.get(13)?, text.get(18)) {
        (b'-', b'-', _) => Some(16),
        (b'-', _, Some(b'-')) => Some(23),
        _ => None,
    }
}

/// Takes Exim's own stamp off a text; gives the time and what follows.
fn stamped<'a>(text: &'a [u8], stamper: &mut Stamper) -> Option<(Time, &'a [u8])> {
    let (time, _, end) = stamper.read(text)?;
    Some((time, &text[end..]))
}

/// Reads a delivery line. `scratch` holds a reply whose escapes had to be undone.
fn read<'a>(
    delivery: Delivery<'a>,
    time: Option<Time>,
    host: Option<&'a [u8]>,
    under_syslog: bool,
    scratch: &'a mut Vec<u8>,
) -> Record<'a> {
    let Delivery { id, outcome, rest } = delivery;
    let (address, rest) = split_address(rest);
    if address.is_empty() {
        return Record::Malformed { why: "a delivery without an address" };
    }
    let mut items = Items::read(rest);
    let text = items.text;
    if is_waiting(text) {
        return match outcome {
            Outcome::Deferred => Record::HeldBack { time },
            _ => Record::Irrelevant,
        };
    }
    if items.relay.is_none()
        && let Some((host, ip)) = host_in(text)
    {
        items.relay = Some(host);
        items.relay_ip = ip;
    }
    // Expiry without a try, and routers that gave up at home.
    if text == b"retry timeout exceeded" || (items.relay.is_none() && !items.meant_for_smtp()) {
        return Record::Irrelevant;
    }
    if outcome == Outcome::Delivered && items.relay.is_none() {
        return Record::Irrelevant;
    }
    if items.relay_ip.is_some_and(is_here) || items.transport.is_some_and(|name| name.starts_with(b"lmtp")) {
        return Record::Irrelevant;
    }
    let answer = match (outcome, items.confirmation) {
        (Outcome::Delivered, None) => Answer::Codes { smtp: None, enhanced: None },
        (Outcome::Delivered, Some(reply)) => answered(undo(reply, true, under_syslog, scratch)),
        _ => match reply_in(text) {
            Some(reply) => answered(undo(reply, false, under_syslog, scratch)),
            None => Answer::Nobody,
        },
    };
    Record::Attempt(Attempt {
        time,
        mta: MTA,
        host,
        queue_id: Some(id),
        source_ip: items.source_ip,
        source_name: None,
        sender: items.sender,
        recipient: Some(address),
        relay_host: items.relay.and_then(host_name),
        relay_ip: items.relay_ip,
        relay_port: items.relay_port,
        outcome,
        answer,
        greeting: None,
    })
}

/// Nothing was tried: the message only waits. The number in `defer (n)` differs by version, the words do not.
fn is_waiting(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [
        b"retry time not",
        b"Retry time not",
        b"all hosts for ",
        b"SMTP delivery explicitly queued",
        b"domain matches queue",
        b"no host found for existing SMTP connection",
    ];
    WORDS.iter().any(|words| text.starts_with(words))
}

/// The first address, not the original one in `<…>` behind it. Gives the rest from the blank or colon on.
fn split_address(rest: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    if rest.first() == Some(&b'"') {
        at = quoted_end(rest, 1).unwrap_or(0);
    }
    let word = |at: usize| at + memchr(b' ', &rest[at..]).unwrap_or(rest.len() - at);
    let mut end = word(at);
    // A quoted local part comes without its quotes, blanks and all: what follows an address is an item.
    if !rest[..end].contains(&b'@') {
        let items =
            [&b" R="[..], b" <", b" F=<", b" T="].iter().filter_map(|item| memmem::find(rest, item)).min();
        if let Some(at) = items.and_then(|items| memrchr(b'@', &rest[..items])) {
            end = word(at);
        }
    }
    let end = if end > 0 && rest[end - 1] == b':' { end - 1 } else { end };
    (&rest[..end], &rest[end..])
}

/// What stands between the address and the text.
#[derive(Default)]
struct Items<'a> {
    relay: Option<&'a [u8]>,
    relay_ip: Option<IpAddr>,
    relay_port: Option<u16>,
    source_ip: Option<IpAddr>,
    sender: Option<&'a [u8]>,
    router: Option<&'a [u8]>,
    transport: Option<&'a [u8]>,
    confirmation: Option<&'a [u8]>,
    deferred: bool,
    text: &'a [u8],
}

impl<'a> Items<'a> {
    fn read(mut rest: &'a [u8]) -> Self {
        let mut items = Self::default();
        loop {
            // Also a line break's blank, where syslog joined pieces.
            rest = rest.trim_ascii_start();
            let Some(&first) = rest.first() else { break };
            if first == b':' {
                items.text = without_times(rest[1..].trim_ascii());
                break;
            }
            rest = match first {
                b'<' => behind_angle(rest),
                b'H' if rest.starts_with(b"H=") => items.host(&rest[2..]),
                b'I' if rest.starts_with(b"I=[") => {
                    let (ip, _, behind) = address(&rest[2..]);
                    items.source_ip = ip;
                    behind
                }
                b'C' if rest.starts_with(b"C=\"") => {
                    let (value, behind) = quoted(&rest[2..]);
                    items.confirmation = Some(value);
                    behind
                }
                b'D' if rest.starts_with(b"DN=\"") => quoted(&rest[3..]).1,
                b'F' | b'P' if rest[1..].starts_with(b"=<") => {
                    let behind = behind_angle(&rest[2..]);
                    let value = &rest[3..rest.len() - behind.len()];
                    items.sender = Some(value.strip_suffix(b">").unwrap_or(value));
                    behind
                }
                b'd' if rest.starts_with(b"defer (") => items.defer(&rest[7..]),
                _ => items.word(rest),
            };
        }
        items
    }

    /// `H=host [ip]:port*`.
    fn host(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        self.relay = Some(rest[..end].strip_suffix(b":").unwrap_or(&rest[..end]));
        match rest[end..].strip_prefix(b" ") {
            Some(behind) if behind.first() == Some(&b'[') => {
                let (ip, port, behind) = address(behind);
                self.relay_ip = ip;
                self.relay_port = port;
                behind.strip_prefix(b"*").unwrap_or(behind)
            }
            _ if end > 0 && rest[end - 1] == b':' => &rest[end - 1..],
            _ => &rest[end..],
        }
    }

    /// Behind `defer (`: `-45)`, or `110): Connection timed out` with the items behind the error's words.
    fn defer(&mut self, rest: &'a [u8]) -> &'a [u8] {
        self.deferred = true;
        let Some(close) = memchr(b')', rest) else { return &[] };
        let behind = &rest[close + 1..];
        let Some(words) = behind.strip_prefix(b": ") else { return behind };
        // Only an error of the system (a positive number) has its words before the items.
        if rest.first().is_some_and(u8::is_ascii_digit)
            && let Some(items) = memmem::find(words, b" H=")
            && memmem::find(&words[..items], b": ").is_none()
        {
            return &words[items..];
        }
        behind
    }

    /// Any other item, up to the blank or to the colon that begins the text.
    fn word(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let end = memchr(b' ', rest).unwrap_or(rest.len());
        let end = if end > 1 && rest[end - 1] == b':' { end - 1 } else { end };
        let word = &rest[..end];
        if let Some(name) = word.strip_prefix(b"R=") {
            self.router = Some(name);
        } else if let Some(name) = word.strip_prefix(b"T=") {
            self.transport = Some(name);
        }
        &rest[end..]
    }

    /// Without a host (DNS failed) the names that the operator gave must do: those of the default configuration, and of
    /// Debian's, say so.
    fn meant_for_smtp(&self) -> bool {
        let has =
            |name: Option<&[u8]>, part: &[u8]| name.is_some_and(|name| memmem::find(name, part).is_some());
        match self.transport {
            Some(_) => has(self.transport, b"smtp"),
            None => has(self.router, b"dnslookup") && self.deferred,
        }
    }
}

/// `[ip]:port`; gives what follows.
fn address(text: &[u8]) -> (Option<IpAddr>, Option<u16>, &[u8]) {
    let Some(close) = memchr(b']', text) else { return (None, None, &[]) };
    let ip = text.get(1..close).and_then(parse_ip);
    let behind = &text[close + 1..];
    let digits = match behind.strip_prefix(b":") {
        Some(port) => port.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count(),
        None => 0,
    };
    if digits == 0 {
        return (ip, None, behind);
    }
    let port = std::str::from_utf8(&behind[1..=digits]).ok().and_then(|port| port.parse().ok());
    (ip, port, &behind[digits + 1..])
}

/// The content of a quoted item, which may lack its closing quote, and what follows.
fn quoted(text: &[u8]) -> (&[u8], &[u8]) {
    match quoted_end(text, 1) {
        Some(end) => (&text[1..end - 1], &text[end..]),
        None => (without_times(&text[1..]), &[]),
    }
}

/// Behind `<…>`: a quoted local part may hold a `>`, so the one that ends a word.
fn behind_angle(text: &[u8]) -> &[u8] {
    let from = if text.get(1) == Some(&b'"') { quoted_end(text, 2).unwrap_or(0) } else { 0 };
    match memchr(b'>', &text[from..]) {
        Some(close) => &text[from + close + 1..],
        None => &[],
    }
}

/// Takes ` QT=3s DT=2s` off the end: items that some versions write behind the text.
fn without_times(mut text: &[u8]) -> &[u8] {
    loop {
        text = text.trim_ascii_end();
        let Some(blank) = memchr::memrchr(b' ', text) else { return text };
        let word = &text[blank + 1..];
        let value = word.strip_prefix(b"DT=").or_else(|| word.strip_prefix(b"QT="));
        let is_time = |value: &[u8]| {
            value
                .iter()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b's' | b'm' | b'h' | b'd' | b'w'))
        };
        if !value.is_some_and(is_time) {
            return text;
        }
        text = &text[..blank];
    }
}

/// It answered: with a reply, or with something that the log does not tell.
fn answered(reply: &[u8]) -> Answer<'_> {
    answer_text(reply).unwrap_or(Answer::Codes { smtp: None, enhanced: None })
}

/// Old versions name the server in the text: `… after RCPT TO:<…>: host mx.example [192.0.2.1]: 550 …`.
fn host_in(text: &[u8]) -> Option<(&[u8], Option<IpAddr>)> {
    const MARK: &[u8] = b": host ";
    let at = memmem::find(text, MARK)? + MARK.len();
    let end = at + memchr(b' ', &text[at..])?;
    text[end..].starts_with(b" [").then(|| (&text[at..end], address(&text[end + 1..]).0))
}

/// The remote server's reply in the text of a failure.
fn reply_in(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_suffix(b": retry timeout exceeded").unwrap_or(text);
    const MARKS: [&[u8]; 3] = [
        b"SMTP error from remote mail",
        b"Malformed SMTP reply in response to ",
        b"SMTP error from remote host",
    ];
    if MARKS.iter().any(|mark| text.starts_with(mark)) {
        // A quoted local part in the command may hold a colon, so one behind which a reply begins.
        let mut from = 0;
        while let Some(colon) = memmem::find(&text[from..], b": ") {
            let mut reply = &text[from + colon + 2..];
            // Old versions: `host mx.example [192.0.2.1]: 550 …`.
            if reply.starts_with(b"host ")
                && let Some(close) = memmem::find(reply, b"]: ")
            {
                reply = &reply[close + 3..];
            }
            if starts_with_code(reply) {
                return Some(reply);
            }
            from += colon + 2;
        }
        // It answered something that is no reply, or the log was cut before.
        return Some(&[]);
    }
    // The connection closed behind an answer: `… (EHLO response was: 421 4.3.2 …)`. A greeting that was fine is none.
    const EHLO: &[u8] = b"(EHLO response was: ";
    if let Some(at) = memmem::find(text, EHLO) {
        let reply = &text[at + EHLO.len()..];
        let reply = reply.strip_suffix(b")").unwrap_or(reply);
        if starts_with_code(reply) && matches!(reply[0], b'4' | b'5') {
            return Some(reply);
        }
    }
    None
}

/// Undoes what Exim did to print a reply: `\n` between its lines (a blank, as other MTAs write them) and three octal
/// digits; in `C="…"` also the quotes' own backslashes. A backslash of the reply itself stands as it is. rsyslog writes
/// a control character as `#011`.
fn undo<'a>(reply: &'a [u8], quoted: bool, under_syslog: bool, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    let special = if under_syslog {
        memchr::memchr2(b'\\', b'#', reply).is_some()
    } else {
        memchr(b'\\', reply).is_some()
    };
    if !special {
        return reply;
    }
    scratch.clear();
    let mut at = 0;
    while at < reply.len() {
        let rest = &reply[at..];
        let (byte, length) = match rest {
            [b'\\', b'n', ..] => (b' ', 2),
            // `\\n` in a confirmation: escaped once to print it and once more to quote it.
            [b'\\', b'\\', b'n', ..] if quoted => (b' ', 3),
            [b'\\', escaped @ (b'"' | b'\\'), ..] if quoted => (*escaped, 2),
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => (octal(*a, *b, *c), 4),
            [b'#', b'0', b @ b'0'..=b'3', c @ b'0'..=b'7', ..] if under_syslog => (octal(b'0', *b, *c), 4),
            [byte, ..] => (*byte, 1),
            [] => break,
        };
        scratch.push(byte);
        at += length;
    }
    scratch
}

#[cfg(test)]
mod tests;
