//! Haraka's log, as text or JSON: several lines a try, told together by the id of connection and transaction.
//!
//! | line | here |
//! | --- | --- |
//! | `[CONN.N] [core] recipient <…> code=OK … sender=…` | whom the transaction is for, and who sent |
//! | `[CONN.N.M] [outbound] hook=get_mx params=DOMAIN msg=…` | which of them this part of it is for; relay (`exchange`) and, where a plugin sets it, sending IP (`bind`) |
//! | `recipient <…> deferred: REPLY`, `… rejected: REPLY` | an attempt |
//! | `delivered file=… host=… ip=… response=… rcpts=ok/fail/bounce` | an attempt for each recipient without a line of its own; code and enhanced code are taken off the response |
//! | `bouncing mail: REPLY`, `Temp failing FILE for N seconds: Upstream error: REPLY` | likewise |
//! | `… Too many failures (Upstream error: REPLY)` | likewise, bounced |
//! | `… Tried all MXs` | likewise, without an answer |
//! | `… Some recipients failed: …`, `… temp failed: …` | repeats `recipient` lines |
//! | `Remote end IP:PORT closed …`, `Ongoing connection failed to IP:PORT …` | which address was tried last |
//!
//! JSON has the same: the first words of the message are a key (`"delivered file"`) where fields follow, else `message`.

use std::borrow::Cow;
use std::net::IpAddr;

use memchr::{memchr, memmem};
use serde::Deserialize;

use super::json::{self, Scalar};
use super::recent::{Recent, Weight};
use super::registry::{Format, Line, Order, Reader, whole_lines};
use super::stamp::{self, Clock, Naive, Stamper};
use super::text::{answer_text, host_name, is_here, parse_ip, quoted_end, starts_with_code};
use super::{Answer, Attempt, Mta, Outcome, Record, Time, domain_of};

const MTA: Mta = Mta("haraka");

/// Haraka's log.
pub(crate) static HARAKA: Haraka = Haraka;

const SAMPLE: &str = "2026-05-12T07:01:40.222Z [INFO] [B840081E-6CB8-4FB5-ADD9-5827973462E9.1.1] [outbound] Temp failing \
    1778569200000_1778569200000_0_4242_aB3dEf_7_mx1.example.com for 64 seconds: Tried all MXs";

/// Transactions that are remembered, in bytes: about a hundred thousand.
const LIMIT: usize = 32 << 20;
/// Of one transaction.
const MAX_RECIPIENTS: usize = 1000;
const MAX_PARTS: usize = 100;
const LEVELS: [&[u8]; 10] =
    [b"DATA", b"PROTOCOL", b"DEBUG", b"INFO", b"NOTICE", b"WARN", b"ERROR", b"CRIT", b"ALERT", b"EMERG"];

pub(crate) struct Haraka;

impl Format for Haraka {
    fn name(&self) -> &'static str {
        MTA.0
    }

    fn sample(&self) -> &'static str {
        SAMPLE
    }

    fn score(&self, head: &[u8]) -> f32 {
        let (mut lines, mut own) = (0usize, 0usize);
        for line in whole_lines(head) {
            let line = super::syslog::trim(line);
            lines += 1;
            let body = stamp::parse(line).map_or(line, |(_, end)| line[end..].trim_ascii_start());
            own += usize::from(match body.first() {
                Some(b'{') => [&b"\"level\""[..], b"\"uuid\"", b"\"origin\"", b"\"message\""]
                    .iter()
                    .all(|key| json::has(body, key)),
                _ => Parts::read(body).is_some(),
            });
        }
        if own * 2 <= lines { 0.0 } else { own as f32 / lines as f32 }
    }

    fn needles(&self) -> &'static [&'static [u8]] {
        &[b"recipient <", b"[outbound]", b"\"outbound\""]
    }

    fn order(&self) -> Order {
        Order::Sequential
    }

    fn reader(&self, clock: &Clock) -> Box<dyn Reader + Send> {
        Box::new(HarakaReader {
            stamper: Stamper::new(clock),
            mails: Recent::new(LIMIT),
            scratch: Vec::new(),
        })
    }

    fn naive_stamp(&self, line: &[u8]) -> Option<Naive> {
        let line = super::syslog::trim(line);
        if line.first() == Some(&b'{') {
            return json::stamp_behind(line, b"\"timestamp\"");
        }
        stamp::parse(line).map(|(naive, _)| naive)
    }
}

/// `[LEVEL] [id] [origin] message`.
struct Parts<'a> {
    id: &'a [u8],
    origin: &'a [u8],
    message: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(line: &'a [u8]) -> Option<Self> {
        let (level, rest) = bracketed(line)?;
        let (id, rest) = bracketed(rest)?;
        let (origin, message) = bracketed(rest)?;
        let is_id = id.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'.'));
        (LEVELS.contains(&level) && is_id).then_some(Self { id, origin, message })
    }
}

/// `[inner] rest`.
fn bracketed(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"[")?;
    let close = memchr(b']', inner)?;
    Some((&inner[..close], inner[close + 1..].trim_ascii_start()))
}

/// The fields of a JSON line that matter.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow)]
    timestamp: Scalar<'a>,
    #[serde(borrow)]
    uuid: Scalar<'a>,
    #[serde(borrow)]
    origin: Scalar<'a>,
    #[serde(borrow)]
    message: Scalar<'a>,
    #[serde(borrow)]
    code: Scalar<'a>,
    #[serde(borrow)]
    sender: Scalar<'a>,
    #[serde(borrow)]
    hook: Scalar<'a>,
    #[serde(borrow)]
    params: Scalar<'a>,
    #[serde(borrow)]
    msg: Scalar<'a>,
    #[serde(borrow, rename = "delivered file")]
    delivered: Scalar<'a>,
    #[serde(borrow)]
    domain: Scalar<'a>,
    #[serde(borrow)]
    host: Scalar<'a>,
    #[serde(borrow)]
    ip: Scalar<'a>,
    #[serde(borrow)]
    port: Scalar<'a>,
    #[serde(borrow)]
    mode: Scalar<'a>,
    #[serde(borrow)]
    response: Scalar<'a>,
    #[serde(borrow)]
    rcpts: Scalar<'a>,
}

type Text<'a> = Cow<'a, [u8]>;

/// What a line says.
enum Event<'a> {
    /// The transaction is for this one too.
    Recipient {
        address: Text<'a>,
        sender: Option<Text<'a>>,
    },
    /// Where a part of it goes.
    Mx {
        domain: Text<'a>,
        list: Text<'a>,
    },
    /// One recipient's refusal.
    Refused {
        address: &'a [u8],
        outcome: Outcome,
        reply: &'a [u8],
    },
    /// All others were taken.
    Delivered(Delivered<'a>),
    /// The try has ended, for all without a line of their own.
    Ended {
        outcome: Outcome,
        reason: &'a [u8],
    },
    /// This address was tried, in vain.
    Broke {
        ip: IpAddr,
        port: Option<u16>,
    },
    Malformed(&'static str),
}

struct Delivered<'a> {
    domain: Text<'a>,
    host: Text<'a>,
    ip: Option<IpAddr>,
    port: Option<u16>,
    response: Text<'a>,
    count: usize,
}

impl<'a> Event<'a> {
    /// Of a text line, or of a JSON line whose message says all.
    fn of_message(origin: &[u8], message: &'a [u8]) -> Option<Self> {
        if let Some(rest) = message.strip_prefix(b"recipient <") {
            let Some((address, rest)) = bracket_end(rest).map(|end| (&rest[..end], &rest[end + 1..])) else {
                return Some(Self::Malformed("a recipient's address does not end"));
            };
            if origin == b"core" {
                let accepted = field(rest, b"code").as_deref() == Some(b"OK");
                let sender = field(rest, b"sender");
                return accepted.then_some(Self::Recipient { address: address.into(), sender });
            }
            let verdict = [(&b" deferred: "[..], Outcome::Deferred), (b" rejected: ", Outcome::Bounced)];
            let found =
                verdict.iter().find_map(|(word, outcome)| Some((rest.strip_prefix(*word)?, *outcome)));
            return Some(match found {
                Some((reply, outcome)) => Self::Refused { address, outcome, reply },
                None => Self::Malformed("a recipient without a verdict"),
            });
        }
        if origin != b"outbound" {
            return None;
        }
        if let Some(fields) = message.strip_prefix(b"delivered ") {
            let get = |name: &[u8]| field(fields, name);
            let delivered = Delivered::of(
                get(b"domain"),
                get(b"host"),
                get(b"ip"),
                get(b"port"),
                get(b"response"),
                get(b"rcpts"),
            );
            if get(b"mode").as_deref() == Some(b"LMTP") {
                return None;
            }
            return Some(delivered.map_or(Self::Malformed("a delivery that lacks a field"), Self::Delivered));
        }
        if let Some(fields) = message.strip_prefix(b"hook=get_mx ") {
            let list = field(fields, b"msg").unwrap_or_default();
            return Some(Self::Mx { domain: field(fields, b"params")?, list });
        }
        if let Some(reason) = message.strip_prefix(b"bouncing mail: ") {
            return Some(Self::Ended { outcome: Outcome::Bounced, reason });
        }
        if message.starts_with(b"Temp failing ") {
            let Some(at) = memmem::find(message, b" seconds: ") else {
                return Some(Self::Malformed("a deferral without a reason"));
            };
            return Some(Self::Ended { outcome: Outcome::Deferred, reason: &message[at + 10..] });
        }
        let rest = [&b"Remote end "[..], b"Ongoing connection failed to "]
            .iter()
            .find_map(|words| message.strip_prefix(*words))?;
        let word = &rest[..memchr(b' ', rest)?];
        let colon = memchr::memrchr(b':', word)?;
        let port = std::str::from_utf8(&word[colon + 1..]).ok().and_then(|port| port.parse().ok());
        Some(Self::Broke { ip: parse_ip(&word[..colon])?, port })
    }

    /// Of a JSON line.
    fn of_fields(fields: &'a Fields<'a>) -> Option<Self> {
        let cow = |scalar: &'a Scalar<'a>| scalar.bytes_or_empty().map(Cow::Borrowed);
        let message = fields.message.bytes_or_empty().unwrap_or_default();
        let origin = fields.origin.bytes()?;
        if origin == b"outbound" && fields.delivered != Scalar::Missing {
            if fields.mode.text() == Some("LMTP") {
                return None;
            }
            let port = fields.port.whole().map(|port| port.to_string().into_bytes().into());
            let delivered = Delivered::of(
                cow(&fields.domain),
                cow(&fields.host),
                cow(&fields.ip),
                port,
                cow(&fields.response),
                cow(&fields.rcpts),
            );
            return Some(delivered.map_or(Self::Malformed("a delivery that lacks a field"), Self::Delivered));
        }
        if origin == b"outbound" && fields.hook.text() == Some("get_mx") {
            return Some(Self::Mx {
                domain: cow(&fields.params)?,
                list: cow(&fields.msg).unwrap_or_default(),
            });
        }
        if origin == b"core" {
            let address = message.strip_prefix(b"recipient <")?;
            let address = &address[..bracket_end(address)?];
            let accepted = fields.code.text() == Some("OK");
            return accepted
                .then(|| Self::Recipient { address: address.into(), sender: cow(&fields.sender) });
        }
        Self::of_message(origin, message)
    }
}

impl<'a> Delivered<'a> {
    fn of(
        domain: Option<Text<'a>>,
        host: Option<Text<'a>>,
        ip: Option<Text<'a>>,
        port: Option<Text<'a>>,
        response: Option<Text<'a>>,
        counts: Option<Text<'a>>,
    ) -> Option<Self> {
        let counts = counts?;
        let taken = counts.split(|byte| *byte == b'/').next()?;
        Some(Self {
            domain: domain?,
            host: host?,
            ip: ip.and_then(|ip| parse_ip(&ip)),
            port: port.and_then(|port| std::str::from_utf8(&port).ok()?.parse().ok()),
            response: response?,
            count: std::str::from_utf8(taken).ok()?.parse().ok()?,
        })
    }
}

/// Where the bracket stands that ends an address. A quoted local part may hold one.
fn bracket_end(text: &[u8]) -> Option<usize> {
    let from = if text.first() == Some(&b'"') { quoted_end(text, 1).unwrap_or(0) } else { 0 };
    Some(from + memchr(b'>', &text[from..])?)
}

/// The value of `name=value`, or of `name="value"` with backslashes inside.
fn field<'a>(mut text: &'a [u8], wanted: &[u8]) -> Option<Text<'a>> {
    loop {
        text = text.trim_ascii_start();
        let equals = memchr(b'=', text)?;
        let name = &text[..equals];
        let value = &text[equals + 1..];
        let (value, rest, quoted) = if value.first() == Some(&b'"') {
            let end = quoted_end(value, 1)?;
            (&value[1..end - 1], &value[end..], true)
        } else {
            let (value, rest) = value.split_at(memchr(b' ', value).unwrap_or(value.len()));
            (value, rest, false)
        };
        if name == wanted {
            return Some(if quoted { unquote(value) } else { value.into() });
        }
        text = rest;
    }
}

fn unquote(value: &[u8]) -> Text<'_> {
    if memchr(b'\\', value).is_none() {
        return value.into();
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value.iter();
    while let Some(&byte) = rest.next() {
        plain.push(match byte {
            b'\\' => match rest.next() {
                Some(b'n' | b'r' | b't') => b' ',
                Some(&escaped) => escaped,
                None => byte,
            },
            _ => byte,
        });
    }
    plain.into()
}

/// A transaction.
#[derive(Debug, Default)]
struct Mail {
    sender: Option<Box<[u8]>>,
    recipients: Vec<Box<[u8]>>,
    parts: Vec<Part>,
}

/// What of it goes to one domain.
#[derive(Debug, Default)]
struct Part {
    /// The last number of its id.
    number: Box<[u8]>,
    domain: Option<Box<[u8]>>,
    relay: Option<Box<[u8]>>,
    source: Option<IpAddr>,
    last_tried: Option<(IpAddr, Option<u16>)>,
    /// Who is still to be served, and whether this try had a line for them alone.
    open: Vec<(Box<[u8]>, bool)>,
}

impl Weight for Mail {
    fn bytes(&self) -> usize {
        let recipients = self.recipients.iter().map(|address| address.len() + 16).sum::<usize>();
        let parts = self.parts.iter().map(|part| {
            size_of::<Part>() + part.open.iter().map(|(address, _)| address.len() + 24).sum::<usize>()
        });
        recipients + parts.sum::<usize>()
    }
}

impl Mail {
    fn has(&self, number: &[u8]) -> bool {
        self.parts.iter().any(|part| *part.number == *number)
    }

    /// The part of that number. A new one is for all recipients of its domain; where nobody told the domain, for all if
    /// they have but one.
    fn part(&mut self, number: &[u8], domain: Option<&[u8]>) -> &mut Part {
        let at = self.parts.iter().position(|part| *part.number == *number);
        let at = at.unwrap_or_else(|| {
            if self.parts.len() == MAX_PARTS {
                self.parts.remove(0);
            }
            let mut domains = self.recipients.iter().map(|address| domain_of(address).unwrap_or_default());
            let first = domains.next();
            let same = domains.all(|other| first.is_some_and(|first| first.eq_ignore_ascii_case(other)));
            let domain = domain.or(first.filter(|_| same));
            let is_meant = |address: &[u8]| {
                domain
                    .is_some_and(|domain| domain_of(address).unwrap_or_default().eq_ignore_ascii_case(domain))
            };
            let meant = self.recipients.iter().filter(|address| is_meant(address));
            let open = meant.map(|address| (address.clone(), false));
            self.parts.push(Part {
                number: number.into(),
                domain: domain.map(Into::into),
                open: open.collect(),
                ..Part::default()
            });
            self.parts.len() - 1
        });
        &mut self.parts[at]
    }
}

struct HarakaReader {
    stamper: Stamper,
    mails: Recent<Mail>,
    scratch: Vec<u8>,
}

impl Reader for HarakaReader {
    fn line(&mut self, line: Line<'_>, out: &mut dyn FnMut(u64, Record<'_>)) {
        let text = super::syslog::trim(line.bytes);
        let (mut time, body) = match self.stamper.read(text) {
            Some((time, _, end)) => (Some(time), text[end..].trim_ascii_start()),
            None => (None, text),
        };
        let mut out = |record: Record<'_>| out(line.offset, record);
        if body.first() != Some(&b'{') {
            let Some(parts) = Parts::read(body) else { return };
            let (Some(event), Some(time)) = (Event::of_message(parts.origin, parts.message), time) else {
                return;
            };
            return self.event(parts.id, &event, time, &mut out);
        }
        let body = String::from_utf8_lossy(body);
        let Ok(fields) = serde_json::from_str::<Fields<'_>>(&body) else {
            return out(Record::Malformed { why: "a broken JSON record" });
        };
        if time.is_none() {
            time = json::time(&fields.timestamp, &mut self.stamper);
        }
        let (Some(id), Some(event)) = (fields.uuid.bytes(), Event::of_fields(&fields)) else { return };
        match time {
            Some(time) => self.event(id, &event, time, &mut out),
            None => out(Record::Malformed { why: "a delivery without a time" }),
        }
    }
}

impl HarakaReader {
    fn event(&mut self, id: &[u8], event: &Event<'_>, time: Time, out: &mut dyn FnMut(Record<'_>)) {
        if let Event::Malformed(why) = event {
            return out(Record::Malformed { why });
        }
        if let Event::Recipient { address, sender } = event {
            let mail = self.mails.entry(id, 2 * address.len() + 40);
            if let Some(sender) = sender {
                mail.sender = Some((**sender).into());
            }
            if mail.recipients.len() < MAX_RECIPIENTS {
                mail.recipients.push((**address).into());
            }
            return;
        }
        let Some(dot) = memchr::memrchr(b'.', id) else { return };
        let (key, number) = (&id[..dot], &id[dot + 1..]);
        let domain = match event {
            Event::Mx { domain, .. } => Some(&**domain),
            Event::Delivered(delivered) => Some(&*delivered.domain),
            Event::Refused { address, .. } => domain_of(address),
            _ => None,
        };
        let more = match self.mails.get(key) {
            // The log began in its middle.
            None => 200,
            Some(mail) if mail.has(number) => 0,
            Some(mail) => size_of::<Part>() + mail.bytes(),
        };
        let mail = self.mails.entry(key, more);
        let sender = mail.sender.clone();
        let part = mail.part(number, domain);
        let attempt = Attempt {
            time: Some(time),
            mta: MTA,
            host: None,
            queue_id: Some(id),
            source_ip: part.source,
            source_name: None,
            sender: sender.as_deref(),
            recipient: None,
            relay_host: None,
            relay_ip: None,
            relay_port: None,
            greeting: None,
            outcome: Outcome::Delivered,
            answer: Answer::Nobody,
        };
        match event {
            Event::Recipient { .. } | Event::Malformed(_) => {}
            Event::Mx { domain, list } => {
                part.domain = Some((**domain).into());
                (part.relay, part.source) = mx(list);
                part.last_tried = None;
                part.open.iter_mut().for_each(|(_, told)| *told = false);
            }
            Event::Broke { ip, port } => part.last_tried = Some((*ip, *port)),
            Event::Refused { address, outcome, reply } => {
                let at = part.open.iter().position(|(open, _)| **open == **address);
                match (outcome, at) {
                    (Outcome::Bounced, Some(at)) => drop(part.open.remove(at)),
                    (Outcome::Deferred, Some(at)) => part.open[at].1 = true,
                    (Outcome::Deferred, None) if part.open.len() < MAX_RECIPIENTS => {
                        part.open.push(((*address).into(), true));
                    }
                    _ => {}
                }
                out(Record::Attempt(Attempt {
                    recipient: Some(address),
                    relay_host: part.relay.as_deref().and_then(host_name),
                    outcome: *outcome,
                    answer: answer_text(reply).unwrap_or(Answer::Codes { smtp: None, enhanced: None }),
                    ..attempt
                }));
            }
            Event::Delivered(delivered) => {
                let (deferred, taken): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut part.open).into_iter().partition(|(_, told)| *told);
                part.open = deferred;
                if delivered.ip.is_some_and(is_here) {
                    return;
                }
                let attempt = Attempt {
                    relay_host: host_name(&delivered.host),
                    relay_ip: delivered.ip,
                    relay_port: delivered.port,
                    answer: response(&delivered.response, &mut self.scratch),
                    ..attempt
                };
                if taken.len() == delivered.count {
                    for (recipient, _) in &taken {
                        out(Record::Attempt(Attempt { recipient: Some(recipient), ..attempt.clone() }));
                    }
                    return;
                }
                // Who it was is not told, the domain is.
                let recipient = [b"@", &*delivered.domain].concat();
                for _ in 0..delivered.count.min(1000) {
                    out(Record::Attempt(Attempt { recipient: Some(&recipient), ..attempt.clone() }));
                }
            }
            Event::Ended { outcome, reason } => {
                let nobody_else = part.open.iter().any(|(_, told)| *told);
                let waiting: Vec<Box<[u8]>> =
                    part.open.iter().filter(|(_, told)| !told).map(|(address, _)| address.clone()).collect();
                part.open.iter_mut().for_each(|(_, told)| *told = false);
                let Some(answer) = ended(reason) else { return };
                if answer == Answer::Nobody && nobody_else {
                    return;
                }
                let attempt = Attempt {
                    relay_host: part.relay.as_deref().and_then(host_name),
                    relay_ip: part.last_tried.filter(|_| answer == Answer::Nobody).map(|(ip, _)| ip),
                    relay_port: part.last_tried.and_then(|(_, port)| port),
                    outcome: *outcome,
                    answer,
                    ..attempt
                };
                let by_domain = part.domain.as_ref().map(|domain| [b"@", &**domain].concat());
                if waiting.is_empty() {
                    out(Record::Attempt(Attempt { recipient: by_domain.as_deref(), ..attempt }));
                } else {
                    for recipient in &waiting {
                        out(Record::Attempt(Attempt { recipient: Some(recipient), ..attempt.clone() }));
                    }
                }
                if *outcome == Outcome::Bounced {
                    part.open.clear();
                }
            }
        }
    }
}

/// What ended a try for all that were left; `None` where it only repeats `recipient` lines.
fn ended(reason: &[u8]) -> Option<Answer<'_>> {
    let reason = match reason.strip_prefix(b"Too many failures (") {
        Some(inner) => inner.strip_suffix(b")").unwrap_or(inner),
        None => reason,
    };
    if reason.starts_with(b"Some recipients ") {
        return None;
    }
    let reply = reason.strip_prefix(b"Upstream error: ").unwrap_or(reason);
    Some(answer_text(reply).unwrap_or(Answer::Nobody))
}

/// Puts the code back that Haraka takes off; with Exchange's `2.6.0`, which is told by the words behind it.
fn response<'a>(response: &[u8], scratch: &'a mut Vec<u8>) -> Answer<'a> {
    scratch.clear();
    if !starts_with_code(response) {
        let exchange = memmem::find(response, b" [InternalId=").is_some();
        scratch.extend_from_slice(if exchange { b"250 2.6.0 " } else { b"250 " });
    }
    scratch.extend_from_slice(response);
    Answer::Text(scratch)
}

/// The host that is tried first, and the address that is to be sent from: a list or an object of servers, or one.
fn mx(list: &[u8]) -> (Option<Box<[u8]>>, Option<IpAddr>) {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Server {
        exchange: Option<String>,
        priority: Option<f64>,
        bind: Option<String>,
    }
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(list) else { return (None, None) };
    let servers: Vec<serde_json::Value> = match value {
        serde_json::Value::Array(all) => all,
        serde_json::Value::Object(one) if one.contains_key("exchange") => vec![one.into()],
        serde_json::Value::Object(all) => all.into_iter().map(|(_, server)| server).collect(),
        _ => return (None, None),
    };
    let servers = servers.into_iter().filter_map(|server| serde_json::from_value::<Server>(server).ok());
    let first = servers.min_by(|a, b| a.priority.unwrap_or(0.0).total_cmp(&b.priority.unwrap_or(0.0)));
    let Some(first) = first else { return (None, None) };
    let relay = first.exchange.map(|name| name.into_bytes().into());
    (relay, first.bind.and_then(|address| parse_ip(address.as_bytes())))
}

#[cfg(test)]
mod tests;
