//! The columns of the four tables: titles, widths, order, values. Drawing, sorting and the mouse all ask here.

use std::cmp::{Ordering, Reverse};

use super::clock::Clock;
use super::state::{Crumb, Field};
use super::text;
use crate::aggregate::{
    Counts, DatacenterRow, DomainRow, ReplyRow, Snapshot, SourceRow, Status, Trend, literal,
};
use crate::record::Time;

/// One of the four tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    #[default]
    Sources,
    Domains,
    Datacenters,
    Replies,
}

impl Tab {
    pub const ALL: [Self; 4] = [Self::Sources, Self::Domains, Self::Datacenters, Self::Replies];

    pub fn title(self) -> &'static str {
        match self {
            Self::Sources => "Sources",
            Self::Domains => "Domains",
            Self::Datacenters => "Datacenters",
            Self::Replies => "Replies",
        }
    }

    /// How many rows the table has.
    pub fn rows(self, snapshot: &Snapshot) -> usize {
        match self {
            Self::Sources => snapshot.sources.len(),
            Self::Domains => snapshot.domains.len(),
            Self::Datacenters => snapshot.datacenters.len(),
            Self::Replies => snapshot.replies.len(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    Name,
    Status,
    Platform,
    Region,
    Sites,
    Code,
    Class,
    Attempts,
    Delivered,
    Deferred,
    Bounced,
    Blocked,
    Share,
    Throttled,
    LastAccepted,
    Count,
    First,
    Last,
    Meaning,
    Trend,
}

impl Column {
    pub fn title(self, tab: Tab) -> &'static str {
        match self {
            Self::Name => match tab {
                Tab::Sources => "SOURCE",
                Tab::Domains => "DOMAIN",
                Tab::Datacenters => "DATACENTER",
                Tab::Replies => "REPLY",
            },
            Self::Status => "STATUS",
            Self::Platform => "PLATFORM",
            Self::Region => "REGION",
            Self::Sites => "SITES",
            Self::Code => "CODE",
            Self::Class => "CLASS",
            Self::Attempts => "ATTEMPTS",
            Self::Delivered => "DELIVERED",
            Self::Deferred => "DEFERRED",
            Self::Bounced => "BOUNCED",
            Self::Blocked => "BLOCKED",
            Self::Share => "BLOCKED %",
            Self::Throttled => "THROTTLED",
            Self::LastAccepted => "LAST ACCEPTED",
            Self::Count => "COUNT",
            Self::First => "FIRST",
            Self::Last => "LAST",
            Self::Meaning => "MEANING",
            Self::Trend => "TREND",
        }
    }

    /// Numbers stand to the right.
    pub fn is_number(self) -> bool {
        matches!(
            self,
            Self::Attempts
                | Self::Delivered
                | Self::Deferred
                | Self::Bounced
                | Self::Blocked
                | Self::Share
                | Self::Throttled
                | Self::Count
        )
    }
}

/// The columns of a table from left to right, with how much each is needed (0 most).
pub(super) fn columns(tab: Tab) -> &'static [(Column, u8)] {
    use Column::*;
    match tab {
        Tab::Sources => &[
            (Name, 0),
            (Status, 1),
            (Attempts, 3),
            (Delivered, 8),
            (Deferred, 7),
            (Bounced, 9),
            (Blocked, 2),
            (Share, 5),
            (Throttled, 4),
            (Trend, 6),
            (LastAccepted, 10),
        ],
        Tab::Domains => &[
            (Name, 0),
            (Platform, 8),
            (Attempts, 1),
            (Delivered, 7),
            (Deferred, 6),
            (Bounced, 9),
            (Blocked, 2),
            (Share, 4),
            (Throttled, 3),
            (Trend, 5),
        ],
        Tab::Datacenters => &[
            (Name, 0),
            (Region, 3),
            (Sites, 10),
            (Attempts, 1),
            (Delivered, 8),
            (Deferred, 7),
            (Bounced, 9),
            (Blocked, 2),
            (Share, 5),
            (Throttled, 4),
            (Trend, 6),
        ],
        Tab::Replies => {
            &[(Code, 0), (Name, 5), (Class, 2), (Count, 1), (Trend, 4), (First, 7), (Last, 3), (Meaning, 6)]
        }
    }
}

/// A column on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub column: Column,
    pub x: u16,
    pub width: u16,
}

/// Of sources with longer names the address has to do where there is no room.
const USUAL_NAME: u16 = 30;

/// Blanks between two columns.
const GAP: u16 = 2;

/// The columns that fit into `width` cells, the needed ones first; what is left over goes to the names.
pub(super) fn place(tab: Tab, width: u16, snapshot: &Snapshot) -> Vec<Placed> {
    let digits = text::group(snapshot.totals.counts.attempts).len() as u16;
    // Addresses and names of a common length whole; the names beside addresses where there is room.
    let (short, usual, name) = widest(tab, snapshot);
    let mut name_cells = if tab == Tab::Replies { 18 } else { short.min((width / 2).max(16)) };
    let cells = |column: Column, name_cells: u16| match column {
        Column::Name => name_cells,
        Column::Status => 11,
        Column::Platform => 8,
        Column::Region => 6,
        Column::Sites => 12,
        Column::Code => 9,
        Column::Class => 13,
        Column::Share => 9,
        Column::LastAccepted => 15,
        Column::First | Column::Last => 15,
        Column::Meaning => 20,
        Column::Trend => Trend::PARTS as u16,
        _ => digits.max(9),
    };
    let all = columns(tab);
    let mut by_need: Vec<_> = all.to_vec();
    by_need.sort_by_key(|c| c.1);
    let mut taken = Vec::new();
    let mut used = 0;
    for (column, need) in by_need {
        // Before the share where the trend has no room anyway, else behind both.
        let both = cells(Column::Share, 0) + cells(Column::Trend, 0) + 2 * GAP;
        let is_turn = column == Column::Share && used + both > width || column == Column::Deferred;
        let more = usual.saturating_sub(name_cells);
        if tab == Tab::Sources && is_turn && used + more <= width {
            name_cells += more;
            used += more;
        }
        let w = cells(column, name_cells);
        let gap = if taken.is_empty() { 0 } else { GAP };
        if used + gap + w <= width {
            used += gap + w;
            taken.push(column);
        } else if taken.is_empty() {
            used = width;
            taken.push(column);
        } else if need < 5 {
            break;
        }
    }
    let spare = width - used.min(width);
    let stretch = if taken.contains(&Column::Meaning) { Column::Meaning } else { Column::Name };
    let mut x = 0;
    let mut placed = Vec::new();
    for &(column, _) in all.iter().filter(|c| taken.contains(&c.0)) {
        let mut w = cells(column, name_cells).min(width);
        if column == stretch {
            w += if stretch == Column::Meaning {
                spare
            } else {
                spare.min((name.max(w) - w).max(if spare < 12 { spare } else { spare / 3 }))
            };
        }
        placed.push(Placed { column, x, width: w });
        x += w + GAP;
    }
    placed
}

/// Cells of the longest name among the first rows: what is needed, with what is usually beside it, and with all.
fn widest(tab: Tab, snapshot: &Snapshot) -> (u16, u16, u16) {
    let cells = |name: &str| text::width(&text::clean_most(name, 64)) as u16;
    let rows = (0..tab.rows(snapshot).min(200)).filter_map(|i| Row::of(tab, snapshot, i));
    let (short, usual, long) = rows.fold((0, 0, 0), |(short, usual, long), row| {
        let label = cells(&row.label());
        let alone = match row {
            Row::Source(SourceRow { source_ip: Some(ip), .. }) => cells(ip).min(39),
            Row::Source(source) => cells(source.label()).min(24),
            _ => label.min(30),
        };
        let is_usual = label <= USUAL_NAME;
        (alone.max(short), if is_usual { label.max(usual) } else { usual }, label.max(long))
    });
    (short.clamp(12, 39), usual, long.clamp(12, 46))
}

/// A row of any of the tables.
#[derive(Clone, Copy, Debug)]
pub enum Row<'a> {
    Source(&'a SourceRow),
    Domain(&'a DomainRow),
    Datacenter(&'a DatacenterRow),
    Reply(&'a ReplyRow),
}

impl<'a> Row<'a> {
    pub fn of(tab: Tab, snapshot: &'a Snapshot, index: usize) -> Option<Self> {
        Some(match tab {
            Tab::Sources => Self::Source(snapshot.sources.get(index)?),
            Tab::Domains => Self::Domain(snapshot.domains.get(index)?),
            Tab::Datacenters => Self::Datacenter(snapshot.datacenters.get(index)?),
            Tab::Replies => Self::Reply(snapshot.replies.get(index)?),
        })
    }

    /// What tells the row from all others of its table; stays over re-sorting and new counts.
    pub fn key(self) -> String {
        match self {
            Self::Source(s) => {
                let part = |t: &Option<String>| t.clone().unwrap_or_default();
                format!("{}|{}|{}", part(&s.source_ip), part(&s.source_name), part(&s.host))
            }
            Self::Domain(d) => d.domain.clone().unwrap_or_default(),
            Self::Datacenter(d) => d.forest.clone().unwrap_or_default(),
            Self::Reply(r) => {
                format!("{}|{:?}|{}", r.reply_id, r.smtp_code, r.enhanced_code.as_deref().unwrap_or(""))
            }
        }
    }

    /// As it is called on the screen; not cleaned.
    pub fn label(self) -> String {
        match self {
            Self::Source(s) => match (&s.source_ip, &s.source_name, &s.host) {
                (Some(ip), Some(name), _) => format!("{ip} {name}"),
                (None, Some(name), Some(host)) => format!("{host} {name}"),
                _ => s.label().to_owned(),
            },
            Self::Domain(d) => d.domain.clone().unwrap_or_else(|| "(not logged)".into()),
            Self::Datacenter(d) => d.forest.clone().unwrap_or_else(|| "(not told)".into()),
            Self::Reply(r) => r.reply_id.clone(),
        }
    }

    /// The filter that leaves this row alone. `!*` is "none".
    pub fn crumb(self) -> Crumb {
        let pick = |field, value: Option<&str>, label: &str| Crumb::Pick {
            field,
            patterns: vec![value.map_or_else(|| "!*".to_owned(), literal)],
            label: label.to_owned(),
        };
        match self {
            Self::Source(s) => {
                let value = s.source_ip.as_deref().or(s.source_name.as_deref()).or(s.host.as_deref());
                pick(Field::Source, value, s.label())
            }
            Self::Domain(d) => pick(Field::Domain, d.domain.as_deref(), &self.label()),
            Self::Datacenter(d) => pick(Field::Datacenter, d.forest.as_deref(), &self.label()),
            Self::Reply(r) => pick(Field::Reply, Some(&r.reply_id), &r.reply_id),
        }
    }

    fn counts(self) -> Counts {
        match self {
            Self::Source(s) => s.counts,
            Self::Domain(d) => d.counts,
            Self::Datacenter(d) => d.counts,
            Self::Reply(r) => Counts {
                attempts: r.count,
                blocked: if r.is_block { r.count } else { 0 },
                throttled: if r.class.is_throttle() { r.count } else { 0 },
                ..Counts::default()
            },
        }
    }

    /// How the row's attempts lie in the time that was asked for.
    pub fn trend(self) -> &'a Trend {
        match self {
            Self::Source(s) => &s.trend,
            Self::Domain(d) => &d.trend,
            Self::Datacenter(d) => &d.trend,
            Self::Reply(r) => &r.trend,
        }
    }

    pub fn status(self) -> Status {
        match self {
            Self::Source(s) => s.status,
            Self::Reply(r) if r.is_block => Status::Blocked,
            Self::Reply(r) if r.class.is_throttle() => Status::Throttled,
            _ => Status::Clear,
        }
    }

    /// A number of the row.
    pub fn number(self, column: Column) -> u64 {
        let c = self.counts();
        match column {
            Column::Attempts | Column::Count => c.attempts,
            Column::Delivered => c.delivered,
            Column::Deferred => c.deferred,
            Column::Bounced => c.bounced,
            Column::Blocked | Column::Share => c.blocked,
            Column::Throttled => c.throttled,
            _ => 0,
        }
    }

    /// What stands in a cell, cleaned.
    pub fn cell(self, column: Column, clock: &Clock) -> String {
        let time = |t: Option<Time>| t.map_or_else(|| "never".to_owned(), |t| clock.full(t));
        match (column, self) {
            (Column::Name, _) => text::clean_most(&self.label(), 256),
            (Column::Status, _) => status_word(self.status()).to_owned(),
            (Column::Platform, Self::Domain(d)) => d.platform.name().to_owned(),
            (Column::Region, Self::Datacenter(d)) => text::clean_most(d.region.as_deref().unwrap_or("·"), 16),
            (Column::Sites, Self::Datacenter(d)) => text::clean_most(&d.sites.join(" "), 256),
            (Column::Code, Self::Reply(r)) => code(&r.reply_id, r.smtp_code, r.enhanced_code.as_deref()),
            (Column::Class, Self::Reply(r)) => r.class.name().to_owned(),
            (Column::First, Self::Reply(r)) => time(r.first),
            (Column::Last, Self::Reply(r)) => time(r.last),
            (Column::LastAccepted, Self::Source(s)) => time(s.last_accepted),
            (Column::Meaning, Self::Reply(r)) => {
                text::clean_most(r.root_cause.as_deref().or(r.example.as_deref()).unwrap_or(""), 512)
            }
            (Column::Share, _) => {
                let c = self.counts();
                text::percent(c.blocked, c.attempts)
            }
            (c, _) if c.is_number() => text::group(self.number(c)),
            _ => String::new(),
        }
    }

    fn compare(self, other: Self, column: Column) -> Ordering {
        let share = |row: Self| {
            let c = row.counts();
            c.blocked as f64 / c.attempts.max(1) as f64
        };
        let region = |row: Self| match row {
            Self::Datacenter(d) => d.region.clone(),
            Self::Domain(d) => Some(d.platform.name().to_owned()),
            Self::Reply(r) => Some(r.class.name().to_owned()),
            Self::Source(_) => None,
        };
        let time = |row: Self| match row {
            Self::Source(s) => s.last_accepted,
            Self::Reply(r) if column == Column::First => r.first,
            Self::Reply(r) => r.last,
            _ => None,
        };
        match column {
            Column::Name | Column::Sites | Column::Meaning => self.label().cmp(&other.label()),
            Column::Status => self.status().cmp(&other.status()),
            Column::Platform | Column::Region | Column::Class => region(self).cmp(&region(other)),
            Column::Code => match (self, other) {
                (Self::Reply(a), Self::Reply(b)) => (a.smtp_code, &a.enhanced_code, &a.reply_id).cmp(&(
                    b.smtp_code,
                    &b.enhanced_code,
                    &b.reply_id,
                )),
                _ => Ordering::Equal,
            },
            Column::Share => share(self).total_cmp(&share(other)),
            Column::Trend => newest(self.trend()).total_cmp(&newest(other.trend())),
            Column::LastAccepted | Column::First | Column::Last => time(self).cmp(&time(other)),
            _ => self.number(column).cmp(&other.number(column)),
        }
    }
}

/// The share that was blocked the last time that anything was tried.
fn newest(trend: &Trend) -> f64 {
    let last = (0..Trend::PARTS).rev().find(|&i| trend.attempts[i] > 0);
    last.map_or(-1.0, |i| f64::from(trend.blocked[i]) / f64::from(trend.attempts[i]))
}

/// A column and its direction; without one, the order is the snapshot's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    pub column: Option<Column>,
    pub ascending: bool,
}

/// Sorts row numbers of a table, which are ascending; equal ones keep their order.
pub(super) fn sort(order: &mut [u32], tab: Tab, snapshot: &Snapshot, sort: Sort) {
    if let Some(column) = sort.column.filter(|c| c.is_number() && *c != Column::Share) {
        // A hundred thousand rows are sorted ten times a second while reading: their numbers are fetched once.
        let number = |i: u32| Row::of(tab, snapshot, i as usize).map_or(0, |row| row.number(column));
        let mut keyed: Vec<(u64, u32)> = order.iter().map(|&i| (number(i), i)).collect();
        if sort.ascending {
            keyed.sort_unstable();
        } else {
            keyed.sort_unstable_by_key(|&(number, i)| (Reverse(number), i));
        }
        order.iter_mut().zip(keyed).for_each(|(to, (_, i))| *to = i);
    } else if let Some(column) = sort.column {
        order.sort_by(|&a, &b| {
            let (Some(a), Some(b)) = (Row::of(tab, snapshot, a as usize), Row::of(tab, snapshot, b as usize))
            else {
                return Ordering::Equal;
            };
            let by = a.compare(b, column);
            if sort.ascending { by } else { by.reverse() }
        });
    } else if sort.ascending {
        order.reverse();
    }
}

/// State of a source as symbol and word.
pub(super) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Blocked => "■ BLOCKED",
        Status::Throttled => "▲ THROTTLED",
        Status::Clear => "· clear",
    }
}

/// The short name of a reply that people talk about: its tag where its id tells it (`S3140`), else its codes.
pub(super) fn code(reply_id: &str, smtp: Option<u16>, enhanced: Option<&str>) -> String {
    let tag = reply_id.rsplit('-').next().unwrap_or("");
    if tag.len() == 5 && tag.starts_with('s') && tag[1..].bytes().all(|b| b.is_ascii_digit()) {
        return tag.to_ascii_uppercase();
    }
    match (enhanced, smtp) {
        (Some(enhanced), _) => text::clean_most(enhanced, 12),
        (None, Some(smtp)) => smtp.to_string(),
        (None, None) => text::clean_most(reply_id, 24),
    }
}
