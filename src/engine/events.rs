//! Attempts in full, one by one, in the order of the inputs.

use std::io;

use serde::Serialize;

use crate::attribute::SourceEvidence;
use crate::microsoft::{Class, Platform};
use crate::record::{Answer, Outcome, Time};
use crate::text::escape_controls;

use super::run::Run;
use super::visit::{Found, Lessons, Wanted, visit};

/// One attempt, normalised; fields and their order are the contract's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    pub time: Option<Time>,
    pub mta: &'static str,
    pub file: String,
    pub offset: u64,
    pub host: Option<String>,
    pub queue_id: Option<String>,
    pub source_ip: Option<String>,
    pub source_name: Option<String>,
    pub source_evidence: SourceEvidence,
    pub sender_domain: Option<String>,
    pub recipient_domain: Option<String>,
    pub relay_host: Option<String>,
    pub relay_ip: Option<String>,
    pub platform: Platform,
    pub outcome: Outcome,
    pub smtp_code: Option<u16>,
    pub enhanced_code: Option<String>,
    pub reply: Option<String>,
    /// `null` for another provider's refusal: the catalogue knows Microsoft's replies only.
    pub reply_id: Option<String>,
    pub class: Option<Class>,
    pub is_block: bool,
    pub datacenter_host: Option<String>,
    pub site: Option<String>,
    pub forest: Option<String>,
    pub region: Option<String>,
}

/// Calls `each` for every event of a finished run until it fails. `all`: other providers' attempts too.
pub fn events<E>(
    run: &Run,
    all: bool,
    mut each: impl FnMut(Event) -> Result<(), E>,
) -> Result<Vec<(String, io::Error)>, E> {
    let lessons = Lessons::of(run);
    let mut failed = None;
    let wanted = Wanted { filter: &run.options.filter, all, senders: true };
    let errors = visit(run, &lessons, wanted, &mut |found| match each(Event::of(found)) {
        Ok(()) => true,
        Err(error) => {
            failed = Some(error);
            false
        }
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(errors),
    }
}

impl Event {
    pub fn of(found: &Found<'_>) -> Self {
        let attempt = found.attempt;
        let judged = &found.judged;
        let text = |bytes: Option<&[u8]>| bytes.map(escape_controls);
        let class = judged.verdict.class;
        let known = found.is_microsoft || matches!(class, Class::Accepted | Class::Connection);
        Self {
            time: attempt.time,
            mta: attempt.mta.0,
            file: found.input.name.to_string(),
            offset: found.offset,
            host: text(attempt.host),
            queue_id: text(attempt.queue_id),
            source_ip: found.source_ip.map(|ip| ip.to_string()),
            source_name: text(attempt.source_name),
            source_evidence: found.source_evidence,
            sender_domain: found.sender_domain.as_ref().map(|d| escape_controls(d.as_bytes())),
            recipient_domain: found.recipient_domain.as_ref().map(|d| escape_controls(d.as_bytes())),
            relay_host: attempt.relay_host.map(|h| escape_controls(h).to_ascii_lowercase()),
            relay_ip: attempt.relay_ip.map(|ip| ip.to_string()),
            platform: found.platform,
            outcome: attempt.outcome,
            smtp_code: judged.smtp_code,
            enhanced_code: judged.enhanced.map(|e| e.to_string()),
            reply: match attempt.answer {
                Answer::Text(reply) => Some(escape_controls(reply)),
                Answer::Codes { .. } | Answer::Nobody => None,
            },
            reply_id: known.then(|| judged.verdict.id.to_string()),
            class: known.then_some(class),
            is_block: known && class.is_block(),
            datacenter_host: text(judged.host_tag),
            site: found.datacenter.site.clone(),
            forest: found.datacenter.forest.clone(),
            region: found.datacenter.region.clone(),
        }
    }
}
