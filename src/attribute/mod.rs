//! Which source sent it: what the log says, the user's map, an address inside the name, what Microsoft quotes.
//!
//! What *other* lines teach (a name whose refusals quote one address only) is learned from the tables, in
//! [`crate::aggregate`], since it needs the whole input.

mod source_map;

use std::net::IpAddr;

use serde::Serialize;

use crate::microsoft::is_public;

pub use source_map::{BadSourceMap, SourceMap, known_as};

/// How the sending address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceEvidence {
    /// The log has it, in a field or inside the name.
    Logged,
    /// The user's map.
    Mapped,
    /// Microsoft quotes it in this very reply.
    Reply,
    /// Other replies to the same name quote it, and no other.
    Learned,
    None,
}

impl SourceEvidence {
    /// The name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logged => "logged",
            Self::Mapped => "mapped",
            Self::Reply => "reply",
            Self::Learned => "learned",
            Self::None => "none",
        }
    }
}

/// What the log itself, with the map, tells of the source: the identity in tables and detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identified {
    /// May be private: then [`Identified::is_weak`].
    pub ip: Option<IpAddr>,
    pub evidence: SourceEvidence,
}

impl Identified {
    /// No address, or one that Microsoft cannot have seen: an address that it quotes is better.
    pub fn is_weak(self) -> bool {
        self.ip.is_none_or(|ip| !is_public(ip))
    }
}

/// Applies the precedence of the contract up to the address inside the name.
pub fn identify(
    logged: Option<IpAddr>,
    host: Option<&str>,
    name: Option<&str>,
    map: &SourceMap,
) -> Identified {
    if let Some(ip) = logged.filter(|ip| is_public(*ip)) {
        return Identified { ip: Some(ip), evidence: SourceEvidence::Logged };
    }
    if let Some(ip) = map.get(host, name) {
        return Identified { ip: Some(ip), evidence: SourceEvidence::Mapped };
    }
    match name.and_then(address_inside).or(logged) {
        Some(ip) => Identified { ip: Some(ip), evidence: SourceEvidence::Logged },
        None => Identified { ip: None, evidence: SourceEvidence::None },
    }
}

/// An IPv4 literal in a name, with dots or hyphens: `postfix-192.0.2.64/smtp`, `out-192-0-2-13`.
pub fn address_inside(name: &str) -> Option<IpAddr> {
    let bytes = name.as_bytes();
    (0..bytes.len())
        .filter(|at| bytes[*at].is_ascii_digit() && begins(&bytes[..*at]))
        .find_map(|at| [b'.', b'-'].into_iter().find_map(|separator| literal_at(&bytes[at..], separator)))
}

/// Whether a number may be an address's first: the end of a longer row of numbers or of a version (`v3.11.2.1`) is not.
fn begins(before: &[u8]) -> bool {
    match before {
        [.., b'0'..=b'9', b'.' | b'-'] | [.., b'0'..=b'9'] => false,
        [.., a, b'v' | b'V'] => a.is_ascii_alphanumeric(),
        [b'v' | b'V'] => false,
        _ => true,
    }
}

fn literal_at(text: &[u8], separator: u8) -> Option<IpAddr> {
    let mut octets = [0u8; 4];
    let mut at = 0;
    for (i, octet) in octets.iter_mut().enumerate() {
        if i > 0 {
            if text.get(at) != Some(&separator) {
                return None;
            }
            at += 1;
        }
        let digits = text[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        // `smtp-01-02-03-04` counts something else.
        if digits > 1 && text[at] == b'0' || i == 0 && text.get(at) == Some(&b'0') {
            return None;
        }
        *octet = std::str::from_utf8(text.get(at..at + digits)?).ok()?.parse().ok()?;
        at += digits;
    }
    // A fifth group is a version number or a date, not an address.
    let ends = match text.get(at) {
        Some(b) if *b == separator => !text.get(at + 1).is_some_and(u8::is_ascii_digit),
        _ => true,
    };
    ends.then(|| IpAddr::from(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn an_address_inside_a_name_is_found() {
        assert_eq!(address_inside("postfix-192.0.2.64/smtp"), ip("192.0.2.64"));
        assert_eq!(address_inside("mta7-out6/192.0.2.76/smtp"), ip("192.0.2.76"));
        assert_eq!(address_inside("postfix-192-0-2-13/smtp"), ip("192.0.2.13"));
        assert_eq!(address_inside("postfix/out5/smtp"), None);
        assert_eq!(address_inside("release-1.2.3.4.5"), None);
        assert_eq!(address_inside("out-300.1.1.1"), None);
        for name in ["postfix-1-2-3-4-5", "v3.11.2.1", "mta-v3.11.2.1", "smtp-01-02-03-04", "out-0.0.0.1"] {
            assert_eq!(address_inside(name), None, "{name}");
        }
        assert_eq!(address_inside("srv192.0.2.64"), ip("192.0.2.64"));
    }

    #[test]
    fn precedence_is_public_field_then_map_then_name_then_private_field() {
        let map = SourceMap::parse("postfix-out1 192.0.2.1\n").expect("a map");
        let none = SourceMap::default();
        let found = |logged, name, map: &SourceMap| {
            let i = identify(logged, Some("mta"), Some(name), map);
            (i.ip, i.evidence.name())
        };
        assert_eq!(found(ip("198.51.100.1"), "postfix-out1/smtp", &map), (ip("198.51.100.1"), "logged"));
        assert_eq!(found(ip("10.0.0.1"), "postfix-out1/smtp", &map), (ip("192.0.2.1"), "mapped"));
        assert_eq!(found(ip("10.0.0.1"), "out-192.0.2.9", &map), (ip("192.0.2.9"), "logged"));
        assert_eq!(found(ip("100.64.0.1"), "out", &none), (ip("100.64.0.1"), "logged"));
        assert_eq!(found(None, "out", &none), (None, "none"));
    }
}
