//! Where the user is: plain data that [`super::update`] changes and [`super::render`] draws.

use std::collections::{BTreeMap, HashMap};

use tui_input::Input;

use super::clock::{Clock, duration};
use super::columns::{self, Column, Row, Sort, Tab};
use super::guide::Guide;
use super::heat;
use super::keys::{Action, Keymap, View};
use super::layout;
use super::line_view::LineView;
use super::query::Words;
use super::text;
use super::theme::ThemeName;
use crate::aggregate::{Filter, Patterns, Snapshot, literal};
use crate::detect::{Family, Onset, OnsetStatus};
use crate::engine::LineList;

/// A field of [`Filter`] that takes patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    Source,
    Domain,
    SenderDomain,
    Datacenter,
    Platform,
    Reply,
    Class,
    Outcome,
}

impl Field {
    pub(super) const ALL: [Self; 8] = [
        Self::Source,
        Self::Domain,
        Self::SenderDomain,
        Self::Datacenter,
        Self::Platform,
        Self::Reply,
        Self::Class,
        Self::Outcome,
    ];

    /// As typed before the colon of a filter.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "source" | "src" | "ip" => Self::Source,
            "domain" | "recipient" | "to" => Self::Domain,
            "sender" | "sender-domain" | "sender_domain" | "from" => Self::SenderDomain,
            "dc" | "datacenter" | "forest" | "site" => Self::Datacenter,
            "platform" => Self::Platform,
            "reply" => Self::Reply,
            "class" => Self::Class,
            "outcome" | "status" => Self::Outcome,
            _ => return None,
        })
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Domain => "domain",
            Self::SenderDomain => "sender",
            Self::Datacenter => "datacenter",
            Self::Platform => "platform",
            Self::Reply => "reply",
            Self::Class => "class",
            Self::Outcome => "outcome",
        }
    }

    fn of(self, filter: &mut Filter) -> &mut Patterns {
        match self {
            Self::Source => &mut filter.source,
            Self::Domain => &mut filter.domain,
            Self::SenderDomain => &mut filter.sender_domain,
            Self::Datacenter => &mut filter.datacenter,
            Self::Platform => &mut filter.platform,
            Self::Reply => &mut filter.reply,
            Self::Class => &mut filter.class,
            Self::Outcome => &mut filter.outcome,
        }
    }
}

/// One step of narrowing, shown as a breadcrumb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Crumb {
    Pick {
        field: Field,
        /// Alternatives; a leading `!` excludes.
        patterns: Vec<String>,
        label: String,
    },
    /// Unix seconds, inclusive.
    Span { since: Option<i64>, until: Option<i64> },
}

impl Crumb {
    /// As shown, cleaned.
    pub fn text(&self, clock: &Clock) -> String {
        match self {
            Self::Pick { field, label, .. } => {
                format!("{} {}", field.word(), text::fit(&text::clean_most(label, 64), 40))
            }
            Self::Span { since: Some(a), until: Some(b) } => clock.range(*a, *b),
            Self::Span { since: Some(a), until: None } => {
                format!("since {} {}", clock.day(*a), clock.minute(*a))
            }
            Self::Span { since: None, until: Some(b) } => {
                format!("until {} {}", clock.day(*b), clock.minute(*b))
            }
            Self::Span { since: None, until: None } => "all times".to_owned(),
        }
    }
}

/// What the crumbs leave, on the ground of what the command line asked for. Of one field the last crumb that includes
/// something decides (a row one drills into lies inside the earlier ones); exclusions add up.
pub(super) fn filter(base: &Filter, crumbs: &[Crumb]) -> Filter {
    let mut filter = base.clone();
    for field in Field::ALL {
        let picks = || {
            crumbs.iter().filter_map(move |c| match c {
                Crumb::Pick { field: f, patterns, .. } if *f == field => Some(patterns),
                _ => None,
            })
        };
        let includes = |p: &&Vec<String>| p.iter().any(|t| !t.starts_with('!'));
        let mut patterns = field.of(&mut filter).clone();
        if let Some(last) = picks().rfind(includes) {
            patterns = Patterns::default();
            for pattern in last.iter().filter(|p| !p.starts_with('!')) {
                // Crumbs hold only patterns that were accepted before.
                let _ = patterns.add(pattern);
            }
        }
        for pattern in picks().flatten().filter(|p| p.starts_with('!')) {
            let _ = patterns.add(pattern);
        }
        *field.of(&mut filter) = patterns;
    }
    for crumb in crumbs {
        if let Crumb::Span { since, until } = crumb {
            filter.since = since.or(base.since);
            filter.until = until.or(base.until);
        }
    }
    filter
}

/// The panel of the overview that has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    Blocks,
    Chart,
    #[default]
    Table,
}

/// What the chart shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Face {
    /// Attempts by time, stacked by what became of them.
    #[default]
    Attempts,
    /// Datacenters by time: which forest refused when.
    Datacenters,
}

/// A view on top of the overview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    pub view: View,
    /// First line shown, in views of running text.
    pub scroll: usize,
    /// For the help: the view it is about.
    pub about: View,
}

/// A list with a selection. The selection is a key, so that it survives re-sorting and new counts.
#[derive(Clone, Debug, Default)]
pub struct List {
    pub selected: Option<String>,
    /// Where the selected row stands in `order`.
    pub at: usize,
    /// First row shown.
    pub top: usize,
    /// Row numbers of the snapshot, filtered and sorted.
    pub order: Vec<u32>,
    pub sort: Sort,
    /// Words typed at the filter prompt.
    pub query: String,
    stamp: Option<(u64, usize, Sort, String)>,
}

impl List {
    /// The selected row's number in the snapshot.
    pub fn row(&self) -> Option<usize> {
        self.order.get(self.at).map(|&i| i as usize)
    }
}

/// What is being typed.
#[derive(Clone, Debug)]
pub struct Prompt {
    pub kind: PromptKind,
    pub input: Input,
    pub error: Option<String>,
    /// Words of the table's filter before, for Esc.
    pub before: String,
    /// Which earlier one is shown.
    pub earlier: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptKind {
    Filter,
    Search,
    Time,
    /// A word that the help is searched for.
    Find,
    Command,
    /// A note at the selected block.
    Note,
}

/// Something to choose from.
#[derive(Clone, Debug)]
pub struct Menu {
    pub title: &'static str,
    pub items: Vec<MenuItem>,
    pub at: usize,
}

#[derive(Clone, Debug)]
pub struct MenuItem {
    pub key: char,
    pub label: String,
    pub choice: Choice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// `None`: the order of the summary.
    Sort(Option<Column>),
    Export(ExportKind),
}

/// What can be exported from a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExportKind {
    Markdown,
    Json,
    Html,
    Csv,
    Text,
    /// The log lines behind the selection.
    Lines,
    /// The pack that a delist request needs, for the selected block.
    Evidence,
}

impl ExportKind {
    /// As a command calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Json => "json",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Text => "text",
            Self::Lines => "lines",
            Self::Evidence => "evidence",
        }
    }
}

/// A message in the last line, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub is_error: bool,
}

/// A block that began or cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The block's.
    pub id: String,
    pub text: String,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct State {
    pub size: (u16, u16),
    /// Views on top of the overview; the last one is seen.
    pub screens: Vec<Screen>,
    pub focus: Focus,
    pub enlarged: Option<Focus>,
    pub face: Face,
    /// The forests of the chart's second face.
    pub heat: List,
    pub tab: Tab,
    pub tables: [List; 4],
    pub blocks: List,
    pub lines: LineView,
    /// The filters of the command line.
    pub base: Filter,
    pub crumbs: Vec<Crumb>,
    pub prompt: Option<Prompt>,
    /// What was typed before, and where.
    pub history: Vec<(PromptKind, String)>,
    /// By the block's id.
    pub notes: BTreeMap<String, String>,
    /// The help shows only keys with this.
    pub find: String,
    pub menu: Option<Menu>,
    /// Unix seconds of the bucket under the chart's cursor.
    pub cursor: Option<i64>,
    /// Where a drag on the chart began.
    pub drag: Option<i64>,
    pub frozen: bool,
    /// Attempts counted since the screen was frozen.
    pub missed: u64,
    pub theme: ThemeName,
    pub mouse: bool,
    /// No local parts of addresses.
    pub mask: bool,
    pub notice: Option<Notice>,
    /// What began or cleared while following, not yet looked at.
    pub news: Vec<News>,
    /// Each block that was seen, and whether it was active when it was seen last.
    pub(super) known: Option<HashMap<String, bool>>,
    pub keymap: Keymap,
    pub clock: Clock,
    pub exports: Vec<ExportKind>,
    /// Captions, where a story is told.
    pub guide: Option<Guide>,
}

impl State {
    pub fn new(clock: Clock) -> Self {
        Self {
            size: (80, 24),
            screens: Vec::new(),
            focus: Focus::default(),
            enlarged: None,
            face: Face::default(),
            heat: List::default(),
            tab: Tab::default(),
            tables: Default::default(),
            blocks: List::default(),
            lines: LineView::default(),
            base: Filter::default(),
            crumbs: Vec::new(),
            prompt: None,
            history: Vec::new(),
            notes: BTreeMap::new(),
            find: String::new(),
            menu: None,
            cursor: None,
            drag: None,
            frozen: false,
            missed: 0,
            theme: ThemeName::default(),
            mouse: true,
            mask: false,
            notice: None,
            news: Vec::new(),
            known: None,
            keymap: Keymap::default(),
            clock,
            exports: vec![ExportKind::Markdown, ExportKind::Json],
            guide: None,
        }
    }

    /// The view that is seen.
    pub fn view(&self) -> View {
        self.screens.last().map_or(View::Overview, |s| s.view)
    }

    pub fn table(&self) -> &List {
        &self.tables[self.tab as usize]
    }

    pub fn table_mut(&mut self) -> &mut List {
        &mut self.tables[self.tab as usize]
    }

    pub fn filter(&self) -> Filter {
        filter(&self.base, &self.crumbs)
    }

    /// The selected row of the table in view.
    pub fn row<'a>(&self, snapshot: &'a Snapshot) -> Option<Row<'a>> {
        Row::of(self.tab, snapshot, self.table().row()?)
    }

    /// The selected block.
    pub fn onset<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Onset> {
        snapshot.onsets.get(self.blocks.row()?)
    }

    /// How many blocks lie outside the time that is shown.
    pub(super) fn outside(&self, snapshot: &Snapshot) -> usize {
        snapshot.onsets.len().saturating_sub(self.blocks.order.len())
    }

    /// What the user noted at a block; an event that was revised keeps it.
    pub fn note(&self, onset: &Onset) -> Option<&str> {
        let note = self.notes.get(&onset.id).or_else(|| self.notes.get(onset.was.as_ref()?));
        note.map(String::as_str)
    }

    /// The key for an action in the view that is seen, as it is shown.
    pub fn key(&self, action: Action) -> String {
        self.keymap.label(self.view(), action)
    }

    /// The reply that the advice is about: of what has the focus, else of the first block, else the most frequent.
    pub fn advised<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a str> {
        let of_block = || self.onset(snapshot).map(|o| o.reply_id.as_str());
        let most = || {
            let first = snapshot.replies.iter().find(|r| r.is_block);
            first.or(snapshot.replies.first()).map(|r| r.reply_id.as_str())
        };
        if self.view() == View::Block || self.focus == Focus::Blocks {
            return of_block().or_else(most);
        }
        // Until a row is chosen, the first one is nobody's choice.
        let is_start = self.tab == Tab::default() && self.table().selected.is_none();
        match self.row(snapshot).filter(|_| !is_start) {
            Some(Row::Reply(reply)) => return Some(&reply.reply_id),
            Some(Row::Source(source)) => {
                let of_source = |o: &&Onset| {
                    o.source_ip == source.source_ip
                        && (o.source_ip.is_some() || o.source_name == source.source_name)
                };
                let onsets = self.blocks.order.iter().filter_map(|&i| snapshot.onsets.get(i as usize));
                if let Some(onset) = onsets.into_iter().find(of_source) {
                    return Some(&onset.reply_id);
                }
            }
            _ => {}
        }
        of_block().or_else(most)
    }

    /// Whether lines are seen, or searched for, that are not there yet.
    pub fn lacks_lines(&self, lines: &LineList) -> bool {
        matches!(self.view(), View::Lines | View::Line) && self.lines.waits(lines, layout::line_rows(self))
    }

    /// Keeps the scroll of the text in view within what drawing found to be its end.
    pub fn settle(&mut self, end: usize) {
        if let Some(screen) = self.screens.last_mut() {
            screen.scroll = screen.scroll.min(end);
        }
    }

    /// The whole time that was read.
    pub fn whole(snapshot: &Snapshot) -> Option<(i64, i64)> {
        let first = snapshot.inputs.iter().filter_map(|i| i.first).chain(snapshot.range.first).min()?;
        let last = snapshot.inputs.iter().filter_map(|i| i.last).chain(snapshot.range.last).max()?;
        Some((first.seconds, last.seconds))
    }

    /// The newest moment that was read: what durations count to.
    pub fn now(snapshot: &Snapshot) -> i64 {
        Self::whole(snapshot).map_or(0, |w| w.1)
    }

    /// Brings what depends on the data up to date: orders, places of the selections, first rows shown. Called after
    /// every change.
    pub fn refresh(&mut self, snapshot: &Snapshot, lines: &LineList) {
        let stamp = |len: usize, list: &List| Some((snapshot.version, len, list.sort, list.query.clone()));
        self.blocks.order = block_order(snapshot, &self.filter());
        locate(&mut self.blocks, |i| snapshot.onsets.get(i).map(|o| o.id.clone()));

        let fresh = stamp(snapshot.datacenters.len(), &self.heat);
        if self.heat.stamp != fresh {
            self.heat.order = heat::order(snapshot);
            self.heat.stamp = fresh;
        }
        locate(&mut self.heat, |i| Row::of(Tab::Datacenters, snapshot, i).map(Row::key));

        let tab = self.tab;
        let list = &mut self.tables[tab as usize];
        let rows = tab.rows(snapshot);
        let fresh = stamp(rows, list);
        if list.stamp != fresh {
            let words = Words::new(&list.query);
            list.order = (0..rows as u32)
                .filter(|&i| {
                    words.is_empty()
                        || Row::of(tab, snapshot, i as usize).is_some_and(|r| words.matches(&r.label()))
                })
                .collect();
            columns::sort(&mut list.order, tab, snapshot, list.sort);
            list.stamp = fresh;
        }
        locate(list, |i| Row::of(tab, snapshot, i).map(Row::key));

        let areas = layout::overview(self, snapshot);
        let shown = areas.blocks_shown();
        show(&mut self.blocks, shown);
        show(&mut self.heat, usize::from(layout::plot(&areas, snapshot).area.height));
        show(&mut self.tables[tab as usize], areas.table_rows());
        let rows = layout::line_rows(self);
        self.lines.refresh(lines, rows);
    }
}

/// Active before cleared, blocks before throttles, then what harms most: messages lost, messages waiting, the newest.
/// Those that were over before the time that is shown, or began after it, are left out.
fn block_order(snapshot: &Snapshot, filter: &Filter) -> Vec<u32> {
    let is_shown = |&i: &u32| {
        let onset = &snapshot.onsets[i as usize];
        let is_over = |since: i64| onset.end.is_some_and(|end| end.seconds < since);
        !filter.since.is_some_and(is_over) && filter.until.is_none_or(|until| onset.start.seconds <= until)
    };
    let mut order: Vec<u32> = (0..snapshot.onsets.len() as u32).filter(is_shown).collect();
    order.sort_by_key(|&i| {
        let o = &snapshot.onsets[i as usize];
        let harm = std::cmp::Reverse((o.lost, o.deferred, o.start));
        (o.status == OnsetStatus::Cleared, o.family, harm, i)
    });
    order
}

/// Finds the selected key again.
fn locate(list: &mut List, key: impl Fn(usize) -> Option<String>) {
    let last = list.order.len().saturating_sub(1);
    let Some(selected) = &list.selected else {
        list.at = 0;
        return;
    };
    let is_it = |&i: &u32| key(i as usize).as_ref() == Some(selected);
    if !list.order.get(list.at).is_some_and(is_it) {
        list.at = list.order.iter().position(is_it).unwrap_or(list.at.min(last));
    }
}

/// Moves the window so that the selection is in it and no rows are wasted.
fn show(list: &mut List, rows: usize) {
    let rows = rows.max(1);
    list.top = list.top.min(list.at).max((list.at + 1).saturating_sub(rows));
    list.top = list.top.min(list.order.len().saturating_sub(rows));
}

/// The filter of the lines behind a block, on the ground of what is filtered already.
pub(super) fn onset_filter(base: &Filter, onset: &Onset) -> Filter {
    let mut crumbs = Vec::new();
    let mut pick = |field, values: &[String]| {
        crumbs.push(Crumb::Pick { field, patterns: values.to_vec(), label: String::new() });
    };
    let source = onset.source_ip.as_ref().or(onset.source_name.as_ref()).or(onset.host.as_ref());
    if let Some(source) = source {
        pick(Field::Source, &[literal(source)]);
    }
    if let Some(platforms) = &onset.platform {
        pick(Field::Platform, platforms);
    }
    if let Some(forests) = &onset.datacenters {
        pick(Field::Datacenter, &forests.iter().map(|f| literal(f)).collect::<Vec<_>>());
    }
    if let Some(domain) = &onset.domain {
        pick(Field::Domain, &[literal(domain)]);
    }
    if let Some(domain) = &onset.sender_domain {
        pick(Field::SenderDomain, &[literal(domain)]);
    }
    let classes: &[&str] = match onset.family {
        Family::Block => &["ip-block", "sender-block"],
        Family::Throttle => &["ip-rate", "rate-limit", "new-sender"],
        Family::Auth => &["auth-*"],
    };
    pick(Field::Class, &classes.iter().map(|&c| c.to_owned()).collect::<Vec<_>>());
    crumbs
        .push(Crumb::Span { since: Some(onset.first_refused.seconds), until: onset.end.map(|e| e.seconds) });
    filter(base, &crumbs)
}

/// Source of a block as called on screens, cleaned.
pub(super) fn onset_source(onset: &Onset) -> String {
    let name = onset.source_ip.as_deref().or(onset.source_name.as_deref()).or(onset.host.as_deref());
    let name = match (&onset.sender_domain, name) {
        (Some(domain), _) if onset.family == Family::Auth => domain,
        (_, Some(name)) => name,
        _ => "(not logged)",
    };
    text::clean_most(name, 64)
}

/// Symbol and word of a block's state.
pub(super) fn onset_word(onset: &Onset) -> &'static str {
    match (onset.status, onset.family) {
        (OnsetStatus::Cleared, _) => "· cleared",
        (_, Family::Block) => "■ BLOCKED",
        (_, Family::Throttle) => "▲ THROTTLED",
        (_, Family::Auth) => "◆ AUTH FAIL",
    }
}

/// `■ 192.0.2.25 BLOCKED since …` for the news line.
pub(super) fn news_text(onset: &Onset, clock: &Clock) -> String {
    let source = onset_source(onset);
    let code = columns::code(&onset.reply_id, onset.smtp_code, onset.enhanced_code.as_deref());
    match onset.status {
        OnsetStatus::Active => {
            format!("{}  {source}  since {}  {code}", onset_word(onset), clock.time(onset.start))
        }
        OnsetStatus::Cleared => {
            let lasted = onset.end.map_or(0, |e| e.seconds - onset.start.seconds);
            format!("· cleared  {source}  after {}  {code}", duration(lasted))
        }
    }
}
