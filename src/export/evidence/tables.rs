//! The tables of the pack: all with denominators, each with its end said.

use super::super::page::Column::{Number, Words};
use super::super::page::{Block, Column, Line, Span, ours};
use super::super::text::{codes, grouped, short};
use super::Pack;
use crate::aggregate::Counts;
use crate::detect::Spread;
use crate::engine::Hour;
use crate::microsoft::region_name;
use crate::record::Time;

/// Rows of a table before the rest is only counted.
const ROWS: usize = 25;
/// Hours of the table by hour: half of them the first, half the last.
const HOURS: usize = 48;
const HOUR: i64 = 3600;

impl Pack<'_> {
    /// What was read, file by file.
    pub(super) fn inputs(&mut self) {
        const HEADS: &[Column] = &[
            Words("Input"),
            Words("Format"),
            Words("Compressed"),
            Number("Bytes"),
            Number("Lines"),
            Number("Attempts, all sources"),
            Number("Not understood"),
        ];
        let inputs = &self.evidence.summary.inputs;
        let row = |input: &crate::aggregate::InputRow| {
            vec![
                vec![self.input(&input.path)],
                ours(input.mta.as_deref().unwrap_or("not known")),
                ours(input.compression.as_deref().unwrap_or("no")),
                number(input.bytes),
                number(input.lines),
                number(input.attempts),
                number(input.malformed),
            ]
        };
        let rows = inputs.iter().take(ROWS).map(row).collect();
        self.table(HEADS, rows, inputs.len());
    }

    /// Where it was refused, and when.
    pub(super) fn spread(&mut self, places: &[&Spread]) {
        const HEADS: &[Column] =
            &[Words("Datacenter"), Words("First refused"), Words("Last refused"), Words("Accepts again")];
        let row = |place: &&Spread| {
            let again = place.first_accepted.map_or_else(|| "no".to_owned(), short);
            vec![
                vec![self.input(&place.forest)],
                ours(short(place.start)),
                ours(short(place.last_refused)),
                ours(again),
            ]
        };
        let rows = places.iter().take(ROWS).map(row).collect();
        self.table(HEADS, rows, places.len());
    }

    /// By reply, recipient domain, datacenter and hour.
    pub(super) fn refusals(&mut self) {
        self.title(2, "What was refused");
        self.replies();
        self.domains();
        self.forests();
        self.hours();
        let earlier = self.evidence.earlier_events;
        if earlier > 0 {
            self.paragraph(format!("{earlier} events that began earlier are left out."));
        }
    }

    fn replies(&mut self) {
        const HEADS: &[Column] = &[
            Words("Reply"),
            Words("Code"),
            Words("Class"),
            Number("Attempts"),
            Number("Of all"),
            Words("First"),
            Words("Last"),
        ];
        let summary = &self.evidence.summary;
        let all = summary.totals.counts.attempts;
        let when = |time: Option<Time>| ours(time.map_or_else(String::new, short));
        let row = |reply: &crate::aggregate::ReplyRow| {
            vec![
                ours(&reply.reply_id),
                ours(codes(reply.smtp_code, reply.enhanced_code.as_deref())),
                ours(reply.class.name()),
                number(reply.count),
                ours(format!("{:.1} %", 100.0 * reply.count as f64 / all.max(1) as f64)),
                when(reply.first),
                when(reply.last),
            ]
        };
        let rows = summary.replies.iter().take(ROWS).map(row).collect();
        self.title(3, "By reply");
        self.table(HEADS, rows, summary.replies.len());
    }

    fn domains(&mut self) {
        const HEADS: &[Column] = &with_counts(Words("Recipient domain"), Words("Platform"));
        let domains = &self.evidence.summary.domains;
        let row = |row: &crate::aggregate::DomainRow| {
            let name = row.domain.as_ref().map_or_else(|| ours("not logged"), |d| vec![self.input(d)]);
            counted([name, ours(row.platform.name())], row.counts)
        };
        let rows = domains.iter().take(ROWS).map(row).collect();
        self.title(3, "By recipient domain");
        self.table(HEADS, rows, domains.len());
    }

    fn forests(&mut self) {
        const HEADS: &[Column] = &with_counts(Words("Datacenter"), Words("Where"));
        let datacenters = &self.evidence.summary.datacenters;
        let row = |row: &crate::aggregate::DatacenterRow| {
            let name = row.forest.as_ref().map_or_else(|| ours("not told"), |f| vec![self.input(f)]);
            let region = row.region.as_deref();
            let place = match region.and_then(region_name) {
                Some(name) => ours(name),
                None => region.map(|region| vec![self.input(region)]).unwrap_or_default(),
            };
            counted([name, place], row.counts)
        };
        let rows = datacenters.iter().take(ROWS).map(row).collect();
        self.title(3, "By datacenter");
        self.table(HEADS, rows, datacenters.len());
    }

    /// The hours with a refusal of the sender, and those beside them.
    fn hours(&mut self) {
        const HEADS: &[Column] = &with_counts(Words("Hour (UTC)"), Words("Other providers accepted"));
        let hours = &self.evidence.hours;
        let refuses = |hour: &Hour| hour.counts.blocked + hour.counts.throttled > 0;
        let is_near = |at: Option<i64>| {
            let around = at.into_iter().flat_map(|at| [at - HOUR, at, at + HOUR].map(Some));
            around.chain([at]).filter_map(|at| hours.get(&at)).any(refuses)
        };
        let near: Vec<(&Option<i64>, &Hour)> = hours.iter().filter(|(at, _)| is_near(**at)).collect();
        if near.is_empty() {
            return;
        }
        let row = |(at, hour): &(&Option<i64>, &Hour)| {
            let begin = at.map_or_else(
                || "no stamp".to_owned(),
                |at| {
                    let mut text = short(Time::from_seconds(at));
                    text.truncate("2026-05-12 06:13".len());
                    text
                },
            );
            let others = match (self.evidence.filters_others, hour.others) {
                (true, _) => "not compared".to_owned(),
                (false, 0) => "none tried".to_owned(),
                (false, n) => format!("{} of {}", grouped(hour.others_delivered), grouped(n)),
            };
            counted([ours(begin), ours(others)], hour.counts)
        };
        let left_out = near.len().saturating_sub(HOURS);
        let half = if left_out > 0 { HOURS / 2 } else { near.len() };
        let rows = near[..half].iter().chain(&near[half + left_out..]).map(row).collect();
        self.title(3, "By hour, where the sender was refused");
        self.blocks.push(Block::Table(HEADS, rows));
        if left_out > 0 {
            self.paragraph(format!(
                "{left_out} hours are left out after the first {half}; {} hours were looked at in all.",
                hours.len()
            ));
        }
    }

    fn table(&mut self, heads: &'static [Column], rows: Vec<Vec<Line>>, all: usize) {
        let more = all - rows.len();
        self.blocks.push(Block::Table(heads, rows));
        if more > 0 {
            self.paragraph(format!("… and {} more (summary --format json has all)", grouped(more as u64)));
        }
    }
}

const fn with_counts(first: Column, second: Column) -> [Column; 8] {
    [
        first,
        second,
        Number("Attempts"),
        Number("Delivered"),
        Number("Deferred"),
        Number("Bounced"),
        Number("Blocked"),
        Number("Throttled"),
    ]
}

fn counted(first: [Line; 2], counts: Counts) -> Vec<Line> {
    let Counts { attempts, delivered, deferred, bounced, blocked, throttled } = counts;
    let numbers = [attempts, delivered, deferred, bounced, blocked, throttled].map(number);
    first.into_iter().chain(numbers).collect()
}

fn number(value: u64) -> Line {
    vec![Span::Ours(grouped(value))]
}
