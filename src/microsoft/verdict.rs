//! What a reply means, and the codes at its start.

use std::borrow::Cow;

use serde::Serialize;

use super::entry::Entry;
use super::{Class, Signal};
use crate::record::Enhanced;

/// `reply_id` of what Microsoft took.
pub const ACCEPTED: &str = "accepted";
/// `reply_id` where nobody answered.
pub const NO_REPLY: &str = "no-reply";
/// How a verdict was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Text and code agree.
    Exact,
    /// The text alone.
    Text,
    /// The code alone.
    Code,
    /// Not in the catalogue, or one of several readings.
    Guess,
}

/// What a reply means.
#[derive(Clone, Debug)]
pub struct Verdict<'c> {
    /// `reply_id`.
    pub id: Cow<'c, str>,
    /// The catalogue's entry, if it knows the reply.
    pub entry: Option<&'c Entry>,
    pub class: Class,
    pub signal: Signal,
    pub certainty: Certainty,
}

impl Verdict<'static> {
    /// Microsoft took the message: for successes whose code the log drops (Sendmail, Momentum).
    pub const fn accepted() -> Self {
        Self {
            id: Cow::Borrowed(ACCEPTED),
            entry: None,
            class: Class::Accepted,
            signal: Signal::Pass,
            certainty: Certainty::Exact,
        }
    }

    /// Nobody answered.
    pub const fn no_reply() -> Self {
        Self {
            id: Cow::Borrowed(NO_REPLY),
            entry: None,
            class: Class::Connection,
            signal: Signal::Skip,
            certainty: Certainty::Exact,
        }
    }

    /// Microsoft answered what the catalogue does not know; RFC 3463's subject gives the class. Never a block.
    pub fn unknown(codes: ReplyCodes) -> Self {
        let id = match (codes.enhanced, codes.smtp) {
            (Some(enhanced), _) => format!("unknown-{enhanced}").into(),
            (None, Some(smtp)) => format!("unknown-{smtp:03}").into(),
            (None, None) => Cow::Borrowed("unknown-none"),
        };
        let class = match codes.enhanced {
            Some(Enhanced(_, 1, _)) => Class::Recipient,
            Some(Enhanced(_, 2, 2)) => Class::Quota,
            Some(Enhanced(_, 2, _)) => Class::Recipient,
            Some(Enhanced(_, 3 | 4, _)) => Class::TransientInfrastructure,
            Some(Enhanced(_, 5 | 6, _)) => Class::Protocol,
            _ => Class::Unknown,
        };
        let signal = match class {
            Class::Recipient | Class::Quota | Class::Protocol => Signal::Pass,
            _ => Signal::Skip,
        };
        Self { id, entry: None, class, signal, certainty: Certainty::Guess }
    }
}

/// The codes of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyCodes {
    pub smtp: Option<u16>,
    pub enhanced: Option<Enhanced>,
}

impl ReplyCodes {
    /// Whether it is a success.
    pub fn accepted(&self) -> bool {
        match self.smtp {
            Some(code) => (200..300).contains(&code),
            None => self.enhanced.is_some_and(|code| code.0 == 2),
        }
    }
}

/// The codes at a reply's start: `550 5.7.1 …`, `550-5.7.1 …`, `550 …`, `5.7.1 …`.
pub fn codes(reply: &[u8]) -> ReplyCodes {
    codes_and_length(reply).0
}

/// The same, and where the text behind them begins.
pub(super) fn codes_and_length(reply: &[u8]) -> (ReplyCodes, usize) {
    let mut codes = ReplyCodes::default();
    let mut at = blanks(reply, 0);
    if let Some(code) = smtp_code(&reply[at..]) {
        codes.smtp = Some(code);
        at += 3;
        if reply.get(at) == Some(&b'-') {
            at += 1;
        }
        at = blanks(reply, at);
    }
    let hash = usize::from(reply.get(at) == Some(&b'#'));
    if let Some((enhanced, length)) = Enhanced::at_start(&reply[at + hash..]) {
        codes.enhanced = Some(enhanced);
        at += hash + length;
    }
    (codes, at)
}

/// Three digits of a reply at the start of `text`, with nothing behind that makes them another number.
pub(super) fn smtp_code(text: &[u8]) -> Option<u16> {
    let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = text else { return None };
    match rest.first() {
        Some(next) if next.is_ascii_alphanumeric() || matches!(next, b'.' | b'_' | b'@' | b'/') => None,
        _ => Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')),
    }
}

/// The offset of the first byte from `at` on that is no white space.
pub(super) fn blanks(text: &[u8], at: usize) -> usize {
    at + text[at.min(text.len())..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}
