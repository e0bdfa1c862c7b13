//! Bounce messages (RFC 3464, RFC 6533): mbox, or a message a file.
//!
//! | field | here |
//! | --- | --- |
//! | `Action` | `failed` bounced, `delayed` deferred, `delivered` and `relayed` delivered; `expanded` is no attempt |
//! | `X-Actual-Recipient`, else `Final-Recipient`, else `Original-Recipient` | recipient |
//! | `Diagnostic-Code` of type `smtp` | reply; of another type the MTA's own words: nobody answered |
//! | `Status` | what is left of the reply where there is no `Diagnostic-Code` |
//! | `Remote-MTA` | relay: `host`, `host (ip)`, `[ip]`; in `host (TCP\|local\|port\|remote\|port)` the sending IP too |
//! | `Last-Attempt-Date`, else the message's `Date`, else `Arrival-Date` | time |
//! | `Reporting-MTA` | host |
//! | `X-Postfix-Queue-ID`, `X-Postfix-Sender` (else the bounce's `To`) | queue id, sender |
//! | `X-PowerMTA-VirtualMTA` | source name |
//!
//! A bounce repeats what a log says, so all its attempts are [`Record::Retold`]. Some MTAs leave the reply, or its later
//! lines, to the text for people (OpenSMTPD, Sendmail): it is taken from there.
//!
//! What is kept of a message is bounded: see the constants.

use std::iter;

use memchr::{memchr, memchr_iter, memchr2_iter, memmem};

use super::mime::{self, Base64, Encoding};
use super::registry::{Format, Line, Order, Reader};
use super::stamp::{self, Clock, Naive, Stamper};
use super::{Mta, Record, Time};
use crate::text::lines;

mod group;
mod text;

use group::{Group, bare};
use text::Texts;

const MTA: Mta = Mta("dsn");

/// Bounce messages.
pub(crate) static DSN: Dsn = Dsn;

const SAMPLE: &str = "Final-Recipient: rfc822; c2@example.org Action: delayed Status: 4.4.1 Diagnostic-Code: X-Postfix; connect to example-org.mail.protection.outlook.com[198.51.100.14]:25: Connection timed out";

/// Of a field with its folded lines, and of a decoded line: more is cut.
const MAX_FIELD: usize = 64 << 10;
/// Parts in parts; deeper ones are text.
const MAX_DEPTH: usize = 16;
/// RFC 2046 allows 70.
const MAX_BOUNDARY: usize = 256;

/// Fields that stand in no other kind of text at a line's start.
const REPORT_FIELDS: [&[u8]; 2] = [b"Final-Recipient:", b"Reporting-MTA:"];
/// Fields that a message begins with.
const MESSAGE_FIELDS: [&[u8]; 14] = [
    b"Return-Path:",
    b"Received:",
    b"Delivered-To:",
    b"X-Original-To:",
    b"Date:",
    b"From:",
    b"To:",
    b"Subject:",
    b"Message-ID:",
    b"MIME-Version:",
    b"Content-Type:",
    b"Auto-Submitted:",
    b"X-Failed-Recipients:",
    b"DKIM-Signature:",
];
/// Where another field begins, on a line that holds several.
const RUN_TOGETHER: [&[u8]; 9] = [
    b" Final-Recipient: ",
    b" Original-Recipient: ",
    b" Action: ",
    b" Status: ",
    b" Remote-MTA: ",
    b" Diagnostic-Code: ",
    b" Last-Attempt-Date: ",
    b" Will-Retry-Until: ",
    b" Arrival-Date: ",
];

pub(crate) struct Dsn;

impl Format for Dsn {
    fn name(&self) -> &'static str {
        MTA.0
    }

    fn sample(&self) -> &'static str {
        SAMPLE
    }

    fn score(&self, head: &[u8]) -> f32 {
        let mut begins = iter::once(0).chain(memchr2_iter(b'\n', b'\r', head).map(|end| end + 1));
        if begins.any(|at| REPORT_FIELDS.iter().any(|field| starts_with(&head[at..], field))) {
            return 0.6;
        }
        let first = lines(head).find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
        let mut after_blank = true;
        let in_mbox = lines(head).any(|line| {
            let begins = after_blank && is_from_line(line);
            after_blank = line.trim_ascii().is_empty();
            begins
        });
        if in_mbox {
            return 0.5;
        }
        // A header of two known fields, each with its blank, and nothing in it that is no field.
        let known = lines(head)
            .skip_while(|line| line.trim_ascii().is_empty())
            .take_while(|line| is_folded(line) || field_name(line).is_some())
            .filter(|line| MESSAGE_FIELDS.iter().any(|field| starts_with(line, field)))
            .take(2)
            .count();
        let begins_with_field = field_name(first).is_some();
        if begins_with_field && known == 2 { 0.5 } else { 0.0 }
    }

    fn spans_lines(&self) -> bool {
        true
    }

    fn order(&self) -> Order {
        Order::Sequential
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(DsnReader {
            stamper: Stamper::new(clock),
            mbox: None,
            after_blank: true,
            message: None,
            boundaries: Vec::new(),
            place: Place::Header { of_part: false },
            part: Part::default(),
            field: Field::default(),
            decoded: Decoded::default(),
            group: Group::default(),
            scratch: Vec::new(),
        })
    }

    /// None: the stamps of a message tell their zone, and a returned message's are no times of this file.
    fn naive_stamp(&self, _: &[u8]) -> Option<Naive> {
        None
    }

    fn retells(&self) -> bool {
        true
    }
}

/// Without case.
fn starts_with(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// `From sender Tue Nov 24 02:36:29 2026`: begins a message in an mbox.
fn is_from_line(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let words = || rest.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let is_time =
        |word: &[u8]| matches!(word, [b'0'..=b'2', b'0'..=b'9', b':', b'0'..=b'5', b'0'..=b'9', ..]);
    words().any(|word| stamp::month(word).is_some()) && words().any(is_time)
}

/// A line that goes on with the field before it.
fn is_folded(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t')) && !line.trim_ascii().is_empty()
}

/// `Name:` at a line's start.
fn field_name(line: &[u8]) -> Option<&[u8]> {
    let name = &line[..memchr(b':', &line[..line.len().min(80)])?];
    let plain = name.iter().all(u8::is_ascii_graphic);
    (plain && !name.is_empty()).then_some(name)
}

/// Where in a message a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The fields of a message, or of a part.
    Header { of_part: bool },
    /// Text for people, or what stands before the first part.
    Text,
    /// The report's fields.
    Report,
    /// Pictures, the returned message, …
    Skip,
}

/// What the fields of a part say of it.
#[derive(Clone, Debug, Default)]
struct Part {
    kind: Vec<u8>,
    boundary: Vec<u8>,
    encoding: Encoding,
}

/// What is known of the message that is read.
#[derive(Debug, Default)]
struct Message {
    offset: u64,
    date: Option<Time>,
    /// The bounce goes to the sender of the message that it tells of.
    to: Vec<u8>,
    /// By its fields it is a bounce.
    from_daemon: bool,
    is_report: bool,
    /// `report-type` of another kind: a complaint, a receipt.
    is_other_report: bool,
    /// A boundary was met: what the parts are is known.
    in_parts: bool,
    /// A recipient was told of.
    has_group: bool,
    host: Vec<u8>,
    queue_id: Vec<u8>,
    sender: Vec<u8>,
    arrival: Option<Time>,
    texts: Texts,
}

/// A field whose folded lines may still come.
#[derive(Debug, Default)]
struct Field {
    name: Vec<u8>,
    value: Vec<u8>,
    offset: u64,
}

/// A line that is being decoded.
#[derive(Debug, Default)]
struct Decoded {
    line: Vec<u8>,
    offset: u64,
    base64: Base64,
}

struct DsnReader {
    stamper: Stamper,
    /// `None` before the first line.
    mbox: Option<bool>,
    after_blank: bool,
    message: Option<Message>,
    boundaries: Vec<Vec<u8>>,
    place: Place,
    part: Part,
    field: Field,
    decoded: Decoded,
    group: Group,
    scratch: Vec<u8>,
}

type Out<'o> = dyn FnMut(u64, Record<'_>) + 'o;

impl Reader for DsnReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        let bytes = line.bytes.strip_suffix(b"\r").unwrap_or(line.bytes);
        // A file whose lines end in CR is one line for the rest of the program.
        let is_many = memchr_iter(b'\r', bytes).any(|at| {
            [&b"Final-Recipient:"[..], b"Action:"].iter().any(|field| starts_with(&bytes[at + 1..], field))
        });
        if !is_many {
            return self.one_line(bytes, line.offset, out);
        }
        let mut offset = line.offset;
        for part in bytes.split(|byte| *byte == b'\r') {
            self.one_line(part, offset, out);
            offset += part.len() as u64 + 1;
        }
    }

    fn finish(&mut self, out: &mut dyn FnMut(u64, Record<'_>)) {
        self.end_of_message(out);
    }
}

impl DsnReader {
    fn one_line(&mut self, line: &[u8], offset: u64, out: &mut Out<'_>) {
        let blank = line.trim_ascii().is_empty();
        let after_blank = std::mem::replace(&mut self.after_blank, blank);
        let line = if self.message.is_none() {
            if blank {
                return;
            }
            super::syslog::trim(line).strip_prefix(b"\xef\xbb\xbf").unwrap_or(super::syslog::trim(line))
        } else {
            line
        };
        if after_blank && self.mbox != Some(false) && is_from_line(line) {
            self.mbox = Some(true);
            self.end_of_message(out);
            self.begin_message(offset);
            return;
        }
        let mbox = *self.mbox.get_or_insert(false);
        if self.message.is_none() {
            self.begin_message(offset);
        }
        let line = if mbox { unquote(line) } else { line };
        if line.starts_with(b"--") && self.boundary(line, out) {
            return;
        }
        match self.place {
            Place::Header { of_part } => self.header(line, offset, of_part, out),
            Place::Skip => {}
            Place::Text | Place::Report => match self.part.encoding {
                Encoding::Plain => self.body(line, offset, out),
                Encoding::QuotedPrintable => {
                    self.room_for_decoded(offset);
                    if !mime::quoted_printable(line, &mut self.decoded.line) {
                        self.decoded_line(out);
                    }
                }
                Encoding::Base64 => {
                    for piece in line.chunks(1024) {
                        self.room_for_decoded(offset);
                        let mut base64 = std::mem::take(&mut self.decoded.base64);
                        base64.push(piece, &mut self.decoded.line);
                        self.decoded.base64 = base64;
                        self.decoded_lines(offset, out);
                    }
                }
            },
        }
    }

    fn begin_message(&mut self, offset: u64) {
        self.message = Some(Message { offset, ..Message::default() });
        self.boundaries.clear();
        self.place = Place::Header { of_part: false };
        self.part = Part::default();
    }

    fn end_of_message(&mut self, out: &mut Out<'_>) {
        self.end_of_part(out);
        let Some(message) = self.message.take() else { return };
        let is_bounce = message.is_report || message.from_daemon && !message.is_other_report;
        if is_bounce && !message.has_group {
            out(
                message.offset,
                Record::Malformed { why: "a bounce without the part for programs (RFC 3464)" },
            );
        }
    }

    /// What was open ends here.
    fn end_of_part(&mut self, out: &mut Out<'_>) {
        if matches!(self.place, Place::Text | Place::Report) && !self.decoded.line.is_empty() {
            self.decoded_line(out);
        }
        self.decoded = Decoded::default();
        match self.place {
            Place::Report => {
                self.end_of_field(out);
                self.end_of_group(out);
            }
            Place::Header { of_part } => {
                if let Some(message) = &mut self.message {
                    self.part.take(&self.field, of_part, message, &mut self.stamper);
                }
            }
            Place::Text | Place::Skip => {}
        }
        self.field.name.clear();
        self.group = Group::default();
    }

    /// Whether the line parts the message here.
    fn boundary(&mut self, line: &[u8], out: &mut Out<'_>) -> bool {
        let text = line[2..].trim_ascii_end();
        let is_end = |open: &Vec<u8>| text.strip_suffix(b"--").is_some_and(|name| name == open.as_slice());
        let Some(depth) = self.boundaries.iter().rposition(|open| text == open.as_slice() || is_end(open))
        else {
            // Of a part whose boundary nobody named.
            if self.place == Place::Report {
                self.end_of_part(out);
                self.place = Place::Skip;
                return true;
            }
            return false;
        };
        self.end_of_part(out);
        let ends = is_end(&self.boundaries[depth]);
        self.boundaries.truncate(if ends { depth } else { depth + 1 });
        self.place = if ends { Place::Skip } else { Place::Header { of_part: true } };
        self.part = Part::default();
        if let Some(message) = &mut self.message {
            message.in_parts = true;
        }
        true
    }

    fn header(&mut self, line: &[u8], offset: u64, of_part: bool, out: &mut Out<'_>) {
        if is_folded(line) {
            return self.field.go_on(line);
        }
        let Some(message) = &mut self.message else { return };
        self.part.take(&self.field, of_part, message, &mut self.stamper);
        self.field.name.clear();
        if line.trim_ascii().is_empty() {
            return self.begin_body();
        }
        if !of_part && is_report_field(line) {
            // The part for programs alone.
            self.place = Place::Report;
            self.part = Part::default();
            return self.body(line, offset, out);
        }
        if let Some(name) = field_name(line) {
            self.field.begin(name, &line[name.len() + 1..], offset);
        }
    }

    fn begin_body(&mut self) {
        let Some(message) = &mut self.message else { return };
        let kind = self.part.kind.to_ascii_lowercase();
        self.place = match kind.as_slice() {
            b"message/delivery-status" | b"message/global-delivery-status" => Place::Report,
            b"" | b"text/plain" => Place::Text,
            // Somebody passed a bounce on; in a bounce it is the message that came back.
            b"message/rfc822" | b"message/global" if !message.is_report && !message.has_group => {
                message.in_parts = false;
                self.part = Part::default();
                Place::Header { of_part: false }
            }
            kind if kind.starts_with(b"multipart/") => {
                let boundary = std::mem::take(&mut self.part.boundary);
                if !boundary.is_empty() && self.boundaries.len() < MAX_DEPTH {
                    self.boundaries.push(boundary);
                }
                Place::Text
            }
            _ => Place::Skip,
        };
    }

    /// A line of a part, decoded.
    fn body(&mut self, line: &[u8], offset: u64, out: &mut Out<'_>) {
        let Some(message) = &mut self.message else { return };
        if self.place == Place::Text {
            if message.in_parts || !is_report_field(line) {
                return message.texts.line(line);
            }
            self.place = Place::Report;
        }
        if line.trim_ascii().is_empty() {
            self.end_of_field(out);
            self.end_of_group(out);
        } else if is_folded(line) {
            self.field.go_on(line);
        } else {
            self.end_of_field(out);
            if let Some(name) = field_name(line) {
                self.field.begin(name, &line[name.len() + 1..], offset);
            }
        }
    }

    fn room_for_decoded(&mut self, offset: u64) {
        if self.decoded.line.is_empty() {
            self.decoded.offset = offset;
        }
        self.decoded.line.truncate(MAX_FIELD);
    }

    fn decoded_line(&mut self, out: &mut Out<'_>) {
        let mut line = std::mem::take(&mut self.decoded.line);
        self.body(line.strip_suffix(b"\r").unwrap_or(&line), self.decoded.offset, out);
        line.clear();
        self.decoded.line = line;
    }

    /// The whole lines of what was decoded; `offset` is where the next one begins.
    fn decoded_lines(&mut self, offset: u64, out: &mut Out<'_>) {
        while let Some(end) = memchr(b'\n', &self.decoded.line) {
            let rest = self.decoded.line.split_off(end + 1);
            self.decoded.line.pop();
            self.decoded_line(out);
            self.decoded.line = rest;
            self.decoded.offset = offset;
        }
    }

    /// A field of the report is whole.
    fn end_of_field(&mut self, out: &mut Out<'_>) {
        if self.field.name.is_empty() {
            return;
        }
        let field = std::mem::take(&mut self.field);
        let cuts = if is_recipient(&field.name) { cuts(&field.value) } else { Vec::new() };
        let end = cuts.first().copied().unwrap_or(field.value.len());
        self.report_field(&field.name, &field.value[..end], field.offset, out);
        for (index, cut) in cuts.iter().enumerate() {
            let end = cuts.get(index + 1).copied().unwrap_or(field.value.len());
            let text = &field.value[cut + 1..end];
            if let Some(name) = field_name(text) {
                self.report_field(name, &text[name.len() + 1..], field.offset, out);
            }
        }
        self.field.recycle(field);
    }

    fn report_field(&mut self, name: &[u8], value: &[u8], offset: u64, out: &mut Out<'_>) {
        let value = value.trim_ascii();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        // A blank line is missing.
        let begins = is("Final-Recipient") && !self.group.final_.is_empty()
            || is("Action") && !self.group.action.is_empty()
            || is("Reporting-MTA") && self.group.is_used();
        if begins {
            self.end_of_group(out);
        }
        let Some(message) = &mut self.message else { return };
        if is("Reporting-MTA") && message.has_group {
            // Another report, in a file of reports alone.
            message.queue_id.clear();
            message.sender.clear();
            message.arrival = None;
        }
        let group = &mut self.group;
        let (field, rank) = if is("Final-Recipient") {
            (&mut group.final_, 1)
        } else if is("X-Actual-Recipient") {
            (&mut group.actual, 0)
        } else if is("Original-Recipient") {
            (&mut group.original, 0)
        } else if is("Action") {
            (&mut group.action, 0)
        } else if is("Status") {
            (&mut group.status, 2)
        } else if is("Remote-MTA") {
            (&mut group.remote, 0)
        } else if is("Diagnostic-Code") {
            (&mut group.diagnosis, 3)
        } else if is("X-PowerMTA-VirtualMTA") {
            (&mut group.source_name, 0)
        } else if is("Last-Attempt-Date") {
            group.last_attempt = stamp::rfc5322(value).map(|naive| self.stamper.time(&naive));
            return;
        } else if is("Arrival-Date") {
            message.arrival = stamp::rfc5322(value).map(|naive| self.stamper.time(&naive));
            return;
        } else if is("Reporting-MTA") {
            (&mut message.host, 0)
        } else if is("X-Postfix-Sender") {
            (&mut message.sender, 0)
        } else if is("X-Postfix-Queue-ID") {
            (&mut message.queue_id, 0)
        } else {
            return;
        };
        field.clear();
        field.extend_from_slice(value);
        if rank > group.offset.0 {
            group.offset = (rank, offset);
        }
    }

    fn end_of_group(&mut self, out: &mut Out<'_>) {
        let group = std::mem::take(&mut self.group);
        if !group.is_used() {
            return;
        }
        let Some(message) = &mut self.message else { return };
        message.has_group = true;
        let mut whole = std::mem::take(&mut self.scratch);
        let record = group.record(message, &mut whole);
        out(group.offset.1, record);
        self.scratch = whole;
    }
}

/// mboxo quotes `From ` in a text with `>`, mboxrd quotes that too.
fn unquote(line: &[u8]) -> &[u8] {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    if quotes > 0 && line[quotes..].starts_with(b"From ") { &line[1..] } else { line }
}

fn is_report_field(line: &[u8]) -> bool {
    REPORT_FIELDS.iter().any(|field| starts_with(line, field))
}

fn is_recipient(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"Final-Recipient") || name.eq_ignore_ascii_case(b"Reporting-MTA")
}

/// Where other fields begin in a value. The words of a reply may read like one: behind it only a date or a recipient.
fn cuts(value: &[u8]) -> Vec<usize> {
    let mut cuts = Vec::new();
    let mut in_reply = false;
    for at in memchr_iter(b' ', value) {
        let Some(field) = RUN_TOGETHER.iter().find(|field| starts_with(&value[at..], field)) else {
            continue;
        };
        let ends_reply =
            matches!(*field, b" Final-Recipient: " | b" Last-Attempt-Date: " | b" Will-Retry-Until: ");
        if in_reply && !ends_reply {
            continue;
        }
        in_reply = *field == b" Diagnostic-Code: ";
        cuts.push(at);
        if cuts.len() == 4096 {
            break;
        }
    }
    cuts
}

impl Part {
    /// A field of a header is whole.
    fn take(&mut self, field: &Field, of_part: bool, message: &mut Message, stamper: &mut Stamper) {
        if field.name.is_empty() {
            return;
        }
        let value = field.value.trim_ascii();
        let is = |known: &str| field.name.eq_ignore_ascii_case(known.as_bytes());
        if is("Content-Type") {
            self.kind = mime::main_value(value).to_vec();
            self.boundary = mime::parameter(value, b"boundary").unwrap_or_default().to_vec();
            self.boundary.truncate(MAX_BOUNDARY);
            if let (false, Some(kind)) = (of_part, mime::parameter(value, b"report-type")) {
                message.is_report = kind.eq_ignore_ascii_case(b"delivery-status");
                message.is_other_report = !message.is_report;
            }
        } else if is("Content-Transfer-Encoding") {
            self.encoding = Encoding::of(value);
        }
        if of_part {
            return;
        }
        if is("Date") {
            message.date = stamp::rfc5322(value).map(|naive| stamper.time(&naive));
        } else if is("To") {
            message.to = bare(value).to_vec();
        } else if is("From") {
            message.from_daemon |= memmem::find(&value.to_ascii_lowercase(), b"mailer-daemon").is_some();
        } else if is("X-Failed-Recipients") {
            message.from_daemon = true;
        }
    }
}

impl Field {
    fn begin(&mut self, name: &[u8], value: &[u8], offset: u64) {
        self.name.clear();
        self.name.extend_from_slice(name);
        self.value.clear();
        self.value.extend_from_slice(&value[..value.len().min(MAX_FIELD)]);
        self.offset = offset;
    }

    /// A line break and what indents the next line stand for the blank that was there.
    fn go_on(&mut self, line: &[u8]) {
        if !self.value.ends_with(b" ") {
            self.value.push(b' ');
        }
        let room = MAX_FIELD.saturating_sub(self.value.len());
        let line = line.trim_ascii_start();
        self.value.extend_from_slice(&line[..line.len().min(room)]);
        self.value.truncate(MAX_FIELD);
    }

    /// Keeps the memory of a field that is done with.
    fn recycle(&mut self, mut field: Self) {
        field.name.clear();
        *self = field;
    }
}

#[cfg(test)]
mod tests;
