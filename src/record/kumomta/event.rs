//! A record as any JSON parser reads it.

use std::borrow::Cow;
use std::net::IpAddr;

use memchr::{memchr, memrchr};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::json::Scalar;
use super::super::text::{host_name, parse_ip, parse_v4};

/// The fields that are read.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Scalar<'a>,
    #[serde(borrow)]
    pub(super) id: Scalar<'a>,
    #[serde(borrow)]
    pub(super) sender: Scalar<'a>,
    #[serde(borrow)]
    pub(super) recipient: Recipients<'a>,
    #[serde(borrow)]
    pub(super) response: Option<Response<'a>>,
    #[serde(borrow)]
    pub(super) peer_address: Option<Peer<'a>>,
    #[serde(borrow)]
    pub(super) event_time: Scalar<'a>,
    #[serde(borrow)]
    pub(super) timestamp: Scalar<'a>,
    #[serde(borrow)]
    pub(super) egress_source: Scalar<'a>,
    #[serde(borrow)]
    pub(super) source_address: Option<Source<'a>>,
    #[serde(borrow)]
    pub(super) delivery_protocol: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    pub(super) code: Scalar<'a>,
    pub(super) enhanced_code: Option<Code>,
    #[serde(borrow)]
    pub(super) content: Scalar<'a>,
}

#[derive(Deserialize)]
pub(super) struct Code {
    pub(super) class: u8,
    pub(super) subject: u16,
    pub(super) detail: u16,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Peer<'a> {
    #[serde(borrow)]
    pub(super) name: Scalar<'a>,
    #[serde(borrow)]
    pub(super) addr: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Source<'a> {
    #[serde(borrow)]
    pub(super) address: Scalar<'a>,
}

/// One address, or the list of a transaction.
#[derive(Default)]
pub(super) enum Recipients<'a> {
    #[default]
    None,
    One(Cow<'a, str>),
    Many(Vec<Cow<'a, str>>),
}

impl<'a> Recipients<'a> {
    pub(super) fn all(&self) -> &[Cow<'a, str>] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Recipients<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Recipients<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an address or a list of them")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Recipients::One(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Recipients::One(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Recipients::None)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut many = Vec::new();
                while let Some(item) = items.next_element::<Scalar<'de>>()? {
                    if let Scalar::Text(text) = item {
                        many.push(text);
                    }
                }
                Ok(Recipients::Many(many))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Recipients::None)
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl Peer<'_> {
    pub(super) fn ip(&self) -> Option<IpAddr> {
        bare_ip(self.addr.bytes()?)
    }

    pub(super) fn host(&self) -> Option<&[u8]> {
        host_name(self.name.bytes()?)
    }
}

/// The address in `192.0.2.1:41022`, `[2001:db8::1]:41022`, or an address without port.
pub(super) fn bare_ip(text: &[u8]) -> Option<IpAddr> {
    if let Some(inner) = text.strip_prefix(b"[") {
        return parse_ip(&inner[..memchr(b']', inner)?]);
    }
    let before_port = &text[..memrchr(b':', text).unwrap_or(text.len())];
    // Nearly always. Of an IPv6 address this is not all.
    let v4 = parse_v4(before_port).map(IpAddr::V4);
    v4.or_else(|| parse_ip(text)).or_else(|| parse_ip(before_port))
}
