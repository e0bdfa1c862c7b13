//! Attempt -> verdict: is it Microsoft's, what does the reply mean, who answered, whom does it name.

use std::net::IpAddr;

use crate::microsoft::{self, Bound, Catalogue, Owner, Platform, Verdict};
use crate::record::{Answer, Attempt, Enhanced, Outcome, Relay};

/// What is known of an attempt from its own record.
#[derive(Debug)]
pub struct Judged<'a> {
    /// `None`: only the recipient domain can tell, and it is none of the consumer ones.
    pub platform: Option<Platform>,
    pub smtp_code: Option<u16>,
    pub enhanced: Option<Enhanced>,
    pub verdict: Verdict<'static>,
    /// The datacenter host: the last host tag of a reply that is no success, else who greeted.
    pub host_tag: Option<&'a [u8]>,
    /// The sending address that Microsoft quotes.
    pub quoted: Option<IpAddr>,
}

/// Handing in mail for a user's own account (RFC 6409) is no delivery to Microsoft.
const SUBMISSION: u16 = 587;

/// Whose an attempt is, where its relay alone tells.
pub fn bound_by_relay(relay: &Relay<'_>) -> Option<Bound> {
    match relay.port {
        Some(SUBMISSION) => Some(Bound::No),
        _ => microsoft::bound_by_relay(relay.host?, relay.ip?),
    }
}

/// What an answer says, whoever gave it.
#[derive(Clone, Debug)]
pub struct Said {
    verdict: Verdict<'static>,
    quoted: Option<IpAddr>,
}

impl Said {
    /// Reads it.
    pub fn of(answer: &Answer<'_>) -> Self {
        let quoted = if let Answer::Text(reply) = answer { microsoft::quoted_ip(reply) } else { None };
        Self { verdict: Catalogue::active().classify(answer), quoted }
    }
}

/// `None` for another provider's mail.
pub fn judge<'a>(attempt: &Attempt<'a>) -> Option<Judged<'a>> {
    judge_by(attempt, microsoft::owner(attempt.relay_host), Said::of)
}

/// The same, where it is known whose the relay's name is. `said`: to read a refusal's answer, or to know it.
pub fn judge_by<'a>(
    attempt: &Attempt<'a>,
    relay: Owner,
    said: impl FnOnce(&Answer<'a>) -> Said,
) -> Option<Judged<'a>> {
    if attempt.relay_port == Some(SUBMISSION) {
        return None;
    }
    let (ip, answer, domain) = (attempt.relay_ip, &attempt.answer, attempt.recipient_domain());
    let bound = match (attempt.relay_host, attempt.greeting) {
        (None, Some(greeting)) => microsoft::bound_by_greeting(greeting, ip, answer, domain),
        _ => microsoft::bound(relay, ip, answer, domain),
    };
    let platform = match bound {
        Bound::Yes(platform) => Some(platform),
        Bound::No => return None,
        Bound::ByDomain => None,
    };
    Some(judge_reply(attempt, platform, said))
}

/// The same for an attempt that is known to be Microsoft's.
pub fn judge_reply<'a>(
    attempt: &Attempt<'a>,
    platform: Option<Platform>,
    said: impl FnOnce(&Answer<'a>) -> Said,
) -> Judged<'a> {
    let (smtp_code, enhanced) = codes(&attempt.answer);
    let mut judged =
        Judged { platform, smtp_code, enhanced, verdict: Verdict::accepted(), host_tag: None, quoted: None };
    if attempt.outcome != Outcome::Delivered {
        Said { verdict: judged.verdict, quoted: judged.quoted } = said(&attempt.answer);
        if let Answer::Text(reply) = attempt.answer {
            judged.host_tag = microsoft::host_tag(reply);
        }
    }
    judged.host_tag = judged.host_tag.or(attempt.greeting);
    judged
}

/// The name that tells the datacenter: the host tag or the greeting (true), else a relay's reverse name, which is no datacenter host.
pub fn answering_host<'a>(
    relay_host: Option<&'a [u8]>,
    host_tag: Option<&'a [u8]>,
) -> Option<(&'a [u8], bool)> {
    let reverse = || relay_host.filter(|host| microsoft::is_reverse_name(host));
    host_tag.map(|tag| (tag, true)).or_else(|| reverse().map(|host| (host, false)))
}

/// The remote's codes; both unknown where nobody answered.
pub fn codes(answer: &Answer<'_>) -> (Option<u16>, Option<Enhanced>) {
    match answer {
        Answer::Text(reply) => {
            let codes = microsoft::codes(reply);
            (codes.smtp, codes.enhanced)
        }
        Answer::Codes { smtp, enhanced } => (*smtp, *enhanced),
        Answer::Nobody => (None, None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::record::Mta;

    fn attempt<'a>(greeting: &'a [u8], reply: &'a [u8], recipient: &'a [u8]) -> Attempt<'a> {
        Attempt {
            time: None,
            mta: Mta("exchange"),
            host: None,
            queue_id: None,
            source_ip: None,
            source_name: None,
            sender: None,
            recipient: Some(recipient),
            relay_host: None,
            relay_ip: Some([198, 51, 100, 11].into()),
            relay_port: Some(25),
            outcome: if reply[0] == b'2' { Outcome::Delivered } else { Outcome::Bounced },
            answer: Answer::Text(reply),
            greeting: Some(greeting),
        }
    }

    #[test]
    fn who_greeted_answered() {
        let edge = b"AM6EUR05FT041.mail.protection.outlook.com";
        let place = |attempt: &Attempt<'_>| {
            let judged = judge(attempt).unwrap();
            let (host, is_tag) = answering_host(attempt.relay_host, judged.host_tag).unwrap();
            assert!(is_tag);
            (String::from_utf8_lossy(host).into_owned(), judged.platform, microsoft::datacenter(host).forest)
        };
        // Without a tag, the greeting tells; a delivery's too.
        for reply in [
            &b"550 5.4.1 Recipient address rejected: Access denied"[..],
            b"250 2.6.0 Queued mail for delivery",
        ] {
            assert_eq!(
                place(&attempt(edge, reply, b"a@example.org")),
                (String::from_utf8_lossy(edge).into_owned(), Some(Platform::Unknown), Some("eur05".into()))
            );
        }
        // The tag comes first.
        let tagged = b"550 5.4.1 No [DB1PEPF00039234.eurprd03.prod.outlook.com 2026-05-12T06:21:09.630Z 08DEA1B20C3D5006]";
        let found = place(&attempt(edge, tagged, b"a@hotmail.com"));
        assert_eq!((found.1, found.2.as_deref()), (Some(Platform::Consumer), Some("eurprd03")));
        // Another's relay, whoever the recipient is, and whatever it passes on.
        assert!(judge(&attempt(b"mx.example.net", tagged, b"a@hotmail.com")).is_none());
        let mut address = attempt(b"mx.example.net", b"550 no", b"a@example.org");
        address.relay_ip = Some([52, 101, 1, 1].into());
        assert_eq!(judge(&address).unwrap().platform, Some(Platform::Unknown));
    }
}
