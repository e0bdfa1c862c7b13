//! The summary for people: what is blocked first, then the tables.

use std::fmt::Write;

use crate::aggregate::{Counts, Snapshot};
use crate::detect::{Basis, Family, Onset, OnsetStatus};
use crate::record::Time;

/// Rows of a table before the rest is only counted.
const ROWS: usize = 15;

/// Everything of a snapshot that fits a terminal of a hundred columns.
pub fn summary(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    head(&mut text, snapshot);
    text.push_str(&onsets(snapshot));
    sources(&mut text, snapshot);
    table(&mut text, "Domains", &domain_rows(snapshot));
    table(&mut text, "Datacenters", &datacenter_rows(snapshot));
    replies(&mut text, snapshot);
    text
}

/// The events, newest last, each with its number (`--explain-onset`).
pub fn onsets(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    if snapshot.onsets.is_empty() {
        let totals = &snapshot.totals.counts;
        let _ = match totals.attempts {
            0 => writeln!(text, "No mail to Microsoft in these logs."),
            n => writeln!(text, "No block or throttle by Microsoft in {} attempts.", grouped(n)),
        };
    }
    for (onset, number) in snapshot.onsets.iter().zip(1..) {
        let _ = writeln!(text, "{number:>2}  {}", onset_line(onset));
        let side = match onset.reading.verdict {
            "yours" => "looks like yours",
            "theirs" => "looks like Microsoft's side",
            _ => "yours or theirs: cannot tell",
        };
        let facts = onset.reading.reasons.join("; ");
        for line in wrapped(&format!("{side}: {facts}"), 92) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

/// One event in a few lines.
pub fn onset_line(onset: &Onset) -> String {
    let word = match (onset.status, onset.family) {
        (OnsetStatus::Cleared, _) => "· cleared",
        (_, Family::Block) => "■ BLOCKED",
        (_, Family::Throttle) => "▲ THROTTLED",
        (_, Family::Auth) => "◆ AUTHENTICATION",
    };
    let who = onset.sender_domain.as_deref().filter(|_| onset.family == Family::Auth);
    let who = who
        .or(onset.source_ip.as_deref())
        .or(onset.source_name.as_deref())
        .or(onset.host.as_deref())
        .unwrap_or("(source not logged)");
    let platform = onset.platform.as_ref().map_or_else(|| "all of Microsoft".to_owned(), |p| p.join(", "));
    let datacenters =
        onset.datacenters.as_ref().map_or_else(|| "all datacenters".to_owned(), |d| d.join(" "));
    let mut text = format!("{word}  {who}  {platform}, {datacenters}");
    if let Some(domain) = &onset.domain {
        let _ = write!(text, ", {domain}");
    }
    let code = codes(onset.smtp_code, onset.enhanced_code.as_deref());
    let _ = write!(text, "\n    since {}", onset.start);
    if let Some(end) = onset.end {
        let _ = write!(text, " to {end}");
    }
    if let Some(since) = onset.untried_since {
        let _ = write!(text, ", untried since {since}");
    }
    let _ = write!(
        text,
        "  {} of {} refused  {code} {}",
        grouped(onset.during.refused),
        grouped(onset.during.attempts),
        onset.reply_id
    );
    if onset.lost > 0 {
        let _ = write!(text, "  {} lost", grouped(onset.lost));
    }
    if onset.deferred > 0 {
        let _ = write!(text, "  {} deferred", grouped(onset.deferred));
    }
    let basis = match onset.basis {
        Basis::Rate => format!("confidence {:.4}", onset.confidence),
        Basis::Stated => "by Microsoft's own words".to_owned(),
    };
    let _ = write!(text, "  ({basis})");
    for words in [onset.backoff_words(), onset.recovery_words()].into_iter().flatten() {
        for line in wrapped(&words, 92) {
            let _ = write!(text, "\n    {line}");
        }
    }
    text
}

fn head(text: &mut String, snapshot: &Snapshot) {
    let totals = &snapshot.totals;
    let bytes: u64 = snapshot.inputs.iter().map(|i| i.bytes).sum();
    let range = match (snapshot.range.first, snapshot.range.last) {
        (Some(first), Some(last)) => format!("{} to {}", short(first), short(last)),
        _ => "no stamps in that time".to_owned(),
    };
    let logs = snapshot.inputs.len();
    let _ = writeln!(
        text,
        "{logs} log{}, {}, {} lines, {range}",
        if logs == 1 { "" } else { "s" },
        size(bytes),
        grouped(totals.lines)
    );
    let counts = &totals.counts;
    let _ = writeln!(
        text,
        "{} attempts to Microsoft: {}; {}",
        grouped(counts.attempts),
        outcomes(counts),
        refusals(counts)
    );
    let _ = writeln!(
        text,
        "{} attempts to others, {} held back without a try, {} lines not understood\n",
        grouped(totals.other_attempts),
        grouped(totals.held_back),
        grouped(totals.malformed)
    );
}

fn sources(text: &mut String, snapshot: &Snapshot) {
    let rows: Vec<(String, Counts, String)> = snapshot
        .sources
        .iter()
        .map(|s| {
            let mut label = s.label().to_owned();
            if let (Some(_), Some(name)) = (&s.source_ip, &s.source_name) {
                let _ = write!(label, " {name}");
            }
            (label, s.counts, s.status.name().to_uppercase())
        })
        .collect();
    table(text, "Sources", &rows);
}

fn domain_rows(snapshot: &Snapshot) -> Vec<(String, Counts, String)> {
    let row = |d: &crate::aggregate::DomainRow| {
        (
            d.domain.clone().unwrap_or_else(|| "(not logged)".to_owned()),
            d.counts,
            d.platform.name().to_owned(),
        )
    };
    snapshot.domains.iter().map(row).collect()
}

fn datacenter_rows(snapshot: &Snapshot) -> Vec<(String, Counts, String)> {
    let row = |d: &crate::aggregate::DatacenterRow| {
        let label = d.forest.clone().unwrap_or_else(|| "(not told)".to_owned());
        let learned = if d.learned > 0 { format!(" {} learned", grouped(d.learned)) } else { String::new() };
        (label, d.counts, format!("{}{learned}", d.region.clone().unwrap_or_default()))
    };
    snapshot.datacenters.iter().map(row).collect()
}

fn table(text: &mut String, title: &str, rows: &[(String, Counts, String)]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{title:<42} {:>10} {:>10} {:>9} {:>9} {:>9} {:>9}",
        "attempts", "delivered", "deferred", "bounced", "blocked", "throttled"
    );
    for (label, counts, note) in rows.iter().take(ROWS) {
        let _ = writeln!(
            text,
            "  {:<40} {:>10} {:>10} {:>9} {:>9} {:>9} {:>9}  {note}",
            shortened(label, 40),
            grouped(counts.attempts),
            grouped(counts.delivered),
            grouped(counts.deferred),
            grouped(counts.bounced),
            grouped(counts.blocked),
            grouped(counts.throttled)
        );
    }
    if rows.len() > ROWS {
        let _ =
            writeln!(text, "  … and {} more (--format json has all)", grouped((rows.len() - ROWS) as u64));
    }
}

fn replies(text: &mut String, snapshot: &Snapshot) {
    if snapshot.replies.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nReplies");
    for reply in snapshot.replies.iter().take(ROWS) {
        let code = codes(reply.smtp_code, reply.enhanced_code.as_deref());
        let block = if reply.is_block { "■ block" } else { reply.class.name() };
        let _ = writeln!(text, "  {:>8}  {code:<12} {block:<24} {}", grouped(reply.count), reply.reply_id);
        if let Some(fix) = &reply.fix {
            for line in wrapped(fix, 84) {
                let _ = writeln!(text, "            {line}");
            }
        } else if let Some(example) = &reply.example {
            let _ = writeln!(text, "            {}", shortened(example, 84));
        }
    }
    if snapshot.replies.len() > ROWS {
        let rest = (snapshot.replies.len() - ROWS) as u64;
        let _ = writeln!(text, "  … and {} more kinds of reply (--format json has all)", grouped(rest));
    }
}

/// `550 5.7.1`, or the one that there is.
pub(super) fn codes(smtp: Option<u16>, enhanced: Option<&str>) -> String {
    let smtp = smtp.map(|code| code.to_string());
    smtp.as_deref().into_iter().chain(enhanced).collect::<Vec<_>>().join(" ")
}

/// What became of attempts: the parts add up to them.
pub fn outcomes(counts: &Counts) -> String {
    let Counts { delivered, deferred, bounced, .. } = *counts;
    format!("{} delivered, {} deferred, {} bounced", grouped(delivered), grouped(deferred), grouped(bounced))
}

/// How many of them Microsoft refused for what the sender is.
pub fn refusals(counts: &Counts) -> String {
    format!("{} blocked, {} throttled", grouped(counts.blocked), grouped(counts.throttled))
}

/// Thousands apart by a narrow blank that every terminal has.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Bytes as people read them.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

pub(super) fn short(time: Time) -> String {
    let mut text = time.to_string();
    text.truncate(19);
    text.replace('T', " ") + " UTC"
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut();
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_sizes_short() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1234), "1 234");
        assert_eq!(grouped(12_345_678), "12 345 678");
        assert_eq!(size(999), "999 B");
        assert_eq!(size(3_200_000_000), "3.2 GB");
    }
}
