//! A record in its plainest form, whose values are read in place.

use std::borrow::Cow;

use super::super::json::{self, Kind, Places, Scalar, Want};
use super::event::{Code, Event, Peer, Recipients, Response, Source};

/// The values that are read of a plain line, in the order of [`PATHS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Type,
    Id,
    Sender,
    Recipient,
    Response,
    Code,
    Content,
    Enhanced,
    Class,
    Subject,
    Detail,
    Peer,
    PeerName,
    PeerAddr,
    EventTime,
    Timestamp,
    EgressSource,
    Source,
    SourceAddress,
    Protocol,
}

pub(super) const PLACES: usize = 20;
pub(super) const PATHS: [(&str, Place); PLACES] = [
    ("type", Place::Type),
    ("id", Place::Id),
    ("sender", Place::Sender),
    ("recipient", Place::Recipient),
    ("response", Place::Response),
    ("response.code", Place::Code),
    ("response.content", Place::Content),
    ("response.enhanced_code", Place::Enhanced),
    ("response.enhanced_code.class", Place::Class),
    ("response.enhanced_code.subject", Place::Subject),
    ("response.enhanced_code.detail", Place::Detail),
    ("peer_address", Place::Peer),
    ("peer_address.name", Place::PeerName),
    ("peer_address.addr", Place::PeerAddr),
    ("event_time", Place::EventTime),
    ("timestamp", Place::Timestamp),
    ("egress_source", Place::EgressSource),
    ("source_address", Place::Source),
    ("source_address.address", Place::SourceAddress),
    ("delivery_protocol", Place::Protocol),
];

/// Where [`Event`] is read otherwise, or is none, the line is for the whole parser.
pub(super) fn wanted(path: &str, kind: Kind) -> Want {
    let Some((_, place)) = PATHS.iter().find(|(known, _)| *known == path) else { return Want::Nothing };
    let fits = match place {
        Place::Response | Place::Enhanced | Place::Peer | Place::Source => {
            matches!(kind, Kind::Object | Kind::Null)
        }
        Place::Class | Place::Subject | Place::Detail => kind == Kind::Whole,
        Place::Recipient => kind == Kind::Text,
        _ => true,
    };
    if fits { Want::At(*place as usize) } else { Want::Whole }
}

/// The values of a plain line.
pub(super) struct Found<'l, 'v> {
    pub(super) line: &'l str,
    pub(super) values: &'v Places<PLACES>,
}

impl<'l> Found<'l, '_> {
    pub(super) fn scalar(&self, place: Place) -> Scalar<'l> {
        match &self.values[place as usize] {
            Some((Kind::Text, range)) => Scalar::Text(Cow::Borrowed(&self.line[range.clone()])),
            Some((Kind::Whole, range)) => {
                Scalar::Number(json::whole(&self.line.as_bytes()[range.clone()]) as f64)
            }
            _ => Scalar::Missing,
        }
    }

    fn number(&self, place: Place) -> Option<u16> {
        let (_, range) = self.values[place as usize].as_ref()?;
        u16::try_from(json::whole(&self.line.as_bytes()[range.clone()])).ok()
    }

    fn is_object(&self, place: Place) -> bool {
        matches!(self.values[place as usize], Some((Kind::Object, _)))
    }

    /// A text; empty where there is none.
    pub(super) fn text(&self, place: Place) -> &'l [u8] {
        match &self.values[place as usize] {
            Some((Kind::Text, range)) => &self.line.as_bytes()[range.clone()],
            _ => b"",
        }
    }

    /// From the peer's name, which stands first, to its address.
    pub(super) fn peer_text(&self) -> Option<&'l [u8]> {
        match [Place::PeerName, Place::PeerAddr].map(|place| self.values[place as usize].as_ref()) {
            [Some((Kind::Text, name)), Some((Kind::Text, addr))] => {
                self.line.as_bytes().get(name.start..addr.end)
            }
            _ => None,
        }
    }

    fn peer(&self) -> Option<Peer<'l>> {
        let peer = || Peer { name: self.scalar(Place::PeerName), addr: self.scalar(Place::PeerAddr) };
        self.is_object(Place::Peer).then(peer)
    }

    /// `None` where it is broken.
    pub(super) fn response(&self) -> Option<Option<Response<'l>>> {
        if !self.is_object(Place::Response) {
            return Some(None);
        }
        let enhanced_code = match self.is_object(Place::Enhanced) {
            true => Some(Code {
                class: u8::try_from(self.number(Place::Class)?).ok()?,
                subject: self.number(Place::Subject)?,
                detail: self.number(Place::Detail)?,
            }),
            false => None,
        };
        let (code, content) = (self.scalar(Place::Code), self.scalar(Place::Content));
        Some(Some(Response { code, enhanced_code, content }))
    }

    /// What a whole parser would make of the line; `None` where it is broken.
    pub(super) fn event(&self) -> Option<Event<'l>> {
        let source = || Source { address: self.scalar(Place::SourceAddress) };
        Some(Event {
            kind: self.scalar(Place::Type),
            id: self.scalar(Place::Id),
            sender: self.scalar(Place::Sender),
            recipient: match self.scalar(Place::Recipient) {
                Scalar::Text(one) => Recipients::One(one),
                _ => Recipients::None,
            },
            response: self.response()?,
            peer_address: self.peer(),
            event_time: self.scalar(Place::EventTime),
            timestamp: self.scalar(Place::Timestamp),
            egress_source: self.scalar(Place::EgressSource),
            source_address: self.is_object(Place::Source).then(source),
            delivery_protocol: self.scalar(Place::Protocol),
        })
    }
}
