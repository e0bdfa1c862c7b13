//! Sums -> [`Snapshot`]: rows from the tables, onsets from the trials, and what the user should know beside them.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use rayon::prelude::*;

use crate::aggregate::Belongs;
use crate::aggregate::{
    Filter, Identity, InputRow, Label, Learned, NameTables, Range, Snapshot, SourceRow, Status, Warning,
    answered, learn, reply_names, roll_up,
};
use crate::attribute::known_as;
use crate::detect::{
    self, Family, LineRef, Observation, Onset, OnsetChange, OnsetStatus, OtherProviders, ReplyNames,
    SourceNames,
};
use crate::microsoft::{Catalogue, Class, Platform, Signal, is_public};
use crate::record::{Outcome, Time};
use crate::text::escape_controls;

use super::collect::InputStats;
use super::others::{Other, Others};
use super::run::{Run, Totals};
use super::trials::{Pass, Trials};

/// The onsets of everything read so far, whatever the filter: an onset needs the attempts that went through.
#[derive(Debug, Default)]
pub struct Detected {
    onsets: Vec<Onset>,
    /// What a live run says, by time and id.
    changes: Vec<OnsetChange>,
}

impl Detected {
    /// Looks at the whole history.
    pub fn of(run: &Run) -> Self {
        let History { ids, trials, others, end } = History::of(run);
        let detector = ids.detect(&trials, end, run);
        let others = ids.other_providers(&trials, others);
        let found = detect::conclude(detector, &ids.contents, Some(&others));
        let change = |(kind, at, onset)| OnsetChange { kind, at: Time::from_seconds(at), onset };
        Self { onsets: found.onsets, changes: found.changes.into_iter().map(change).collect() }
    }
}

/// How an event came about, number by number: the detector runs once more over its source.
pub fn arithmetic(run: &Run, onset: &Onset) -> Option<String> {
    let History { ids, trials, end, .. } = History::of(run);
    let is_own = |label: &Label| {
        (&label.ip, &label.name) == (&onset.source_ip, &onset.source_name)
            && (label.ip.is_some() || label.host == onset.host)
    };
    let own = (0..).zip(&ids.contents.sources).filter(|(_, label)| is_own(label));
    own.map(|(source, _)| source).find_map(|source: u32| {
        let is_of = |pass: &Pass| ids.identities[pass.source as usize] == source;
        let positions = Positions {
            passes: trials.passes.iter().filter(|(_, p)| is_of(p)).map(|(at, _)| at).collect(),
            refusals: trials.refusals.iter().filter(|(_, r)| is_of(&r.pass)).map(|(at, _)| at).collect(),
        };
        let mut observations = ids.observations(&trials, &positions);
        detect::explain(&mut observations, &ids.contents, run.options.detect, end, &onset.id)
    })
}

/// What the detection looks at.
struct History {
    ids: Ids,
    trials: Trials,
    others: Others,
    end: i64,
}

impl History {
    fn of(run: &Run) -> Self {
        let totals = run.lock();
        let tables = run.names.lock();
        let learned = learn(&totals.tables, &tables);
        Self {
            ids: Ids::new(run, &tables, &learned, &totals.trials),
            trials: totals.trials.clone(),
            others: totals.others.clone(),
            end: range_end(&totals),
        }
    }
}

fn range_end(totals: &Totals) -> i64 {
    totals.inputs.iter().filter_map(InputStats::range).map(|(_, last)| last.seconds).max().unwrap_or(0)
}

/// Contents by the ids that the detection gets.
#[derive(Default)]
struct Contents {
    sources: Vec<Label>,
    /// By source, the second in which its address became known.
    known_since: Vec<i64>,
    domains: Vec<String>,
    senders: Vec<String>,
    forests: Vec<String>,
    replies: Vec<ReplyNames>,
    paths: Vec<String>,
}

impl detect::Names for Contents {
    fn source(&self, id: u32) -> SourceNames {
        let label = &self.sources[id as usize];
        SourceNames { ip: label.ip.clone(), name: label.name.clone(), host: label.host.clone() }
    }
    fn ip_known_since(&self, source: u32) -> i64 {
        self.known_since[source as usize]
    }
    fn domain(&self, id: u32) -> &str {
        &self.domains[id as usize]
    }
    fn forest(&self, id: u32) -> &str {
        &self.forests[id as usize]
    }
    fn sender_domain(&self, id: u32) -> &str {
        &self.senders[id as usize]
    }
    fn reply(&self, id: u32) -> ReplyNames {
        self.replies[id as usize].clone()
    }
    fn path(&self, input: u32) -> &str {
        &self.paths[input as usize]
    }
}

/// The list behind a reply, as the catalogue has it.
fn cause_of(reply_id: &str) -> Option<&'static str> {
    Catalogue::active().entry(reply_id)?.cause.as_deref()
}

/// What the tables' ids are for the detection.
struct Ids {
    contents: Contents,
    /// By source.
    identities: Vec<u32>,
    /// By place; 0 is not known.
    forests: Vec<u32>,
    /// By verdict.
    kinds: Vec<Kind>,
    /// By relay.
    relays: Vec<Option<RelayForest>>,
    /// By domain: Microsoft's, as refusals tell.
    belongs: Vec<bool>,
    /// By number of a message that was waited for, its sender.
    answers: Vec<u32>,
}

/// What a verdict is for the detection.
#[derive(Clone, Copy)]
struct Kind {
    if_domain_does: bool,
    platform: Platform,
    signal: Signal,
    stated: bool,
    unknown_recipient: bool,
    outcome: Outcome,
    reply: u32,
    cause: u32,
}

/// Where the attempts of one source are in the [`Trials`].
#[derive(Default)]
struct Positions {
    passes: Vec<u32>,
    refusals: Vec<u32>,
}

/// The one forest that the tags of a relay address named so far: valid for attempts after `from`, up to `until`.
#[derive(Clone, Copy)]
struct RelayForest {
    forest: u32,
    from: u32,
    until: u32,
}

impl Ids {
    fn new(run: &Run, tables: &NameTables, learned: &Learned, trials: &Trials) -> Self {
        let text = |list: &[Option<Box<str>>]| -> Vec<String> {
            list.iter().map(|t| t.as_deref().unwrap_or_default().to_owned()).collect()
        };
        let mut contents = Contents {
            domains: text(tables.domains.values()),
            senders: text(tables.senders.values()),
            forests: vec![String::new()],
            paths: run.inputs.iter().map(|i| i.name.to_string()).collect(),
            ..Contents::default()
        };
        let mut by_identity: HashMap<Identity, u32> = HashMap::new();
        let identities = tables
            .sources
            .values()
            .iter()
            .map(|source| {
                *by_identity.entry(source.identity()).or_insert_with_key(|identity| {
                    contents.known_since.push(match identity {
                        Identity::Ip(ip) if is_public(*ip) => i64::MIN,
                        _ => learned.quoted_since.get(identity).copied().unwrap_or(i64::MIN),
                    });
                    contents.sources.push(learned.labels.get(identity).cloned().unwrap_or_default());
                    (contents.sources.len() - 1) as u32
                })
            })
            .collect();
        let mut by_forest: HashMap<&str, u32> = HashMap::new();
        let forests: Vec<u32> = tables
            .places
            .values()
            .iter()
            .map(|place| match &place.forest {
                None => 0,
                Some(forest) => *by_forest.entry(forest).or_insert_with(|| {
                    contents.forests.push(forest.to_string());
                    (contents.forests.len() - 1) as u32
                }),
            })
            .collect();
        let mut by_reply = HashMap::new();
        let mut by_cause: HashMap<&str, u32> = HashMap::new();
        let kinds = tables
            .verdicts
            .values()
            .iter()
            .map(|v| {
                let reply = *by_reply.entry((&v.reply_id, v.smtp_code, v.enhanced)).or_insert_with(|| {
                    contents.replies.push(ReplyNames {
                        reply_id: v.reply_id.to_string(),
                        smtp_code: v.smtp_code,
                        enhanced_code: v.enhanced.map(|e| e.to_string()),
                        class: v.class,
                        cause: cause_of(&v.reply_id).map(str::to_owned),
                    });
                    (contents.replies.len() - 1) as u32
                });
                let cause = cause_of(&v.reply_id).map_or(0, |cause| {
                    let next = by_cause.len() as u32 + 1;
                    *by_cause.entry(cause).or_insert(next)
                });
                Kind {
                    if_domain_does: v.belongs == Belongs::IfDomainDoes,
                    platform: v.platform,
                    signal: v.signal,
                    stated: v.stated,
                    unknown_recipient: v.class == Class::Recipient,
                    outcome: v.outcome,
                    reply,
                    cause,
                }
            })
            .collect();
        let mut belongs = vec![false; tables.domains.values().len()];
        for domain in &learned.domains {
            belongs[*domain as usize] = true;
        }
        let relays = relay_forests(trials, tables, &forests);
        let answers = tables.answers.clone();
        Self { contents, identities, forests, kinds, relays, belongs, answers }
    }

    /// Each source on its own, and only its observations in memory: they are larger than what they are made of.
    fn detect(&self, trials: &Trials, end: i64, run: &Run) -> detect::Detector {
        let settings = run.options.detect;
        let mut positions: Vec<Positions> = Vec::new();
        positions.resize_with(self.contents.sources.len(), Positions::default);
        for (at, pass) in trials.passes.iter() {
            positions[self.identities[pass.source as usize] as usize].passes.push(at);
        }
        for (at, refusal) in trials.refusals.iter() {
            positions[self.identities[refusal.pass.source as usize] as usize].refusals.push(at);
        }
        let one = |own: Positions| {
            let mut observations = self.observations(trials, &own);
            drop(own);
            detect::Detector::of_range(&mut observations, &self.contents, settings, end)
        };
        let parts: Vec<detect::Detector> =
            run.on_threads(|| positions.into_par_iter().with_max_len(1).map(one).collect());
        let mut whole = detect::Detector::new(settings);
        for part in parts {
            whole.merge(part);
        }
        whole
    }

    /// The attempts at other providers, with those of which only the recipient domain could have told that they are
    /// Microsoft's.
    fn other_providers(&self, trials: &Trials, mut others: Others) -> OtherProviders {
        let passes = trials.passes.iter().map(|(_, pass)| (pass, Outcome::Delivered));
        let refusals = trials.refusals.iter().map(|(_, refusal)| (&refusal.pass, refusal.outcome));
        for (pass, outcome) in passes.chain(refusals) {
            if self.kinds[pass.verdict as usize].if_domain_does && !self.belongs[pass.domain as usize] {
                let is_delivered = outcome == Outcome::Delivered;
                others.add(Other { source: pass.source, second: pass.second, is_delivered });
            }
        }
        // An attempt that came after the names were looked at is for the next time.
        let entries = others.entries().map(|(source, slot, attempts, accepted)| {
            let identity = source.and_then(|id| self.identities.get(id as usize).copied());
            (identity, slot, attempts, accepted)
        });
        OtherProviders::new(others.width(), entries)
    }

    fn observations(&self, trials: &Trials, own: &Positions) -> Vec<Observation> {
        let mut all = Vec::with_capacity(own.passes.len() + own.refusals.len());
        for at in &own.passes {
            let observed = self.observation(trials.passes.get(*at), 0);
            all.extend(observed.map(|o| Observation { outcome: Outcome::Delivered, ..o }));
        }
        for at in &own.refusals {
            let refusal = trials.refusals.get(*at);
            let observed = self.observation(&refusal.pass, refusal.place);
            all.extend(observed.map(|o| Observation {
                sender_domain: answered(&self.answers, refusal.sender),
                outcome: refusal.outcome,
                line: LineRef { input: refusal.input, offset: refusal.offset },
                ..o
            }));
        }
        all
    }

    fn observation(&self, pass: &Pass, place: u32) -> Option<Observation> {
        let kind = self.kinds[pass.verdict as usize];
        if kind.if_domain_does && !self.belongs[pass.domain as usize] {
            return None;
        }
        let forest = match self.forests[place as usize] {
            0 => self.relays[pass.relay as usize]
                .filter(|known| pass.second > known.from && pass.second <= known.until)
                .map_or(0, |known| known.forest),
            forest => forest,
        };
        Some(Observation {
            second: i64::from(pass.second),
            source: self.identities[pass.source as usize],
            platform: kind.platform,
            domain: pass.domain,
            forest: if kind.platform == Platform::Consumer { forest } else { 0 },
            sender_domain: 0,
            signal: kind.signal,
            stated: kind.stated,
            unknown_recipient: kind.unknown_recipient,
            queue: u64::from(pass.queue),
            reply: kind.reply,
            cause: kind.cause,
            outcome: kind.outcome,
            line: LineRef { input: 0, offset: 0 },
        })
    }
}

/// What a live reader would know of the relays' forests at each moment: tags of earlier seconds only. By relay.
fn relay_forests(trials: &Trials, tables: &NameTables, forests: &[u32]) -> Vec<Option<RelayForest>> {
    let ips = tables.relays.values();
    let mut tags: Vec<(u32, u32, u32)> = trials
        .refusals
        .iter()
        .map(|(_, r)| (r.pass.second, r.pass.relay, forests[r.place as usize]))
        .filter(|(_, relay, forest)| *forest != 0 && ips[*relay as usize].is_some())
        .collect();
    tags.sort_unstable();
    let mut relays: Vec<Option<RelayForest>> = vec![None; ips.len()];
    for (second, relay, forest) in tags {
        let known =
            relays[relay as usize].get_or_insert(RelayForest { forest, from: second, until: u32::MAX });
        if known.forest != forest {
            known.until = known.until.min(second);
        }
    }
    relays
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
        snapshot.onsets = detected.onsets.iter().filter(|o| concerns(o, filter)).cloned().collect();
        snapshot.changes = detected.changes.iter().filter(|c| concerns(&c.onset, filter)).cloned().collect();
        set_status(&mut snapshot.sources, &detected.onsets);
    }
    snapshot.warnings.clone_from(&totals.warnings);
    snapshot.warnings.extend(malformed_warnings(run, &totals));
    snapshot.warnings.extend(blind_spots(run, &totals));
    snapshot.warnings.extend(totals.skews.texts().map(|text| Warning { path: None, text, is_error: false }));
    snapshot.warnings.extend(source_warnings(&learned));
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

/// Whether an event has to do with what a filter lets through.
fn concerns(onset: &Onset, filter: &Filter) -> bool {
    let [name, front] = onset.source_name.as_deref().map_or([None; 2], known_as);
    let sources = [onset.source_ip.as_deref(), name, front, onset.host.as_deref()];
    let any = |patterns: &crate::aggregate::Patterns, values: &Option<Vec<String>>| {
        values.as_ref().is_none_or(|list| patterns.matches(list.iter().map(String::as_str)))
    };
    let replies = reply_names(&onset.reply_id, onset.smtp_code, onset.enhanced_code.as_ref());
    filter.source.matches(sources.into_iter().flatten())
        && onset.domain.as_ref().is_none_or(|d| filter.domain.matches([d.as_str()].into_iter()))
        && onset.sender_domain.as_ref().is_none_or(|d| filter.sender_domain.matches([d.as_str()].into_iter()))
        && any(&filter.datacenter, &onset.datacenters)
        && any(&filter.platform, &onset.platform)
        && filter.reply.matches(replies.iter().map(String::as_str))
        && filter.class.matches([onset.class.name()].into_iter())
}

/// A block ends by accepted attempts only: the event says so, not silence.
fn set_status(sources: &mut [SourceRow], onsets: &[Onset]) {
    for source in sources {
        let own = onsets.iter().filter(|o| {
            o.status == OnsetStatus::Active
                && (&o.source_ip, &o.source_name, &o.host)
                    == (&source.source_ip, &source.source_name, &source.host)
        });
        source.status = own
            .map(|o| match o.family {
                Family::Block => Status::Blocked,
                Family::Throttle => Status::Throttled,
                Family::Auth => Status::Clear,
            })
            .max()
            .unwrap_or_default();
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
