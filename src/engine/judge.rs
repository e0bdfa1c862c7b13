//! Attempt -> verdict: is it Microsoft's, what does the reply mean, who answered, whom does it name.

use std::net::IpAddr;

use crate::microsoft::{self, Bound, Catalogue, Platform, Verdict};
use crate::record::{Answer, Attempt, Enhanced, Outcome};

/// What is known of an attempt from its own record.
#[derive(Debug)]
pub struct Judged<'a> {
    /// `None`: only the recipient domain can tell, and it is none of the consumer ones.
    pub platform: Option<Platform>,
    pub smtp_code: Option<u16>,
    pub enhanced: Option<Enhanced>,
    pub verdict: Verdict<'static>,
    /// The last host tag of a reply that is no success.
    pub host_tag: Option<&'a [u8]>,
    /// The sending address that Microsoft quotes.
    pub quoted: Option<IpAddr>,
}

/// Handing in mail for a user's own account (RFC 6409) is no delivery to Microsoft.
const SUBMISSION: u16 = 587;

/// `None` for another provider's mail.
pub fn judge<'a>(attempt: &Attempt<'a>) -> Option<Judged<'a>> {
    if attempt.relay_port == Some(SUBMISSION) {
        return None;
    }
    let platform = match microsoft::bound(
        attempt.relay_host,
        attempt.relay_ip,
        &attempt.answer,
        attempt.recipient_domain(),
    ) {
        Bound::Yes(platform) => Some(platform),
        Bound::No => return None,
        Bound::ByDomain => None,
    };
    Some(judge_reply(attempt, platform))
}

/// The same for an attempt that is known to be Microsoft's.
pub fn judge_reply<'a>(attempt: &Attempt<'a>, platform: Option<Platform>) -> Judged<'a> {
    let (smtp_code, enhanced) = codes(&attempt.answer);
    let mut judged =
        Judged { platform, smtp_code, enhanced, verdict: Verdict::accepted(), host_tag: None, quoted: None };
    if attempt.outcome != Outcome::Delivered {
        judged.verdict = Catalogue::active().classify(&attempt.answer);
        if let Answer::Text(reply) = attempt.answer {
            judged.host_tag = microsoft::host_tag(reply);
            judged.quoted = microsoft::quoted_ip(reply);
        }
    }
    judged
}

/// The name that tells the datacenter: the host tag (true), else a relay's reverse name, which is no datacenter host.
pub fn answering_host<'a>(attempt: &Attempt<'a>, judged: &Judged<'a>) -> Option<(&'a [u8], bool)> {
    let reverse = || attempt.relay_host.filter(|host| microsoft::is_reverse_name(host));
    judged.host_tag.map(|tag| (tag, true)).or_else(|| reverse().map(|host| (host, false)))
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
