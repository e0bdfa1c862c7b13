//! Small pieces that several formats read alike.

use std::net::{IpAddr, Ipv4Addr};

use super::Answer;
use crate::memo::Memo;

/// Addresses that were read before: a few hosts send or take most of the mail.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Memo<Option<IpAddr>, 5>);

impl Addresses {
    /// The same as [`parse_ip`].
    pub(crate) fn parse(&mut self, text: &[u8]) -> Option<IpAddr> {
        self.0.get(text, || parse_ip(text))
    }
}

/// An address as logs write it; a scope (`%eth0`) is no part of it.
pub(crate) fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    if let Some(ip) = parse_v4(text) {
        return Some(IpAddr::V4(ip));
    }
    let text = &text[..memchr::memchr(b'%', text).unwrap_or(text.len())];
    let text = text.strip_prefix(b"IPv6:").unwrap_or(text);
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Dotted quad, without the detour over UTF-8: this is read for each delivery.
pub(crate) fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut address, mut octet, mut digits, mut dots) = (0u32, 0u32, 0, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits < 3 => {
                octet = octet * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && octet < 256 => {
                address = address << 8 | octet;
                (octet, digits) = (0, 0);
                dots += 1;
            }
            _ => return None,
        }
    }
    let is_whole = dots == 3 && digits > 0 && octet < 256;
    is_whole.then(|| Ipv4Addr::from(address << 8 | octet))
}

/// Loopback, private, link-local or carrier-grade NAT: a hop inside the own network.
pub(crate) fn is_here(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_here(IpAddr::V4(ip)),
            None => {
                ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
            }
        },
    }
}

/// A relay's name: no final dot; `None` where it is only an address.
pub(crate) fn host_name(text: &[u8]) -> Option<&[u8]> {
    let name = text.strip_suffix(b".").unwrap_or(text);
    let bare = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")).unwrap_or(name);
    // What begins otherwise is none: the most of all names is told by this alone.
    let numeric = bare.first().is_some_and(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'I'));
    let is_address =
        numeric && (bare[0].is_ascii_digit() || bare.contains(&b':')) && parse_ip(bare).is_some();
    (!name.is_empty() && !is_address).then_some(name)
}

/// Three digits of an SMTP reply, and nothing that makes a longer word of them.
#[inline]
pub(crate) fn starts_with_code(text: &[u8]) -> bool {
    matches!(text, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', rest @ ..]
        if !rest.first().is_some_and(u8::is_ascii_alphanumeric))
}

/// The reply, if it is one.
pub(crate) fn answer_text(reply: &[u8]) -> Option<Answer<'_>> {
    starts_with_code(reply).then_some(Answer::Text(reply))
}

/// Behind the closing quote of a string whose content begins at `at`; backslashes escape.
pub(crate) fn quoted_end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The byte that three octal digits name.
pub(crate) fn octal(a: u8, b: u8, c: u8) -> u8 {
    (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')
}

/// Undoes rsyslog's `#011` for a control character.
pub(crate) fn undo_rsyslog<'a>(text: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr::memchr(b'#', text).is_none() {
        return text;
    }
    scratch.clear();
    let mut rest = text;
    while let [first, ..] = rest {
        let (byte, length) = match rest {
            [b'#', b'0', b @ b'0'..=b'3', c @ b'0'..=b'7', ..] => (octal(b'0', *b, *c), 4),
            _ => (*first, 1),
        };
        scratch.push(byte);
        rest = &rest[length..];
    }
    scratch
}
