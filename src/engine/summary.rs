//! Sums -> [`Snapshot`]: rows from the tables, onsets from the trials, and what the user should know beside them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use foldhash::HashMap;
use jiff::Timestamp;

use crate::aggregate::{
    Filter, Identity, InputRow, Learned, Range, Snapshot, SourceRow, Status, Warning, learn, reply_names,
    roll_up,
};
use crate::attribute::known_as;
use crate::detect::{Family, Onset, OnsetChange, OnsetStatus};
use crate::record::Time;
use crate::text::escape_controls;

use super::run::{Run, Totals};
use super::stats::InputStats;

/// The onsets of everything read so far, whatever the filter: an onset needs the attempts that went through.
#[derive(Debug, Default)]
pub struct Detected {
    onsets: Vec<Onset>,
    /// What a live run says, by time and id.
    changes: Vec<OnsetChange>,
    /// Lines of a live run that came too late to change an event.
    late: u64,
    /// Attempts wait for their order in time: look again.
    pub is_waiting: bool,
}

impl Detected {
    /// Takes what can be put in order by now.
    pub fn of(run: &Run) -> Self {
        let mut feed = run.feed();
        let (learned, end) = learned_and_end(run);
        let found = feed.conclude(&learned, end);
        let change = |(kind, at, onset)| OnsetChange { kind, at: Time::from_seconds(at), onset };
        Self {
            onsets: found.onsets,
            changes: found.changes.into_iter().map(change).collect(),
            late: feed.late(),
            is_waiting: feed.is_waiting(end, Timestamp::now().as_second()),
        }
    }
}

/// How an event came about, number by number, in a run that keeps its trials.
pub fn arithmetic(run: &Run, onset: &Onset) -> Option<String> {
    let feed = run.feed();
    let (learned, end) = learned_and_end(run);
    feed.explain(&learned, onset, run.options.detect, end)
}

/// What the tables teach, and the newest second of all that was read.
fn learned_and_end(run: &Run) -> (Learned, i64) {
    let totals = run.lock();
    let ranges = totals.inputs.iter().filter_map(InputStats::range);
    let end = ranges.map(|(_, last)| last.seconds).max().unwrap_or(0);
    (learn(&totals.tables, &run.names.lock()), end)
}

/// Everything for one filter.
pub fn snapshot(run: &Run, filter: &Filter, detected: Option<&Detected>) -> Snapshot {
    let totals = run.lock();
    let tables = run.names.lock();
    let learned = learn(&totals.tables, &tables);
    let rolled = roll_up(&totals.tables, &tables, &learned, filter);
    let mut snapshot = Snapshot {
        schema: "eopwatch.summary/1",
        sources: rolled.sources,
        domains: rolled.domains,
        datacenters: rolled.datacenters,
        replies: rolled.replies,
        series: rolled.series,
        progress: run.progress(),
        ..Snapshot::default()
    };
    snapshot.totals.counts = rolled.counts;
    for (input, stats) in run.inputs.iter().zip(&totals.inputs) {
        let by_domain: u64 =
            stats.by_domain.iter().filter(|(d, _)| learned.domains.contains(d)).map(|(_, n)| n).sum();
        let others: u64 = stats.by_domain.values().sum::<u64>() - by_domain;
        snapshot.totals.lines += stats.lines;
        snapshot.totals.malformed += stats.malformed;
        snapshot.totals.held_back += stats.held_back;
        snapshot.totals.other_attempts += stats.other_attempts + others;
        snapshot.inputs.push(InputRow {
            path: input.name.to_string(),
            mta: input.format.map(|f| f.name().to_owned()),
            compression: input.coding.compression.name().map(str::to_owned),
            bytes: stats.bytes,
            lines: stats.lines,
            attempts: stats.attempts + by_domain,
            malformed: stats.malformed,
            first: clipped(stats.range(), filter).map(|(first, _)| first),
            last: clipped(stats.range(), filter).map(|(_, last)| last),
        });
    }
    snapshot.range = Range {
        first: snapshot.inputs.iter().filter_map(|i| i.first).min(),
        last: snapshot.inputs.iter().filter_map(|i| i.last).max(),
    };
    if let Some(detected) = detected {
        let platforms: BTreeSet<&str> = snapshot.domains.iter().map(|row| row.platform.name()).collect();
        let concerns = |onset: &Onset| concerns(onset, filter, &platforms);
        snapshot.onsets = detected.onsets.iter().filter(|o| concerns(o)).cloned().collect();
        snapshot.changes = detected.changes.iter().filter(|c| concerns(&c.onset)).cloned().collect();
        set_status(&mut snapshot.sources, &detected.onsets);
    }
    snapshot.warnings.clone_from(&totals.warnings);
    snapshot.warnings.extend(malformed_warnings(run, &totals));
    snapshot.warnings.extend(blind_spots(run, &totals));
    snapshot.warnings.extend(totals.skews.texts().map(|text| Warning { path: None, text, is_error: false }));
    snapshot.warnings.extend(source_warnings(&learned));
    snapshot.warnings.extend(detected.and_then(|detected| too_late(detected.late)));
    snapshot.warnings.extend(nothing_found(&snapshot, filter));
    snapshot
}

/// The log's range within the time that was asked for.
fn clipped(range: Option<(Time, Time)>, filter: &Filter) -> Option<(Time, Time)> {
    let (first, last) = range?;
    let since = filter.since.unwrap_or(i64::MIN);
    let until = filter.until.unwrap_or(i64::MAX);
    if last.seconds < since || first.seconds > until {
        return None;
    }
    let first = if first.seconds < since { Time::from_seconds(since) } else { first };
    let last = if last.seconds > until { Time::from_seconds(until) } else { last };
    Some((first, last))
}

/// Whether an event has to do with what a filter lets through. `platforms`: of the attempts that it does.
fn concerns(onset: &Onset, filter: &Filter, platforms: &BTreeSet<&str>) -> bool {
    let [name, front] = onset.source_name.as_deref().map_or([None; 2], known_as);
    let sources = [onset.source_ip.as_deref(), name, front, onset.host.as_deref()];
    let any = |patterns: &crate::aggregate::Patterns, values: &Option<Vec<String>>| {
        values.as_ref().is_none_or(|list| patterns.matches(list.iter().map(String::as_str)))
    };
    let replies = reply_names(&onset.reply_id, onset.smtp_code, onset.enhanced_code.as_ref());
    // An event of a whole platform concerns the domains that are there.
    let is_of_platform = |names: &Vec<String>| names.iter().any(|name| platforms.contains(name.as_str()));
    let concerns_domain = filter.domain.is_empty() || onset.platform.as_ref().is_none_or(is_of_platform);
    filter.source.matches(sources.into_iter().flatten())
        && concerns_domain
        && onset.domain.as_ref().is_none_or(|d| filter.domain.matches([d.as_str()].into_iter()))
        && onset.sender_domain.as_ref().is_none_or(|d| filter.sender_domain.matches([d.as_str()].into_iter()))
        && any(&filter.datacenter, &onset.datacenters)
        && any(&filter.platform, &onset.platform)
        && filter.reply.matches(replies.iter().map(String::as_str))
        && filter.class.matches([onset.class.name()].into_iter())
}

/// A block ends by accepted attempts only: the event says so, not silence.
fn set_status(sources: &mut [SourceRow], onsets: &[Onset]) {
    let mut active: HashMap<_, Status> = HashMap::default();
    for onset in onsets.iter().filter(|o| o.status == OnsetStatus::Active) {
        let status = active.entry((&onset.source_ip, &onset.source_name, &onset.host)).or_default();
        *status = (*status).max(match onset.family {
            Family::Block => Status::Blocked,
            Family::Throttle => Status::Throttled,
            Family::Auth => Status::Clear,
        });
    }
    for source in sources {
        let own = (&source.source_ip, &source.source_name, &source.host);
        source.status = active.get(&own).copied().unwrap_or_default();
    }
}

/// Lines that look like deliveries and were not understood: named with a sample, never dropped.
fn malformed_warnings<'r>(run: &'r Run, totals: &'r Totals) -> impl Iterator<Item = Warning> + use<'r> {
    run.inputs.iter().zip(&totals.inputs).filter(|(_, stats)| stats.malformed > 0).map(|(input, stats)| {
        let sample = stats.samples.first().map_or_else(String::new, |s| {
            format!("; the first, at byte {}: {}: {}", s.offset, s.why, escape_controls(&s.line))
        });
        let lines = if stats.malformed == 1 { "line looks" } else { "lines look" };
        Warning {
            path: Some(input.name.to_string()),
            text: format!("{} {lines} like deliveries and could not be read{sample}", stats.malformed),
            is_error: false,
        }
    })
}

/// What the inputs leave out, or what else their parsers have to say of them.
fn blind_spots<'r>(run: &'r Run, totals: &'r Totals) -> impl Iterator<Item = Warning> + use<'r> {
    run.inputs.iter().zip(&totals.inputs).flat_map(|(input, stats)| {
        let blind = input.format.and_then(|format| format.blind_spot(&stats.seen));
        blind.into_iter().chain(stats.notes.iter().copied()).map(|text| Warning {
            path: Some(input.name.to_string()),
            text: text.to_owned(),
            is_error: false,
        })
    })
}

fn too_late(attempts: u64) -> Option<Warning> {
    (attempts > 0).then(|| Warning {
        path: None,
        text: "attempts were written more than ten minutes after later ones of the same source: they are counted, and \
               change no event (is a clock wrong?)"
            .to_owned(),
        is_error: false,
    })
}

/// A warning is a line that somebody reads.
const ADDRESSES_SHOWN: usize = 8;

fn source_warnings(learned: &Learned) -> Vec<Warning> {
    let list = |ips: &BTreeSet<IpAddr>| {
        let shown: Vec<_> = ips.iter().take(ADDRESSES_SHOWN).map(IpAddr::to_string).collect();
        match ips.len() - shown.len() {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    };
    let name = |identity: &Identity| match identity {
        Identity::Ip(ip) => ip.to_string(),
        Identity::Name { host, name } => {
            let parts = [host.as_deref(), name.as_deref()].into_iter().flatten().collect::<Vec<_>>();
            if parts.is_empty() { "the log, which names no source,".to_owned() } else { parts.join(" ") }
        }
    };
    let text = |text: String| Warning { path: None, text: escape_controls(text.as_bytes()), is_error: false };
    let ambiguous = learned.ambiguous.iter().map(|(identity, ips)| {
        text(format!(
            "{} sends from several addresses as Microsoft sees it ({}): which one sent what Microsoft accepted is \
             not told (name them with --source-map, or make the MTA log the address)",
            name(identity),
            list(ips)
        ))
    });
    let contradictions = learned.contradictions.iter().map(|(identity, ips)| {
        text(format!(
            "Microsoft sees {} as {} (NAT or a relay in between? or a wrong entry in the source map): a delisting \
             must name the address that Microsoft sees",
            name(identity),
            list(ips)
        ))
    });
    ambiguous.chain(contradictions).collect()
}

/// No answer is an answer too, but it must not look like "all is well".
fn nothing_found(snapshot: &Snapshot, filter: &Filter) -> Option<Warning> {
    let unfiltered = filter.since.is_none() && filter.until.is_none();
    let logs = snapshot.inputs.iter().filter(|i| i.lines > 0).count();
    let none = snapshot.totals.counts.attempts + snapshot.totals.other_attempts == 0;
    (snapshot.progress.complete && unfiltered && logs > 0 && none && snapshot.totals.malformed == 0).then(
        || Warning {
            path: None,
            text: "no delivery attempts in these logs (is the MTA's delivery log in another file?)"
                .to_owned(),
            is_error: false,
        },
    )
}
