//! The evidence pack: what Microsoft refused of one sending address, in the order in which somebody who has to decide on
//! it asks. Built once as a document, written as Markdown or HTML.
//!
//! All of the input is cleaned of control characters already; here it becomes [`Span::Input`], masked where that is
//! wanted, so that nothing of it is markup.

mod other_side;
mod tables;

use crate::aggregate::Status;
use crate::attribute::SourceEvidence;
use crate::detect::{Basis, Family, Onset, OnsetStatus, Spread, Tally};
use crate::engine::{EventRefusals, Evidence, Refusal};
use crate::microsoft::{Catalogue, ClassWords, class_words};
use crate::record::Time;
use crate::text::mask;

use super::explain::{have_ready, links, where_to};
use super::page::{self, Block, Bullet, Line, Span, ours};
use super::text::{codes, grouped, outcomes, refusals, short};

/// Lines that are shown; Microsoft looks up one or two.
const LINES: usize = 24;
/// Replies for which it is said what to do.
const ADVISED: usize = 3;

/// What the user noted at events: id and words.
pub type Notes = [(String, String)];

/// For a form, a mail or a ticket.
pub fn markdown(evidence: &Evidence, notes: &Notes, is_masked: bool) -> String {
    page::markdown(&document(evidence, notes, is_masked))
}

/// For people.
pub fn html(evidence: &Evidence, notes: &Notes, is_masked: bool) -> String {
    page::html(&document(evidence, notes, is_masked))
}

fn document(evidence: &Evidence, notes: &Notes, is_masked: bool) -> Vec<Block> {
    let mut pack = Pack { evidence, notes, is_masked, blocks: Vec::new() };
    pack.title(1, format!("Mail from {} to Microsoft", evidence.ip));
    pack.in_short();
    pack.who();
    if evidence.summary.totals.counts.attempts > 0 {
        for (number, (onset, refusals)) in (1..).zip(evidence.summary.onsets.iter().zip(&evidence.events)) {
            pack.event(number, onset, refusals);
        }
        pack.refusals();
        pack.lines();
        pack.other_side();
        pack.next_steps();
    }
    pack.blocks
}

struct Pack<'e> {
    evidence: &'e Evidence,
    notes: &'e Notes,
    is_masked: bool,
    blocks: Vec<Block>,
}

impl Pack<'_> {
    fn title(&mut self, level: u8, text: impl Into<String>) {
        self.blocks.push(Block::Title(level, ours(text)));
    }

    fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(ours(text)));
    }

    fn named(&mut self, name: &'static str, text: impl Into<String>) {
        self.blocks.push(Block::Named(name, ours(text)));
    }

    fn clean(&self, text: &str) -> String {
        if self.is_masked { mask(text) } else { text.to_owned() }
    }

    fn input(&self, text: &str) -> Span {
        Span::Input(self.clean(text))
    }

    /// `from … to …`
    fn range(&self) -> String {
        match (self.evidence.summary.range.first, self.evidence.summary.range.last) {
            (Some(first), Some(last)) => format!("{} to {}", short(first), short(last)),
            _ => "at no time that the log tells".to_owned(),
        }
    }

    /// What can be pasted where one line is asked for.
    fn in_short(&mut self) {
        let Evidence { ip, summary, nearest, unnamed, .. } = self.evidence;
        let counts = &summary.totals.counts;
        let attempts = grouped(counts.attempts);
        let active: Vec<&Onset> = summary.onsets.iter().filter(|o| o.status == OnsetStatus::Active).collect();
        if counts.attempts == 0 {
            let others: u64 = self.evidence.hours.values().map(|hour| hour.others).sum();
            if others > 0 {
                self.paragraph(format!(
                    "{ip} sent nothing to Microsoft here, {}: {} attempts to other providers.",
                    self.range(),
                    grouped(others)
                ));
                return;
            }
            self.paragraph(format!("{ip} sent nothing here: the input does not name it, {}.", self.range()));
            if !nearest.is_empty() {
                self.paragraph(format!("The nearest sources that it names: {}.", nearest.join(", ")));
            }
            if *unnamed > 0 {
                let sources = if *unnamed == 1 { "source has" } else { "sources have" };
                self.paragraph(format!(
                    "{unnamed} {sources} no address in the log: --source-map says which address a name stands for."
                ));
            }
        } else if counts.blocked + counts.throttled == 0 && summary.onsets.is_empty() {
            self.paragraph(format!("No refusal of this IP in {attempts} attempts, {}.", self.range()));
        } else if active.is_empty() {
            self.paragraph(format!(
                "Nothing of it goes on at the end. Of {attempts} attempts, {}, Microsoft refused {} as a block and {} as \
                 a throttle.",
                self.range(),
                grouped(counts.blocked),
                grouped(counts.throttled)
            ));
        }
        for onset in active {
            let verb = match onset.family {
                Family::Block => "refuses mail from",
                Family::Throttle => "throttles mail from",
                Family::Auth => "refuses, for the authentication of a sender's domain, mail from",
            };
            let Tally { attempts, refused } = onset.during;
            let mut text = format!(
                "Since {} Microsoft ({}) {verb} {ip}: {} of {} attempts, with {} ({}).",
                short(onset.start),
                platforms(onset),
                grouped(refused),
                grouped(attempts),
                codes(onset.smtp_code, onset.enhanced_code.as_deref()),
                onset.reply_id
            );
            if let Some(time) = onset.last_attempt {
                text += &format!(" Last attempt: {}.", short(time));
            }
            text += &match onset.last_accepted {
                Some(time) => format!(" Last accepted: {}.", short(time)),
                None => " None of these was accepted.".to_owned(),
            };
            self.paragraph(text);
        }
    }

    fn who(&mut self) {
        let Evidence { ip, summary, .. } = self.evidence;
        self.title(2, "Who, and what was looked at");
        self.named("Sending IP", ip.to_string());
        if let Some(names) = self.names() {
            self.blocks.push(Block::Named("In the log", names));
        }
        let known: Vec<String> = (self.evidence.known_by.iter())
            .map(|(how, count)| {
                format!("{} ({}): {} attempts", known_words(*how), how.name(), grouped(*count))
            })
            .collect();
        if !known.is_empty() {
            self.named("Known by", known.join("; "));
        }
        let counts = summary.totals.counts;
        self.named("Time", format!("{} (all times here are UTC)", self.range()));
        if counts.attempts > 0 {
            self.named(
                "Attempts",
                format!(
                    "{} to Microsoft: {}; of them {}",
                    grouped(counts.attempts),
                    outcomes(&counts),
                    refusals(&counts)
                ),
            );
            let status = summary.sources.iter().map(|row| row.status).max().unwrap_or_default();
            let last = |time: Option<Time>| time.map_or_else(|| "never here".to_owned(), short);
            self.named(
                "Now",
                format!(
                    "{}; last attempt {}, last accepted {}",
                    status_words(status),
                    last(summary.sources.iter().filter_map(|row| row.last_attempt).max()),
                    last(summary.sources.iter().filter_map(|row| row.last_accepted).max())
                ),
            );
        }
        self.inputs();
        for warning in summary.warnings.iter().filter(|warning| warning.is_error) {
            let mut line = ours("Could not be read: ");
            line.extend(warning.path.as_deref().map(|path| self.input(path)));
            line.extend([Span::Ours(": ".to_owned()), self.input(&warning.text)]);
            self.blocks.push(Block::Paragraph(line));
        }
        let (found, all) = (self.evidence.found, counts.attempts);
        if found != all {
            self.paragraph(format!(
                "Counted twice, {} attempts are there the first time and {} the second (a log that grows or was rotated, \
                 or a pipe that cannot be read again): the tables by hour and the lines are of the second.",
                grouped(all),
                grouped(found)
            ));
        }
    }

    /// Names and hosts, the most frequent first.
    fn names(&self) -> Option<Line> {
        const SHOWN: usize = 6;
        let mut names: Vec<_> = self.evidence.names.iter().collect();
        names.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
        let mut line = Line::new();
        for ((name, host), count) in names.iter().take(SHOWN) {
            if !line.is_empty() {
                line.push(Span::Ours(", ".to_owned()));
            }
            match (name, host) {
                (Some(name), Some(host)) => {
                    line.extend([self.input(name), Span::Ours(" on ".to_owned()), self.input(host)]);
                }
                (Some(one), None) | (None, Some(one)) => line.push(self.input(one)),
                (None, None) => line.push(Span::Ours("no name".to_owned())),
            }
            line.push(Span::Ours(format!(" ({} attempts)", grouped(**count))));
        }
        if names.len() > SHOWN {
            line.push(Span::Ours(format!(" and {} more", names.len() - SHOWN)));
        }
        (!line.is_empty()).then_some(line)
    }

    fn event(&mut self, number: usize, onset: &Onset, refusals: &EventRefusals) {
        let what = match onset.family {
            Family::Block => "block",
            Family::Throttle => "throttle",
            Family::Auth => "authentication",
        };
        let state = match onset.status {
            OnsetStatus::Active => "goes on",
            OnsetStatus::Cleared => "over",
        };
        let code = codes(onset.smtp_code, onset.enhanced_code.as_deref());
        self.title(2, format!("Event {number}, {what}: {code}, since {}, {state}", short(onset.start)));
        let logged = [&onset.source_ip, &onset.source_name, &onset.host].into_iter().flatten().next();
        if onset.source_ip != Some(self.evidence.ip.to_string()) {
            let other =
                logged.map_or_else(|| Span::Ours("no name at all".to_owned()), |name| self.input(name));
            let rest = Span::Ours(", which Microsoft saw as this IP: the event counts all of it".to_owned());
            self.blocks.push(Block::Named("Logged as", vec![other, rest]));
        }
        self.named("Since", short(onset.start));
        let until = match (onset.end, onset.untried_since) {
            (Some(end), _) => format!("{} (the last refusal that counted)", short(end)),
            (None, Some(since)) => format!("not over; nothing was tried since {}", short(since)),
            (None, None) => "not over".to_owned(),
        };
        self.named("Until", until);
        self.named("Platform", platforms(onset));
        if let Some(domain) = &onset.domain {
            self.blocks.push(Block::Named("Domain", vec![self.input(domain)]));
        }
        if let Some(domain) = &onset.sender_domain {
            self.blocks.push(Block::Named("Sender domain", vec![self.input(domain)]));
        }
        self.datacenters(onset);
        self.named("Reply", format!("{code}, {} ({})", onset.reply_id, onset.class.name()));
        self.words(onset, refusals);
        let Tally { attempts, refused } = onset.during;
        self.named("Refused", share(refused, attempts));
        self.named(
            "Messages",
            format!("{} lost for good, {} deferred", grouped(onset.lost), grouped(onset.deferred)),
        );
        self.named(
            "Before",
            format!("{} in the day before", share(onset.before.refused, onset.before.attempts)),
        );
        self.named(
            "How sure",
            match onset.basis {
                Basis::Rate => format!("confidence {:.4}, by the share of refusals", onset.confidence),
                Basis::Stated => "by Microsoft's own words".to_owned(),
            },
        );
        let last = |time: Option<Time>| time.map_or_else(|| "none".to_owned(), short);
        self.named(
            "Last",
            format!("attempt {}, accepted {}", last(onset.last_attempt), last(onset.last_accepted)),
        );
        if let Some(words) = onset.backoff_words() {
            self.named("Back-off", words);
        }
        let is_own = |id: &str| id == onset.id || onset.was.as_deref() == Some(id);
        if let Some((_, note)) = self.notes.iter().find(|(id, _)| is_own(id)) {
            self.blocks.push(Block::Named("Note", vec![self.input(note)]));
        }
    }

    /// Where it was refused, in the order in which it began there.
    fn datacenters(&mut self, onset: &Onset) {
        match &onset.datacenters {
            None => self.named("Datacenters", "all"),
            Some(forests) => {
                self.blocks.push(Block::Named("Datacenters", vec![self.input(&forests.join(" "))]));
            }
        }
        let mut spread: Vec<&Spread> = onset.spread.iter().collect();
        spread.sort_by_key(|place| (place.start, &place.forest));
        if !spread.is_empty() {
            self.spread(&spread);
        }
        if let Some(words) = onset.recovery_words() {
            self.named("Recovery", words);
        }
    }

    /// What Microsoft said, and when.
    fn words(&mut self, onset: &Onset, refusals: &EventRefusals) {
        let is_other = |first: &Refusal| first.attempt.reply_id.as_deref() != Some(onset.reply_id.as_str());
        let first = refusals.first.as_ref().filter(|first| is_other(first));
        if let Some(refusal) = refusals.typical.as_ref().or(refusals.first.as_ref()) {
            self.reply("Words", refusal);
        }
        if let Some(refusal) = first.filter(|_| refusals.typical.is_some()) {
            self.reply("The first refusal", refusal);
        }
    }

    fn reply(&mut self, name: &'static str, refusal: &Refusal) {
        let Some(reply) = &refusal.attempt.reply else { return };
        self.blocks.push(Block::Named(name, vec![self.input(reply)]));
        let mut said = Line::new();
        if let Some(host) = &refusal.attempt.datacenter_host {
            said.extend([Span::Ours("by ".to_owned()), self.input(host)]);
        }
        if let Some(time) = refusal.answered_at {
            said.push(Span::Ours(format!(" at {} by Microsoft's own clock", short(time))));
        }
        if let Some(time) = refusal.attempt.time {
            said.push(Span::Ours(format!(" ({} in the log)", short(time))));
        }
        if !said.is_empty() {
            self.blocks.push(Block::Named("Said", said));
        }
    }

    fn lines(&mut self) {
        let refusals = &self.evidence.refusals;
        if refusals.is_empty() {
            return;
        }
        self.title(2, "Log lines to look up");
        self.paragraph(
            "The first and the last refusal, and the first of each datacenter and reply; file and byte say where it stands.",
        );
        // The last stays, however many kinds there are.
        let shown = refusals.iter().take(LINES - 1).chain(refusals.iter().skip(LINES - 1).next_back());
        for refusal in shown {
            let attempt = &refusal.attempt;
            let mut line = vec![
                Span::Ours(attempt.time.map_or_else(|| "no stamp".to_owned(), short) + ", "),
                self.input(&attempt.file),
                Span::Ours(format!(", byte {}", attempt.offset)),
            ];
            if let Some(queue_id) = &attempt.queue_id {
                line.extend([Span::Ours(", queue id ".to_owned()), self.input(queue_id)]);
            }
            self.blocks.push(Block::Paragraph(line));
            self.blocks.push(Block::Verbatim(self.clean(&refusal.line)));
        }
        let more = if self.evidence.has_more_kinds { "more than " } else { "" };
        if refusals.len() > LINES {
            self.paragraph(format!("{more}{} further kinds are left out.", refusals.len() - LINES));
        }
    }

    /// The catalogue's steps for what is refused most, of what goes on first.
    fn next_steps(&mut self) {
        let summary = &self.evidence.summary;
        let mut ids: Vec<&str> = Vec::new();
        let with = |status| summary.onsets.iter().rev().filter(move |onset| onset.status == status);
        let events = with(OnsetStatus::Active).chain(with(OnsetStatus::Cleared)).map(|o| o.reply_id.as_str());
        let refusing = summary.replies.iter().filter(|row| row.is_block || row.class.is_throttle());
        for id in events.chain(refusing.map(|row| row.reply_id.as_str())) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        for entry in ids.iter().filter_map(|id| Catalogue::active().entry(id)).take(ADVISED) {
            let code = entry.enhanced.map_or_else(String::new, |code| format!(" {code}"));
            self.title(
                2,
                format!("What to have ready and where to send it: {}{code}, {}", entry.smtp_code, entry.id),
            );
            self.named("Root cause", entry.root_cause.clone());
            let avoid = class_words(entry.class).map_or(&[][..], |ClassWords { avoid, .. }| avoid);
            let links = links(entry);
            let steps = entry.steps.iter().map(ours).collect::<Vec<_>>();
            if !steps.is_empty() {
                self.blocks.push(Block::Numbered("Steps", steps));
            }
            self.bullets("Have ready", have_ready(&links));
            self.bullets("Where", links.iter().map(|link| where_to(link)).collect());
            self.bullets("Not to do", avoid.iter().map(Bullet::plain).collect());
        }
    }

    fn bullets(&mut self, name: &'static str, items: Vec<Bullet>) {
        if !items.is_empty() {
            self.blocks.push(Block::Bullets(name, items));
        }
    }
}

/// `12 of 340 attempts (3.5 %)`
fn share(part: u64, all: u64) -> String {
    let percent =
        if all > 0 { format!(" ({:.1} %)", 100.0 * part as f64 / all as f64) } else { String::new() };
    format!("{} of {} attempts{percent}", grouped(part), grouped(all))
}

fn platforms(onset: &Onset) -> String {
    onset.platform.as_ref().map_or_else(|| "all of Microsoft".to_owned(), |platforms| platforms.join(", "))
}

fn status_words(status: Status) -> &'static str {
    match status {
        Status::Clear => "neither blocked nor throttled",
        Status::Throttled => "throttled",
        Status::Blocked => "blocked",
    }
}

fn known_words(how: SourceEvidence) -> &'static str {
    match how {
        SourceEvidence::Logged => "the log has it",
        SourceEvidence::Mapped => "the table of names says so",
        SourceEvidence::Reply => "Microsoft quotes it in the reply",
        SourceEvidence::Learned => "Microsoft quotes it in other replies to the same name",
        SourceEvidence::None => "the log does not tell",
    }
}
