//! What keys and the mouse do.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use eopwatch::view::{Column, Crumb, Effect, ExportKind, Focus, Message, Tab, View};

use super::{Screen, fake};

fn screen() -> Screen {
    Screen::new(fake::full(), 160, 45)
}

fn click(screen: &mut Screen, x: u16, y: u16) {
    for kind in [MouseEventKind::Down(MouseButton::Left), MouseEventKind::Up(MouseButton::Left)] {
        let event = MouseEvent { kind, column: x, row: y, modifiers: KeyModifiers::NONE };
        screen.send(Message::Mouse(event));
    }
}

/// Column and row of a text on the screen.
fn find(screen: &mut Screen, text: &str) -> (u16, u16) {
    let seen = screen.text();
    let (y, line) = seen.lines().enumerate().find(|(_, l)| l.contains(text)).expect("on the screen");
    let before = line.split(text).next().unwrap_or("");
    (unicode_width::UnicodeWidthStr::width(before) as u16, y as u16)
}

#[test]
fn drill_in_and_back() {
    let mut s = screen();
    s.press("j j Enter");
    assert_eq!(s.state.crumbs.len(), 1);
    assert_eq!(s.state.tab, Tab::Domains);
    let Some(Effect::SetFilter(filter)) = s.effects.pop() else { panic!("{:?}", s.effects) };
    assert!(filter.source.matches(["192.0.2.31"].into_iter()));
    assert!(!filter.source.matches(["192.0.2.25"].into_iter()));
    s.press("Enter");
    let Some(Effect::SetFilter(filter)) = s.effects.pop() else { panic!() };
    assert!(filter.domain.matches(["outlook.com"].into_iter()) && !filter.source.is_empty());
    s.press("Backspace Esc");
    assert!(s.state.crumbs.is_empty());
    assert_eq!(s.state.tab, Tab::Sources);
    let Some(Effect::SetFilter(filter)) = s.effects.pop() else { panic!() };
    assert!(filter.source.is_empty() && filter.domain.is_empty());
}

#[test]
fn a_row_without_a_name_filters_for_none() {
    let mut s = screen();
    s.press("3 G Enter");
    let Some(Effect::SetFilter(filter)) = s.effects.pop() else { panic!() };
    assert!(filter.datacenter.matches(std::iter::empty()));
    assert!(!filter.datacenter.matches(["nam10"].into_iter()));
}

#[test]
fn the_selection_survives_sorting_and_new_data() {
    let mut s = screen();
    s.press("2 j j");
    assert_eq!(s.state.table().selected.as_deref(), Some("contoso.example"));
    s.press("s 1");
    assert_eq!(s.state.table().sort.column, Some(Column::Name));
    assert_eq!(s.state.table().selected.as_deref(), Some("contoso.example"));
    assert_eq!(s.state.table().at, 2, "behind (not logged) and a-very-long…");
    s.press("S");
    assert_eq!(s.state.table().at, 4);
    s.snapshot.domains.remove(0);
    s.snapshot.version += 1;
    s.send(Message::Data);
    assert_eq!(s.state.table().selected.as_deref(), Some("contoso.example"));
    s.send(Message::Resize(60, 15));
    s.send(Message::Resize(160, 45));
    assert_eq!(s.state.table().selected.as_deref(), Some("contoso.example"));
}

#[test]
fn sorting_by_a_number_begins_with_the_most() {
    let mut s = screen();
    s.press("s 5");
    assert_eq!(s.state.table().sort.column, Some(Column::Deferred));
    let top = s.state.table().order[0] as usize;
    assert_eq!(s.snapshot.sources[top].label(), "198.51.100.7");
}

#[test]
fn filter_while_typing_and_as_crumbs() {
    let mut s = screen();
    s.press("2 /").write("hot");
    assert_eq!(s.state.table().order.len(), 1);
    s.press("Esc");
    assert_eq!(s.state.table().order.len(), 7);
    s.press("/").write("!*.com class:ip-block,!ip-rate");
    s.press("Enter");
    assert_eq!(s.state.table().order.len(), 4);
    let Some(Effect::SetFilter(filter)) = s.effects.pop() else { panic!() };
    assert!(filter.class.matches(["ip-block"].into_iter()));
    assert!(!filter.class.matches(["ip-rate"].into_iter()));
    s.press("/").write(" bogus:1").press("Enter");
    assert!(s.state.prompt.as_ref().is_some_and(|p| p.error.is_some()));
    s.press("Esc Esc Esc");
    assert!(s.state.crumbs.is_empty() && s.state.table().query.is_empty());
}

#[test]
fn time_prompt_sets_the_range() {
    let mut s = screen();
    s.press("t").write("09:00 to 10:00").press("Enter");
    assert_eq!(
        s.state.crumbs,
        [Crumb::Span { since: Some(fake::at(9, 0, 0).seconds), until: Some(fake::at(10, 0, 59).seconds) }]
    );
    s.press("0");
    assert!(s.state.crumbs.is_empty());
    assert!(matches!(s.effects.pop(), Some(Effect::SetFilter(f)) if f.since.is_none()));
    s.press("z");
    assert!(matches!(s.effects.pop(), Some(Effect::SetFilter(f)) if f.since.is_some()));
    s.press("Z");
    assert!(s.state.crumbs.is_empty());
}

#[test]
fn lines_behind_a_row_and_behind_a_block() {
    let mut s = screen();
    s.press("L");
    assert_eq!(s.state.view(), View::Lines);
    let Some(Effect::FindLines(filter)) = s.effects.pop() else { panic!() };
    assert!(filter.source.matches(["192.0.2.25"].into_iter()));
    s.press("e");
    assert_eq!(s.state.lines.at, 1);
    s.press("e e E");
    assert_eq!(s.state.lines.at, 3);
    s.press("/").write("status=sent").press("Enter n");
    assert!(s.text().lines().nth(10).is_some_and(|l| l.contains("status=sent")), "scrolled to the hit");
    assert_eq!(s.state.lines.at, 8, "typing went to line 5, n to the next");
    s.press("Enter");
    assert_eq!(s.state.view(), View::Line);
    s.press("q q");
    assert_eq!(s.state.view(), View::Overview);
    s.press("b L");
    let Some(Effect::FindLines(filter)) = s.effects.pop() else { panic!() };
    assert!(
        filter.class.matches(["ip-block"].into_iter()) && filter.platform.matches(["consumer"].into_iter())
    );
    assert_eq!(filter.since, Some(fake::at(9, 41, 7).seconds));
}

#[test]
fn blocks_are_stepped_through() {
    let mut s = screen();
    s.press("]");
    assert_eq!(s.state.focus, Focus::Blocks);
    assert_eq!(s.state.blocks.selected.as_deref(), Some("a1"));
    s.press("] ] ] ]");
    assert_eq!(s.state.blocks.selected.as_deref(), Some("c3"));
    s.press("[ Enter");
    assert_eq!(s.state.view(), View::Block);
}

#[test]
fn export_copy_write() {
    let mut s = screen();
    s.state.exports = vec![ExportKind::Json, ExportKind::Evidence];
    s.press("x j");
    assert!(matches!(s.effects.pop(), Some(Effect::Export(e)) if e.kind == ExportKind::Json));
    s.press("b x Enter");
    assert!(matches!(s.effects.pop(), Some(Effect::Export(e)) if e.kind == ExportKind::Evidence));
    s.press("q 1 y");
    assert!(matches!(s.effects.pop(), Some(Effect::Copy(text)) if text == "192.0.2.25"));
    s.press("L w");
    assert!(matches!(s.effects.pop(), Some(Effect::WriteLines(_))));
}

#[test]
fn leaving() {
    let mut s = screen();
    s.press("? q");
    assert!(s.effects.is_empty());
    s.press("q");
    assert!(matches!(s.effects.pop(), Some(Effect::Quit)));
    s.press("/ q C-c");
    assert!(matches!(s.effects.pop(), Some(Effect::Quit)));
}

#[test]
fn news_while_following() {
    let mut s = screen();
    s.snapshot.progress.live = true;
    let late = s.snapshot.onsets.remove(3);
    s.send(Message::Data);
    s.state.news.clear();
    s.snapshot.onsets.push(late);
    s.snapshot.version += 1;
    s.send(Message::Data);
    assert_eq!(s.state.news.len(), 1);
    assert!(matches!(s.effects.pop(), Some(Effect::Bell)));
    assert!(s.text().contains("NEW  ▲ THROTTLED  192.0.2.31"));
    s.press("b");
    assert!(s.state.news.is_empty());
}

#[test]
fn the_mouse() {
    let mut s = screen();
    let (x, y) = find(&mut s, "3 Datacenters");
    click(&mut s, x + 2, y);
    assert_eq!(s.state.tab, Tab::Datacenters);
    let (x, y) = find(&mut s, "apc01  ");
    click(&mut s, x, y);
    assert_eq!(s.state.table().selected.as_deref(), Some("apc01"));
    let (x, y) = find(&mut s, "DEFERRED");
    click(&mut s, x + 1, y);
    assert_eq!(s.state.table().sort.column, Some(Column::Deferred));
    let (x, y) = find(&mut s, "apc01  ");
    click(&mut s, x, y);
    assert_eq!(s.state.crumbs.len(), 1, "a click on the selected row drills in");
    let (x, y) = find(&mut s, "all attempts › datacenter");
    click(&mut s, x, y);
    assert!(s.state.crumbs.is_empty());
    let (x, y) = find(&mut s, "■ BLOCKED ");
    click(&mut s, x, y);
    assert_eq!((s.state.focus, s.state.blocks.at), (Focus::Blocks, 0));
}

#[test]
fn datacenters_by_time_are_walked_and_drilled_into() {
    let mut s = screen();
    s.press("c j");
    assert_eq!(s.state.heat.selected.as_deref(), Some("eur01"), "nam10 refused first");
    let (x, y) = find(&mut s, "apc01 ·");
    click(&mut s, x + 100, y);
    assert_eq!(s.state.heat.selected.as_deref(), Some("apc01"));
    s.press("L");
    let Some(Effect::FindLines(filter)) = s.effects.pop() else { panic!("{:?}", s.effects) };
    assert!(filter.datacenter.matches(["apc01"].into_iter()) && filter.since.is_some());
    assert!(!filter.datacenter.matches(["eur01"].into_iter()));
    s.press("q Enter");
    let Some(Effect::SetFilter(filter)) = s.effects.pop() else { panic!("{:?}", s.effects) };
    assert!(filter.datacenter.matches(["apc01"].into_iter()) && filter.until.is_some());
    assert_eq!(s.state.crumbs.len(), 2);
    s.press("Esc Esc c");
    assert!(s.text().contains("■ delivered"), "the first face again");
}

#[test]
fn masked_lines_show_and_copy_no_local_part() {
    let mut s = screen();
    s.state.mask = true;
    s.press("L y");
    assert!(matches!(s.effects.pop(), Some(Effect::Copy(text)) if text.contains("<***@outlook.com>")));
    assert!(!s.text().contains("user0@"));
    s.press("Enter");
    assert!(!s.text().contains("user0@"));
}

#[test]
fn freezing_counts_what_comes() {
    let mut s = screen();
    s.press("Space");
    s.send(Message::Missed(1_234));
    assert!(s.text().contains("‖ frozen +1 234"));
    s.press("Space");
    assert!(!s.text().contains("frozen"));
}

#[test]
fn the_block_that_harms_most_comes_first() {
    let mut snapshot = fake::full();
    let mut small = snapshot.onsets[0].clone();
    small.id = "small".into();
    small.source_ip = Some("192.0.2.99".into());
    (small.lost, small.start.seconds) = (1, small.start.seconds + 3600);
    snapshot.onsets.push(small);
    let mut s = Screen::new(snapshot, 160, 45);
    let (_, large) = find(&mut s, "192.0.2.25");
    let (_, later) = find(&mut s, "192.0.2.99");
    assert!(large < later, "{large} {later}");
}
