//! Sessions of the protocol log: which reply answers which command.
//!
//! Commands may be sent without waiting: each complete reply answers the oldest that has none. `250-` goes on. A reply to
//! none is the greeting at the start, and the end of the data's once recipients were taken. A recipient is settled by the
//! reply to its RCPT TO where that refuses it, by a refused MAIL FROM, else by the end of the data; by nobody where the
//! session ends before.
//!
//! Sessions interleave: 16 MB of them are kept at most, and no more than [`MOST_OPEN`] commands and recipients of one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::record::text::starts_with_code;
use crate::record::{Answer, Outcome};

/// Bytes of all sessions.
const MOST_HELD: usize = 16 << 20;
const MOST_OPEN: usize = 8192;
/// Of a reply of several lines.
const LONGEST_REPLY: usize = 16 * 1024;
/// What an entry takes besides its text.
const ENTRY: usize = 64;
/// A session whose first line here has a higher number began before.
const FIRST_NUMBERS: u32 = 5;

/// A line of the log.
pub(super) struct Step<'a> {
    pub(super) session: &'a [u8],
    pub(super) sequence: &'a [u8],
    pub(super) event: &'a [u8],
    pub(super) data: &'a [u8],
}

/// What a line brought to light.
pub(super) enum Settled<'a> {
    /// `recipient` is `None` where the refusal came before the first, or before the log began.
    Recipient {
        sender: Option<&'a [u8]>,
        recipient: Option<&'a [u8]>,
        outcome: Outcome,
        answer: Answer<'a>,
        greeting: Option<&'a [u8]>,
    },
    /// The log is of what this server received.
    Received,
    Malformed(&'static str),
}

type Out<'o> = dyn FnMut(Settled<'_>) + 'o;

struct Recipient {
    address: Box<[u8]>,
    sender: Option<Arc<[u8]>>,
    transaction: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Hello,
    /// Of a transaction.
    Mail(u32),
    Recipient,
    /// DATA: asks whether the data may come.
    Data(u32),
    /// A part of the data (BDAT), or all of it.
    Chunk {
        transaction: u32,
        last: bool,
    },
    Other,
}

#[derive(Default)]
struct Session {
    /// For the oldest to be found.
    number: u64,
    held: usize,
    /// Its first lines are not in the log.
    begun_before: bool,
    /// It is one that another server opened.
    received: bool,
    greeted: bool,
    greeting: Option<Box<[u8]>>,
    open: VecDeque<Command>,
    transaction: u32,
    sender: Option<Arc<[u8]>>,
    /// In the order of their RCPT TO, which have no reply yet; `None` is settled.
    asked: VecDeque<Option<Recipient>>,
    /// Taken, and waiting for the end of the data.
    taken: Vec<Recipient>,
    /// The lines so far of a reply that goes on.
    reply: Vec<u8>,
}

/// All that are open.
#[derive(Default)]
pub(super) struct Sessions {
    by_id: HashMap<Box<[u8]>, Session>,
    by_number: BTreeMap<u64, Box<[u8]>>,
    next: u64,
    held: usize,
}

impl Sessions {
    pub(super) fn line(&mut self, step: &Step<'_>, out: &mut Out<'_>) {
        if step.event == b"-" {
            if let Some(mut session) = self.forget(step.session) {
                session.end(out);
            }
            return;
        }
        if !matches!(step.event, b"<" | b">" | b"+" | b"*") {
            return out(Settled::Malformed("a line of a session with an unknown event"));
        }
        if !self.by_id.contains_key(step.session) {
            self.begin(step);
        }
        let Some(session) = self.by_id.get_mut(step.session) else { return };
        let before = session.held;
        let ok = match step.event {
            b">" => session.command(step.data, out),
            b"<" => session.reply(step.data, out),
            _ => true,
        };
        self.held = self.held + session.held - before;
        if !ok {
            self.forget(step.session);
        }
        while self.held > MOST_HELD
            && let Some((_, id)) = self.by_number.pop_first()
        {
            if let Some(session) = self.by_id.remove(&id) {
                self.held -= session.held;
                if !session.taken.is_empty() || session.asked.iter().any(Option::is_some) {
                    out(Settled::Malformed("a session that had no answer while very many others began"));
                }
            }
        }
    }

    fn begin(&mut self, step: &Step<'_>) {
        let sequence = std::str::from_utf8(step.sequence).ok().and_then(|text| text.parse::<u32>().ok());
        let begun_before = step.event != b"+" && sequence.is_none_or(|number| number > FIRST_NUMBERS);
        // The id stands in both maps.
        let held = 2 * step.session.len() + 4 * ENTRY;
        let session =
            Session { number: self.next, held, begun_before, greeted: begun_before, ..Session::default() };
        self.held += held;
        self.by_number.insert(self.next, step.session.into());
        self.by_id.insert(step.session.into(), session);
        self.next += 1;
    }

    fn forget(&mut self, id: &[u8]) -> Option<Session> {
        let session = self.by_id.remove(id)?;
        self.by_number.remove(&session.number);
        self.held -= session.held;
        Some(session)
    }
}

impl Session {
    /// False where the session cannot be followed on.
    fn command(&mut self, data: &[u8], out: &mut Out<'_>) -> bool {
        if self.received {
            return true;
        }
        if starts_with_code(data) {
            self.received = true;
            out(Settled::Received);
            return true;
        }
        let verb = |name: &[u8]| data.get(..name.len()).is_some_and(|verb| verb.eq_ignore_ascii_case(name));
        let command = if verb(b"MAIL FROM:") {
            self.transaction = self.transaction.wrapping_add(1);
            self.sender = path(&data[10..]).map(Arc::from);
            self.held += self.sender.as_ref().map_or(0, |sender| sender.len());
            Command::Mail(self.transaction)
        } else if verb(b"RCPT TO:") {
            let Some(address) = path(&data[8..]) else {
                out(Settled::Malformed("a RCPT TO without an address"));
                return false;
            };
            self.held += address.len() + ENTRY;
            self.asked.push_back(Some(Recipient {
                address: address.into(),
                sender: self.sender.clone(),
                transaction: self.transaction,
            }));
            Command::Recipient
        } else if verb(b"DATA") {
            Command::Data(self.transaction)
        } else if verb(b"BDAT ") {
            let last = data.trim_ascii_end().to_ascii_uppercase().ends_with(b" LAST");
            Command::Chunk { transaction: self.transaction, last }
        } else if verb(b"EHLO") || verb(b"HELO") {
            Command::Hello
        } else {
            if verb(b"RSET") {
                self.held -=
                    self.taken.iter().map(|recipient| recipient.address.len() + ENTRY).sum::<usize>();
                self.taken.clear();
            }
            Command::Other
        };
        self.open.push_back(command);
        self.held += ENTRY;
        if self.open.len() > MOST_OPEN || self.taken.len() > MOST_OPEN {
            out(Settled::Malformed("a session with very many commands or recipients without an answer"));
            return false;
        }
        true
    }

    fn reply(&mut self, data: &[u8], out: &mut Out<'_>) -> bool {
        if self.received {
            return true;
        }
        if !starts_with_code(data) {
            let is_command =
                |name: &[u8]| data.get(..name.len()).is_some_and(|verb| verb.eq_ignore_ascii_case(name));
            if [&b"EHLO"[..], b"HELO", b"MAIL FROM:", b"RCPT TO:"].iter().any(|name| is_command(name)) {
                self.received = true;
                out(Settled::Received);
                return true;
            }
            out(Settled::Malformed("a reply that does not begin with its code"));
            return false;
        }
        let goes_on = data.get(3) == Some(&b'-');
        if goes_on || !self.reply.is_empty() {
            self.add(data);
            if goes_on {
                return true;
            }
            let reply = std::mem::take(&mut self.reply);
            self.held -= reply.len();
            self.answer(&reply, out);
        } else {
            self.answer(data, out);
        }
        true
    }

    /// Adds a line to a reply of several: the code, and the enhanced code, once.
    fn add(&mut self, line: &[u8]) {
        let before = self.reply.len();
        let text = line.get(4..).unwrap_or_default();
        if before == 0 {
            self.reply.extend_from_slice(&line[..3]);
            self.reply.push(b' ');
            self.reply.extend_from_slice(text);
        } else if before < LONGEST_REPLY {
            let enhanced = self.reply[4..].split(|byte| *byte == b' ').next().unwrap_or_default();
            let again = !enhanced.is_empty() && enhanced.contains(&b'.') && text.starts_with(enhanced);
            let text = if again { text[enhanced.len()..].trim_ascii_start() } else { text };
            self.reply.push(b' ');
            self.reply.extend_from_slice(text);
        }
        self.reply.truncate(LONGEST_REPLY);
        self.held += self.reply.len() - before;
    }

    /// A complete reply.
    fn answer(&mut self, reply: &[u8], out: &mut Out<'_>) {
        let refused = matches!(reply[0], b'4' | b'5');
        let Some(command) = self.open.pop_front() else { return self.unasked(reply, refused, out) };
        self.held -= ENTRY;
        match command {
            Command::Hello => {
                // Not to know a greeting is no refusal.
                if refused && !reply.starts_with(b"50") {
                    self.emit(None, reply, out);
                }
            }
            Command::Mail(transaction) => {
                if refused {
                    self.refuse_all(transaction, reply, out);
                }
            }
            Command::Recipient => {
                let Some(recipient) = self.asked.pop_front().flatten() else { return };
                if refused {
                    self.held -= recipient.address.len() + ENTRY;
                    self.emit(Some(&recipient), reply, out);
                } else {
                    self.taken.push(recipient);
                }
            }
            Command::Data(transaction) => {
                if reply[0] == b'3' {
                    // The data is no command, and has a reply.
                    self.open.push_front(Command::Chunk { transaction, last: true });
                    self.held += ENTRY;
                } else {
                    self.end_of_data(transaction, reply, out);
                }
            }
            Command::Chunk { transaction, last } => {
                if last || refused {
                    self.end_of_data(transaction, reply, out);
                }
            }
            Command::Other => {}
        }
    }

    /// A reply without a command.
    fn unasked(&mut self, reply: &[u8], refused: bool, out: &mut Out<'_>) {
        if !self.greeted {
            self.greeted = true;
            if refused {
                self.emit(None, reply, out);
            } else {
                let host = reply.get(4..).unwrap_or_default();
                let host = host.split(u8::is_ascii_whitespace).next().unwrap_or_default();
                let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
                if host.contains(&b'.') && host.iter().all(is_name) {
                    self.held += host.len();
                    self.greeting = Some(host.into());
                }
            }
        } else if !self.taken.is_empty() {
            self.end_of_data(self.taken[0].transaction, reply, out);
        } else if self.begun_before && (refused || reply.starts_with(b"250 2.6.0 ")) {
            self.emit(None, reply, out);
        }
    }

    fn end_of_data(&mut self, transaction: u32, reply: &[u8], out: &mut Out<'_>) {
        let (ended, taken) = std::mem::take(&mut self.taken)
            .into_iter()
            .partition::<Vec<_>, _>(|recipient| recipient.transaction == transaction);
        self.taken = taken;
        for recipient in &ended {
            self.held -= recipient.address.len() + ENTRY;
            self.emit(Some(recipient), reply, out);
        }
    }

    fn refuse_all(&mut self, transaction: u32, reply: &[u8], out: &mut Out<'_>) {
        let mut some = false;
        for index in 0..self.asked.len() {
            let is_of =
                self.asked[index].as_ref().is_some_and(|recipient| recipient.transaction == transaction);
            if is_of && let Some(recipient) = self.asked[index].take() {
                self.held -= recipient.address.len() + ENTRY;
                self.emit(Some(&recipient), reply, out);
                some = true;
            }
        }
        if !some {
            self.emit(None, reply, out);
        }
    }

    fn emit(&self, recipient: Option<&Recipient>, reply: &[u8], out: &mut Out<'_>) {
        let outcome = match reply[0] {
            b'4' => Outcome::Deferred,
            b'5' => Outcome::Bounced,
            _ => Outcome::Delivered,
        };
        let sender = match recipient {
            Some(recipient) => recipient.sender.as_deref(),
            None => self.sender.as_deref(),
        };
        out(Settled::Recipient {
            sender,
            recipient: recipient.map(|recipient| &*recipient.address),
            outcome,
            answer: Answer::Text(reply),
            greeting: self.greeting.as_deref(),
        });
    }

    /// The connection is closed: nobody answered for who is left.
    fn end(&mut self, out: &mut Out<'_>) {
        let asked = std::mem::take(&mut self.asked);
        for recipient in self.taken.iter().chain(asked.iter().flatten()) {
            out(Settled::Recipient {
                sender: recipient.sender.as_deref(),
                recipient: Some(&recipient.address),
                outcome: Outcome::Deferred,
                answer: Answer::Nobody,
                greeting: self.greeting.as_deref(),
            });
        }
    }
}

/// The address in `<…>`; a quoted local part may hold the brackets.
fn path(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_start().strip_prefix(b"<")?;
    let (mut quoted, mut at) = (false, 0);
    loop {
        match text.get(at)? {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(&text[..at]),
            _ => {}
        }
        at += 1;
    }
}
