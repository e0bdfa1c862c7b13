//! What keys and the mouse do.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use eopwatch::aggregate::{Bucket, Filter, InputRow, Snapshot};
use eopwatch::detect::Family;
use eopwatch::engine::{Gone, Hunted, LineList, LogLine, Mark};
use eopwatch::record::Time;
use eopwatch::view::{
    Column, Crumb, Effect, ExportKind, Focus, Guide, Message, PromptKind, Tab, ThemeName, Tip, View,
};

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
    assert_eq!(s.state.table().order, [3, 2, 0, 1, 4], "equal ones as in the summary");
    s.press("S");
    assert_eq!(s.state.table().order, [0, 1, 4, 2, 3]);
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
    s.press("x j k s");
    assert!(matches!(s.effects.pop(), Some(Effect::Export(e)) if e.kind == ExportKind::Json));
    s.press("b x Enter");
    let ip = |text: &str| text.parse::<std::net::IpAddr>().expect("an address");
    assert!(matches!(s.effects.pop(), Some(Effect::Evidence { ip: of, .. }) if of == ip("192.0.2.25")));
    s.press("q 1 y");
    assert!(matches!(s.effects.pop(), Some(Effect::Copy(text)) if text == "192.0.2.25"));
    s.press("L w");
    let same = |a: &Filter, b: &Filter| format!("{a:?}") == format!("{b:?}");
    let Some(Effect::WriteLines(listed)) = s.effects.pop() else { panic!("lines are written") };
    s.state.exports = vec![ExportKind::Text, ExportKind::Json, ExportKind::Lines];
    s.press("x");
    assert!(s.text().contains("the listed lines"), "{}", s.text());
    s.press("Enter");
    assert!(
        matches!(s.effects.pop(), Some(Effect::WriteLines(f)) if same(&f, &listed)),
        "the nearest is chosen"
    );
    s.press("q x l");
    assert!(
        matches!(s.effects.pop(), Some(Effect::WriteLines(f)) if same(&f, &listed)),
        "without listing them"
    );
    s.press("x t");
    assert!(matches!(s.effects.pop(), Some(Effect::Export(e)) if e.kind == ExportKind::Text));
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
    for onset in s.snapshot.onsets.iter_mut().filter(|o| ["b2", "d4"].contains(&o.id.as_str())) {
        onset.id.push_str(" anew");
    }
    s.snapshot.version += 1;
    s.send(Message::Data);
    assert_eq!(s.state.news.len(), 2);
    assert!(matches!(s.effects.pop(), Some(Effect::Bell)));
    assert!(s.text().contains("NEW  ▲ THROTTLED  192.0.2.31"));
    s.press("] Enter q");
    assert!(s.text().contains("NEW  ▲ THROTTLED  192.0.2.31"), "another one was looked at");
    s.press("b");
    assert_eq!(s.state.news.len(), 1, "the other news stay");
    assert!(s.text().contains("╭ ▲ THROTTLED  192.0.2.31 "), "what is new is shown: {}", s.text());
}

#[test]
fn what_was_known_is_no_news_when_a_filter_goes() {
    let mut s = screen();
    s.snapshot.progress.live = true;
    let all = s.snapshot.onsets.clone();
    s.send(Message::Data);
    // The source is another's; a snapshot of the filter comes again after it was taken away.
    s.press("j j Enter");
    s.snapshot.onsets.clear();
    for press in ["", "Backspace", ""] {
        s.press(press);
        s.snapshot.version += 1;
        s.send(Message::Data);
    }
    s.snapshot.onsets = all;
    s.snapshot.onsets[0].id = "begun meanwhile".into();
    s.snapshot.version += 1;
    s.send(Message::Data);
    let news: Vec<_> = s.state.news.iter().map(|news| news.id.as_str()).collect();
    assert_eq!(news, ["begun meanwhile"]);
    s.snapshot.onsets.remove(0);
    s.snapshot.version += 1;
    s.press("j j Enter").send(Message::Data);
    s.press("b");
    assert!(s.text().contains("outside of what is shown"), "{}", s.text());
    assert_eq!(s.state.news.len(), 1, "not looked at yet");
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
fn the_chart_has_its_cursor_when_there_is_something_to_point_at() {
    let full = fake::full();
    let mut s = Screen::new(Snapshot::default(), 160, 45);
    s.press("c");
    assert!(s.state.cursor.is_none());
    s.snapshot = full;
    s.send(Message::Data);
    assert!(s.text().contains(" nam10  13 May "), "the readout: {}", s.text());
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

#[test]
fn the_command_line_does_what_keys_do_and_more() {
    let mut s = screen();
    s.press(":").write("th").press("Tab");
    assert_eq!(s.state.prompt.as_ref().map(|p| p.input.value()), Some("theme "), "completed");
    s.write("li").press("Tab Enter");
    assert_eq!((s.state.theme, s.state.prompt.is_none()), (ThemeName::Light, true));
    s.press(":").write("filter dc:nam10 apc").press("Enter");
    assert!(matches!(s.effects.pop(), Some(Effect::SetFilter(f)) if !f.datacenter.is_empty()));
    s.press("Esc Esc :").write("time -2h").press("Enter");
    assert!(matches!(s.effects.pop(), Some(Effect::SetFilter(f)) if f.since.is_some()));
    s.press(":").write("sort deferred").press("Enter");
    assert_eq!(s.state.table().sort.column, Some(Column::Deferred));
    s.press(":").write("export json").press("Enter");
    assert!(matches!(s.effects.pop(), Some(Effect::Export(e)) if e.kind == ExportKind::Json));
    s.press(":").write("messages").press("Enter");
    assert_eq!(s.state.view(), View::Messages);
    s.press("q :").write("line 3").press("Enter");
    assert!(s.text().contains("`line` does nothing in the view \"overview\""));
    s.press("Esc :").write("nonsense").press("Enter");
    assert!(s.text().contains("no command `nonsense`"), "{}", s.text());
    s.press("Up").write("x").press("Esc L :").write("12").press("Enter");
    assert_eq!(s.state.lines.at, 11);
    s.press(":").write("line 4000").press("Enter");
    assert!(s.text().contains("line: 40 are listed here"));
    s.press("Up");
    assert_eq!(s.state.prompt.as_ref().map(|p| p.input.value()), Some("12"), "not the filter before");
    s.press("Esc :").write("quit").press("Enter");
    assert!(matches!(s.effects.pop(), Some(Effect::Quit)));
}

#[test]
fn a_command_may_ask_in_turn() {
    let mut s = screen();
    s.press(":").write("time").press("Enter");
    assert_eq!(s.state.prompt.as_ref().map(|p| p.kind), Some(PromptKind::Time));
}

#[test]
fn the_help_is_searched() {
    let mut s = screen();
    s.press("? /").write("clipboard");
    assert!(s.text().contains("copy the selection") && !s.text().contains("take the last filter away"));
    s.press("Enter Esc");
    assert_eq!(s.state.view(), View::Help);
    assert!(s.text().contains("take the last filter away"), "Esc shows all again");
    s.press("/").write("zzz");
    assert!(s.text().contains("no key with \"zzz\""));
}

#[test]
fn notes_stay_with_their_block() {
    let mut s = screen();
    s.press("] N").write("ticket 4711").press("Enter");
    assert!(s.text().contains("note: ticket 4711") && s.text().contains("192.0.2.25*"));
    s.press("]");
    assert!(!s.text().contains("4711"));
    s.snapshot.onsets[1].was = Some("a1".into());
    s.snapshot.onsets[1].id = "revised".into();
    s.snapshot.version += 1;
    s.send(Message::Data);
    s.press("[ b y");
    assert!(s.text().contains("Your note") && s.text().contains("ticket 4711"), "{}", s.text());
    assert!(matches!(s.effects.pop(), Some(Effect::Copy(text)) if text.ends_with("(ticket 4711)")));
    s.press("N C-u Enter");
    assert!(s.state.notes.is_empty());
}

#[test]
fn changed_keys_are_shown() {
    let mut s = screen();
    s.state
        .keymap
        .rebind([("lines", "F5"), ("messages", "M"), ("advice", "a"), ("previous-block", "<")])
        .expect("free");
    let text = s.text();
    assert!(text.contains("F5 lines") && text.contains("! 1 error (M)"), "{text}");
    assert!(text.contains("a all of it") && text.contains("< ] blocks"), "{text}");
    s.press("F5");
    assert_eq!(s.state.view(), View::Lines);
    s.press("q L");
    assert_eq!(s.state.view(), View::Overview);
    s.press("?");
    assert!(s.text().contains("F5             the log lines behind the selection"));
}

/// A list of a hundred thousand lines, none of them at hand.
fn long_list() -> Screen {
    let mut s = screen();
    s.press("L");
    s.effects.clear();
    s.lines = fake::many_lines(100_000);
    s.send(Message::Data);
    s
}

/// The lines that were asked for last.
fn asked(s: &mut Screen) -> Vec<Mark> {
    let asked = s.effects.iter().rposition(|effect| matches!(effect, Effect::ReadLines(_)));
    let Effect::ReadLines(wanted) = s.effects.remove(asked.expect("lines are asked for")) else {
        unreachable!()
    };
    s.effects.clear();
    wanted.marks
}

/// Answers what was asked for.
fn answer(s: &mut Screen, text: impl Fn(usize) -> String) {
    let rows: Vec<usize> =
        asked(s).into_iter().map(|mark| s.lines.index.row_of(mark).expect("listed")).collect();
    let read: Vec<_> = rows.into_iter().map(|row| fake::read(&s.lines, row, &text(row))).collect();
    s.lines.show(read);
    s.send(Message::Data);
}

#[test]
fn only_lines_around_the_seen_ones_are_asked_for() {
    let mut s = long_list();
    assert!(s.text().contains("13 May 14:31:58  …"), "what the list knows is shown at once: {}", s.text());
    let marks = asked(&mut s);
    assert_eq!(marks[0], s.lines.index.get(0).expect("a row"), "the seen ones first");
    assert!((42..1200).contains(&marks.len()), "{}", marks.len());
    s.press("j");
    assert!(s.effects.is_empty(), "they come already");
    s.press("G");
    assert!(s.text().contains("100 000 of 100 000"), "{}", s.text());
    answer(&mut s, |row| format!("text of row {row}"));
    assert!(s.text().contains("text of row 99999") && !s.text().contains("…  "), "{}", s.text());
    for _ in 0..400 {
        s.press("k");
    }
    assert_eq!(s.state.lines.at, 99_999 - 400);
    assert!(s.text().contains("text of row 99599"), "no gaps line by line");
    answer(&mut s, |row| format!("again row {row}"));
    assert!(s.text().contains("again row 99599") && s.effects.is_empty());
    s.press(":").write("50000").press("Enter");
    assert!(s.text().contains("50 000 of 100 000"));
    assert!(asked(&mut s).contains(&s.lines.index.get(49_999).expect("a row")));
}

#[test]
fn refusals_are_found_without_reading() {
    let mut s = long_list();
    s.press("e e e");
    assert_eq!(s.state.lines.at, 4, "row 2 is a success");
    s.press("G E E");
    assert_eq!(s.state.lines.at, 99_996, "so is row 99 998");
    s.press("g E");
    assert!(s.text().contains("none further up"));
}

#[test]
fn a_text_is_looked_for_in_the_background() {
    let mut s = long_list();
    answer(&mut s, |row| format!("word{row}"));
    s.press("/").write("WORD77").press("Enter");
    assert_eq!((s.state.lines.at, s.effects.len()), (77, 0), "at hand");
    s.press("/ C-u").write("word9000").press("Enter");
    let Some(Effect::Hunt(Some(hunt))) = s.effects.pop() else { panic!("{:?}", s.effects) };
    let from = s.lines.index.row_of(hunt.from).expect("listed");
    assert!(hunt.down && hunt.text == "word9000" && (78..600).contains(&from), "behind what was at hand");
    let mut hunted = Hunted { id: hunt.id, looked: 5_000, of: 99_000, hit: None, is_over: false };
    s.lines.hunted = Some(hunted);
    s.send(Message::Data);
    assert!(s.text().contains("searching word9000: 5 000 of 99 000 lines, Esc ends it"), "{}", s.text());
    hunted.is_over = true;
    hunted.hit = s.lines.index.get(9_000);
    s.lines.hunted = Some(hunted);
    s.send(Message::Data);
    assert_eq!(s.state.lines.at, 9_000);
    answer(&mut s, |row| format!("{}word{row}", "far ".repeat(100)));
    assert!(s.text().contains("word9000") && s.state.lines.across > 300, "scrolled to it");

    // Esc ends it, and so does who moves on; an answer that comes then is not taken.
    s.press("N");
    let Some(Effect::Hunt(Some(hunt))) = s.effects.pop() else { panic!("{:?}", s.effects) };
    assert!(!hunt.down);
    s.press("Esc");
    assert!(matches!(s.effects.pop(), Some(Effect::Hunt(None))) && s.state.view() == View::Lines);
    s.lines.hunted = Some(Hunted { id: hunt.id, hit: s.lines.index.get(3), ..hunted });
    s.send(Message::Data);
    assert_eq!(s.state.lines.at, 9_000);
    s.press("n j");
    assert!(s.effects.iter().any(|effect| matches!(effect, Effect::Hunt(None))), "{:?}", s.effects);
    s.press("n");
    let id = s.state.lines.hunt.expect("a search").id;
    s.lines.hunted = Some(Hunted { id, hit: None, ..hunted });
    s.send(Message::Data);
    assert!(s.text().contains("none further down"));
    s.effects.clear();
    s.press("n q");
    assert!(
        matches!(&s.effects[..], [Effect::Hunt(Some(_)), Effect::Hunt(None), Effect::ForgetLines]),
        "who leaves ends it"
    );
}

#[test]
fn the_selected_line_stays_where_newer_ones_come_in_above() {
    let mut s = long_list();
    s.press("j j j");
    let selected = s.lines.index.get(3);
    let newer = fake::log_lines().into_iter().map(|line| LogLine { time: Some(fake::at(20, 0, 0)), ..line });
    let marks: Vec<Mark> = LineList::of(newer.collect()).index.rows(0..40).collect();
    s.lines.index.add(marks.clone(), usize::MAX);
    s.send(Message::Data);
    assert_eq!((s.state.lines.at, s.lines.index.get(43)), (43, selected));
    s.press("g");
    let first = s.lines.index.get(0);
    s.lines.index.add(vec![selected.expect("a row")], usize::MAX);
    s.send(Message::Data);
    assert_eq!((s.state.lines.at, s.lines.index.get(0)), (0, first), "at the top the newest is shown");
}

#[test]
fn a_line_that_is_gone_is_told_and_not_copied() {
    let mut s = long_list();
    s.press("y");
    assert!(s.text().contains("there is no text to copy yet"));
    let gone = Gone("this line is gone: its file was changed since".into());
    s.lines.show([(s.lines.index.get(0).expect("a row"), Err(gone))]);
    s.send(Message::Data);
    s.effects.clear();
    assert!(s.text().contains("this line is gone"), "{}", s.text());
    s.press("y Enter");
    assert!(!s.effects.iter().any(|effect| matches!(effect, Effect::Copy(_))));
    assert!(s.text().contains("this line is gone"), "{}", s.text());
}

#[test]
fn the_scroll_bar_is_clicked_and_dragged() {
    let mut s = long_list();
    let row = |s: &Screen| s.state.lines.at;
    click(&mut s, 159, 43);
    assert_eq!(row(&s), 0, "no row of the bar");
    click(&mut s, 159, 42);
    assert_eq!(row(&s), 99_999);
    click(&mut s, 159, 22);
    assert!((48_000..52_000).contains(&row(&s)), "{}", row(&s));
    let (x, y) = find(&mut s, "█");
    assert_eq!((x, y), (159, 22));
    for (kind, y) in [
        (MouseEventKind::Down(MouseButton::Left), 22),
        (MouseEventKind::Drag(MouseButton::Left), 2),
        (MouseEventKind::Up(MouseButton::Left), 2),
    ] {
        s.send(Message::Mouse(MouseEvent { kind, column: 159, row: y, modifiers: KeyModifiers::NONE }));
    }
    assert_eq!(row(&s), 0);
    let wheel =
        MouseEvent { kind: MouseEventKind::ScrollDown, column: 159, row: 9, modifiers: KeyModifiers::NONE };
    s.send(Message::Mouse(wheel));
    assert_eq!(row(&s), 3);
}

#[test]
fn a_drag_on_the_chart_sets_the_range() {
    let mut s = screen();
    let (x, y) = find(&mut s, "378┤");
    let mut mouse = |kind, column| {
        s.send(Message::Mouse(MouseEvent { kind, column, row: y, modifiers: KeyModifiers::NONE }));
    };
    mouse(MouseEventKind::Down(MouseButton::Left), x + 30);
    mouse(MouseEventKind::Drag(MouseButton::Left), x + 60);
    mouse(MouseEventKind::Up(MouseButton::Left), x + 60);
    let [Crumb::Span { since: Some(since), until: Some(until) }] = s.state.crumbs[..] else {
        panic!("{:?}", s.state.crumbs)
    };
    assert!(since < until && since >= fake::MIDNIGHT, "{since} {until}");
    assert!(matches!(s.effects.pop(), Some(Effect::SetFilter(f)) if f.until == Some(until)));
}

#[test]
fn menus_are_clicked() {
    let mut s = screen();
    s.press("s");
    let (x, y) = find(&mut s, "  throttled ");
    click(&mut s, x, y);
    assert_eq!(s.state.table().sort.column, Some(Column::Throttled));
    s.press("x");
    click(&mut s, 1, 1);
    assert!(s.state.menu.is_none() && s.effects.is_empty());
}

#[test]
fn the_lag_of_a_followed_file_is_told() {
    let mut s = screen();
    s.snapshot.progress.live = true;
    s.snapshot.progress.behind_bytes = 300;
    assert!(s.text().contains("● live\n"), "an unfinished line is no lag");
    s.snapshot.progress.behind_bytes = 12_400_000;
    assert!(s.text().contains("● live, 12.4 MB behind"));
}

#[test]
fn evidence_is_on_the_address_of_what_is_selected() {
    let mut s = screen();
    s.state.exports = vec![ExportKind::Json, ExportKind::Evidence];
    let base = Filter { since: Some(fake::MIDNIGHT), ..Filter::default() };
    s.state.base = base;
    // In the sources, with a filter that the pack does not care for.
    s.press("2 Enter 1 j j x").write("e");
    let Some(Effect::Evidence { filter, ip, notes }) = s.effects.pop() else { panic!("{:?}", s.effects) };
    assert_eq!((ip.to_string().as_str(), filter.since), ("192.0.2.31", Some(fake::MIDNIGHT)));
    assert!(filter.domain.is_empty() && notes.is_empty());
    // At a block, with its note.
    s.press("] b N").write("ticket 12").press("Enter x");
    assert!(s.text().contains("evidence on 192.0.2."), "{}", s.text());
    s.press("Enter");
    let Some(Effect::Evidence { ip, notes, .. }) = s.effects.pop() else { panic!("{:?}", s.effects) };
    let block = s.state.onset(&s.snapshot).expect("a block");
    assert_eq!(Some(ip.to_string()), block.source_ip);
    assert_eq!(notes, [(block.id.clone(), "ticket 12".to_owned())]);
    // A source without an address.
    s.press("q 1 G x");
    assert!(s.text().contains("no evidence: the log tells no IP of this source"), "{}", s.text());
    s.effects.clear();
    s.write("e");
    assert!(s.effects.is_empty() && s.state.notice.as_ref().is_some_and(|notice| notice.is_error));
    assert!(s.text().contains("tells no IP"), "{}", s.text());
}

#[test]
fn blocks_outside_the_time_that_is_shown_are_counted_not_listed() {
    let mut s = screen();
    assert!(s.text().contains("3 active (1 untried), 1 cleared "));
    // From 09:00 to 11:00 the one of the night is over, and those of the afternoon have not begun.
    s.press("t").write("09:00 to 11:00").press("Enter");
    let text = s.text();
    assert!(text.contains("1 active, 0 cleared, 3 outside the range"), "{text}");
    assert!(text.contains("1 243 of 1 243 refused") && !text.contains("412 of 1 090 deferred"), "{text}");
    s.press("t").write("07:30 to 08:00").press("Enter");
    let text = s.text();
    assert!(text.contains("Blocks and throttles: 4 outside the range"), "{text}");
    assert!(text.contains("✓ No Microsoft block in "), "{text}");
    s.press("0");
    assert!(s.text().contains("1 cleared "));
}

#[test]
fn advice_is_on_the_first_block_until_a_row_is_chosen() {
    let mut s = screen();
    // The first row of the table has no block, the first block is another's.
    s.snapshot.sources.swap(0, 2);
    s.send(Message::Data);
    assert_eq!(s.state.advised(&s.snapshot), Some("block-list-s3140"));
    s.press("j k");
    assert_eq!(s.state.advised(&s.snapshot), Some("throttled-650"), "now it is chosen");
}

#[test]
fn clicks_follow_a_tip_as_keys_do() {
    let mut s = screen();
    let from = fake::at(14, 32, 0).seconds;
    let tip = |text: &str, does: &str| Tip { from, text: text.into(), does: vec![does.into()] };
    let tips = vec![tip("SELECT", "down"), tip("DRILL", "open"), tip("BACK", "back"), tip("END", "help")];
    s.state.guide = Some(Guide::new(vec![(0, "quiet".into())], tips));
    s.send(Message::Data);
    assert!(s.text().contains("SELECT"));
    let (x, y) = find(&mut s, "192.0.2.31 out2");
    click(&mut s, x, y);
    assert!(s.text().contains("DRILL"), "{}", s.text());
    click(&mut s, x, y);
    assert!(s.text().contains("BACK"), "{}", s.text());
    let (x, y) = find(&mut s, "all attempts › source");
    click(&mut s, x, y);
    assert!(s.text().contains("END"), "{}", s.text());
}

#[test]
fn a_block_in_a_bar_of_one_row_is_seen() {
    for theme in [ThemeName::Dark, ThemeName::Plain] {
        let mut s = screen();
        s.state.theme = theme;
        let small = Bucket { delivered: 60, blocked: 3, ..Bucket::default() };
        let all = |buckets: &mut Vec<Bucket>| {
            buckets.fill(small);
            buckets[0] = Bucket { delivered: 2_000, ..Bucket::default() };
        };
        all(&mut s.snapshot.series.buckets);
        let blocked = s.buffer();
        let is_seen = |buffer: &ratatui::buffer::Buffer, other: &ratatui::buffer::Buffer| {
            buffer.content().iter().zip(other.content()).filter(|(a, b)| a != b).count()
        };
        for bucket in &mut s.snapshot.series.buckets[1..] {
            *bucket = Bucket { delivered: 63, ..Bucket::default() };
        }
        let without = s.buffer();
        assert!(is_seen(&blocked, &without) > 50, "{theme:?}: each bar shows its block");
    }
}

#[test]
fn what_is_needed_most_stands_on_a_small_screen() {
    // A throttled source tells how much of its mail was throttled.
    let mut s = Screen::new(fake::full(), 120, 40);
    let text = s.text();
    assert!(text.lines().any(|l| l.contains("SOURCE ") && l.contains(" THROTTLED ")), "{text}");
    assert!(text.lines().any(|l| l.contains("192.0.2.31 out2") && l.contains(" 412 ")), "{text}");
    // Code, and that nothing was tried, of a block with long words.
    let mut snapshot = fake::full();
    let block = snapshot.onsets.iter_mut().find(|onset| onset.id == "a1").expect("a block");
    block.untried_since = Some(fake::at(13, 0, 0));
    block.start = Time::from_seconds(fake::MIDNIGHT - 86_400);
    (block.lost, block.deferred) = (11_243, 4_121);
    (block.during.attempts, block.during.refused) = (15_364, 15_364);
    let mut s = Screen::new(snapshot, 80, 24);
    let text = s.text();
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains("■ BLOCKED  ")).take(2).collect();
    assert!(lines[0].contains("untried"), "{text}");
    assert!(lines[1].contains("S3140") || lines[1].contains("5.7.1"), "{text}");
    assert!(lines[1].contains("11 243 lost") && lines[1].contains("since "), "{text}");
}

#[test]
fn an_empty_file_is_called_so() {
    let mut snapshot = fake::none();
    snapshot.totals.other_attempts = 0;
    snapshot.warnings.clear();
    snapshot.inputs = vec![InputRow { path: "/var/log/mail.log".into(), ..InputRow::default() }];
    let mut s = Screen::new(snapshot, 80, 24);
    let text = s.text();
    assert!(text.contains("Empty: /var/log/mail.log.") && !text.contains("Unknown format"), "{text}");
}

#[test]
fn a_long_address_is_told_whole_on_a_small_screen() {
    let address = "2001:db8:85a3:1234:5678:8a2e:370:7334";
    let mut snapshot = fake::full();
    let block = snapshot.onsets.iter_mut().find(|o| o.id == "a1").expect("the block");
    block.source_ip = Some(address.into());
    for (width, height) in [(160, 45), (120, 35), (80, 24), (60, 15)] {
        let mut s = Screen::new(snapshot.clone(), width, height);
        s.press("]");
        let text = s.text();
        let line = text.lines().find(|l| l.contains("■ BLOCKED ")).expect("a block");
        assert!(line.contains(address), "{width}: {text}");
        if height >= 24 {
            assert!(line.contains("99.99 % sure"), "{width}: {text}");
            let other = text.lines().find(|l| l.contains("▲ THROTTLED  192.0.2.31")).expect("another");
            assert!(other.contains("m365 ") && other.contains("eur01 eur02"), "{width}: {text}");
        }
    }
}

#[test]
fn two_columns_of_a_block_never_touch() {
    let mut snapshot = fake::full();
    for onset in &mut snapshot.onsets {
        onset.platform = (onset.family == Family::Throttle).then(|| vec!["consumer".into(), "m365".into()]);
    }
    for width in [80, 100, 120, 150, 160, 220] {
        let mut s = Screen::new(snapshot.clone(), width, 45);
        let text = s.text();
        let both = text.contains(" consumer m365  eur01") || text.contains("…  eur01");
        assert!(text.contains(" everywhere  ") && both, "{width}: {text}");
        assert!(text.contains(" 1 243 lost ") && text.contains(" 87 waiting "), "{width}: {text}");
    }
}

#[test]
fn the_last_of_many_filters_is_seen_and_clicked() {
    let mut s = Screen::new(fake::full(), 80, 24);
    s.press("/").write("source:192.0.2.* domain:outlook.com,hotmail.com dc:nam10 class:ip-block");
    s.press("Enter 2 /").write("mail").press("Enter");
    assert_eq!(s.state.crumbs.len(), 4);
    let text = s.text();
    let line = text.lines().nth(1).expect("crumbs");
    assert!(line.contains("class ip-block ") && line.ends_with("Domains with mail"), "{line}");
    let (x, y) = find(&mut s, "datacenter nam10");
    click(&mut s, x, y);
    assert_eq!(s.state.crumbs.len(), 3, "a click goes there");
}

#[test]
fn what_is_wrong_with_a_long_time_is_said() {
    for width in [60, 80, 120] {
        let mut s = Screen::new(fake::full(), width, 24);
        s.press("t").write("the thirteenth of May from nine o'clock on").press("Enter");
        let text = s.text();
        let foot = text.lines().last().expect("a foot");
        assert!(foot.contains("o'clock on") && foot.contains("`the thirteenth"), "{foot}");
    }
}

#[test]
fn what_is_read_so_far_is_not_called_healthy_where_something_was_blocked() {
    let mut snapshot = fake::full();
    snapshot.onsets.clear();
    let mut s = Screen::new(snapshot.clone(), 120, 35);
    assert!(s.text().contains("✓ No Microsoft block"), "all is read, and it was too little: {}", s.text());
    snapshot.progress.complete = false;
    let mut s = Screen::new(snapshot, 120, 35);
    let text = s.text();
    assert!(!text.contains('✓') && text.contains("attempts so far"), "{text}");
    assert!(text.contains("attempts were blocked"), "{text}");
}

#[test]
fn the_name_beside_an_address_is_told_whole_or_not_at_all() {
    let mut snapshot = fake::full();
    for (source, name) in snapshot.sources.iter_mut().zip(["postfix-out1/smtp", "postfix-out2/smtp"]) {
        source.source_name = Some(name.into());
    }
    for (width, height) in [(60, 15), (80, 24), (100, 30), (120, 35), (160, 45)] {
        let mut s = Screen::new(snapshot.clone(), width, height);
        let text = s.text();
        let row = text.lines().find(|l| l.contains(" · clear ")).expect("the second source");
        assert!(!row.contains("post…") && !row.contains("postfix…"), "{width}: {row}");
        assert!(row.contains("192.0.2.40 "), "{width}: {row}");
        assert!(width != 80 || row.contains("postfix-out2/smtp"), "there is room for it: {row}");
        assert!(width < 160 || text.contains(" TREND "), "{text}");
    }
}
