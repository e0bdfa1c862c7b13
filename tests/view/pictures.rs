//! Every screen at five sizes, empty and full. Read with eyes before accepted.

use eopwatch::aggregate::{InputRow, Progress, Snapshot};
use eopwatch::engine::Gone;
use eopwatch::view::{Guide, ThemeName, Tip};

use super::{Screen, fake};

const SIZES: [(u16, u16); 5] = [(160, 45), (100, 30), (80, 24), (60, 15), (20, 5)];

fn picture(name: &str, snapshot: &Snapshot, keys: &str) {
    for (w, h) in SIZES {
        let mut screen = Screen::new(snapshot.clone(), w, h);
        screen.press(keys);
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(format!("{name}-{w}x{h}"), screen.text());
        });
    }
}

#[test]
fn overview() {
    picture("overview", &fake::full(), "");
    picture("overview-scanning", &fake::scanning(), "");
    picture("overview-cursor", &fake::full(), "4 Tab Tab h h");
}

#[test]
fn datacenters_by_time() {
    picture("heat", &fake::full(), "c h h h");
    picture("heat-enlarged", &fake::full(), "c j h +");
    picture("heat-healthy", &fake::healthy(), "c");
    picture("heat-start", &Snapshot::default(), "c");
}

#[test]
fn nothing_to_report() {
    picture("healthy", &fake::healthy(), "");
    picture("none", &fake::none(), "");
    picture("start", &Snapshot::default(), "");
    let done = Progress { complete: true, ..Progress::default() };
    let input = InputRow { path: "/tmp/notes.txt".into(), lines: 3, bytes: 90, ..InputRow::default() };
    let unknown = Snapshot { inputs: vec![input], progress: done, ..Snapshot::default() };
    picture("unknown", &unknown, "");
    let unreadable = Snapshot { warnings: fake::full().warnings, progress: done, ..Snapshot::default() };
    picture("unreadable", &unreadable, "");
}

#[test]
fn tables() {
    picture("domains", &fake::full(), "2");
    picture("datacenters", &fake::full(), "3");
    picture("replies", &fake::full(), "4 j j j j");
    picture("enlarged", &fake::full(), "4 +");
}

#[test]
fn views() {
    picture("block", &fake::full(), "b");
    picture("block-end", &fake::full(), "b G");
    picture("lines", &fake::full(), "L");
    picture("line", &fake::full(), "L j Enter");
    picture("advice", &fake::full(), "i");
    picture("messages", &fake::full(), "m");
    picture("help", &fake::full(), "?");
    picture("help-lines", &fake::full(), "L ?");
}

#[test]
fn prompts_and_menus() {
    picture("filter", &fake::full(), "2 / h o t");
    picture("sort", &fake::full(), "s");
    picture("export", &fake::full(), "x");
    picture("time", &fake::full(), "t 1 4 : x x");
    picture("command", &fake::full(), ": s o");
    picture("note", &fake::full(), "] N t i c k e t Enter");
    picture("note-block", &fake::full(), "] N t i c k e t Enter b");
    picture("help-find", &fake::full(), "? / b l o c k Enter");
    picture("lines-end", &fake::full(), "L G");
}

#[test]
fn lines_that_are_not_there() {
    let gone = Gone("this line is gone: its file was changed since".into());
    for (w, h) in SIZES {
        let mut screen = Screen::new(fake::full(), w, h);
        screen.lines = fake::many_lines(20_000);
        screen.lines.total = 12_345_678;
        let read = (0..h as usize).step_by(3).map(|row| fake::read(&screen.lines, row, "text"));
        let read: Vec<_> =
            read.chain([(screen.lines.index.get(1).expect("a row"), Err(gone.clone()))]).collect();
        screen.lines.show(read);
        screen.press("L");
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(format!("lines-missing-{w}x{h}"), screen.text());
        });
    }
}

#[test]
fn no_frame_is_broken_at_any_size() {
    for keys in [
        "",
        "b",
        "L",
        "L Enter",
        "i",
        "m",
        "?",
        "s",
        "/ a",
        "2 + G",
        "Tab Tab h",
        "4 G L",
        "c h",
        "c + j",
        ":",
        "N a Enter",
        "N a Enter b",
        "? / x",
        "m : x Enter",
    ] {
        for w in [1, 2, 3, 7, 19, 20, 41, 59, 60, 61, 79, 80, 109, 110, 149, 150, 220] {
            for h in [1, 2, 3, 4, 5, 6, 7, 9, 14, 15, 16, 19, 20, 24, 41, 70] {
                for snapshot in [fake::full(), Snapshot::default()] {
                    let mut screen = Screen::new(snapshot, w, h);
                    screen.press(keys);
                    screen.text();
                }
            }
        }
    }
}

#[test]
fn nothing_hostile_reaches_the_terminal() {
    for keys in ["", "4 G", "4 G i", "L", "L j Enter", "m", "b", "] ] ] b", "4 +"] {
        for theme in [ThemeName::Dark, ThemeName::Light, ThemeName::Sixteen, ThemeName::Plain] {
            let mut screen = Screen::new(fake::full(), 160, 45);
            screen.state.theme = theme;
            screen.press(keys);
            let text = screen.text();
            let bad = |c: char| c != '\n' && c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!text.contains(bad), "{keys}: {text}");
        }
    }
}

/// Corners of the frames, and nothing that overhangs: what a text must not move.
fn corners(screen: &mut Screen) -> Vec<(u16, u16, String)> {
    let buffer = screen.buffer();
    let mut corners = Vec::new();
    for y in 0..buffer.area.height {
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            let width = unicode_width::UnicodeWidthStr::width(symbol) as u16;
            assert!(x + width <= buffer.area.width, "{symbol:?} at {x}, {y}");
            assert!(width < 2 || buffer[(x + 1, y)].symbol().trim().is_empty(), "{symbol:?} at {x}, {y}");
            let marks = symbol.chars().skip(1).count();
            assert!(marks <= 2, "{symbol:?} is a heap of {marks} marks");
            if ["╭", "╮", "╰", "╯"].contains(&symbol) {
                corners.push((x, y, symbol.to_owned()));
            }
        }
    }
    corners
}

#[test]
fn hostile_text_leaves_the_layout_whole() {
    let screens = [
        "",
        "1 j j",
        "1 G Enter",
        "2 Enter",
        "3",
        "3 G Enter",
        "4",
        "4 G Enter",
        "4 +",
        "c",
        "c j +",
        "Tab Tab +",
        "b",
        "b G",
        "i",
        "i G",
        "L",
        "L l l",
        "L j Enter",
        "L j j j Enter G",
        "m",
        "m G",
        "?",
        "s",
        "x",
        ":",
        "/ a",
        "] N",
    ];
    for keys in screens {
        for (w, h) in SIZES {
            let of = |text: &str| {
                let mut screen = Screen::new(fake::told(text), w, h);
                screen.lines = fake::lines_of(text);
                screen.state.lines.search = text.to_owned();
                screen.press(keys);
                let seen = screen.text();
                let bad = |c: char| {
                    let turns =
                        ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
                    c != '\n' && c.is_control() || turns || c == '\u{200d}'
                };
                assert!(!seen.contains(bad), "{keys} at {w}x{h}:\n{seen}");
                corners(&mut screen)
            };
            assert_eq!(of(fake::HOSTILE), of("harmless"), "{keys} at {w}x{h}");
        }
    }
}

#[test]
fn a_frame_is_cheap() {
    let mut screen = Screen::new(fake::full(), 160, 45);
    screen.text();
    let begin = std::time::Instant::now();
    for _ in 0..20 {
        screen.buffer();
    }
    let each = begin.elapsed() / 20;
    println!("{each:?} a frame");
    assert!(each.as_millis() < 40, "{each:?} a frame, in a debug build");
}

#[test]
fn a_hundred_thousand_domains_stay_smooth() {
    let mut snapshot = fake::full();
    let row = snapshot.domains[2].clone();
    snapshot.domains.extend(
        (0..100_000)
            .map(|i| eopwatch::aggregate::DomainRow { domain: Some(format!("d{i}.example")), ..row.clone() }),
    );
    let mut screen = Screen::new(snapshot, 160, 45);
    screen.press("2 G");
    let begin = std::time::Instant::now();
    for _ in 0..20 {
        screen.press("k");
        screen.buffer();
    }
    let each = begin.elapsed() / 20;
    assert!(each.as_millis() < 60, "{each:?} a key, in a debug build");
}

#[test]
fn captions_of_a_story() {
    let tip = Tip {
        from: 0,
        text: "{down} selects, {open} drills in; {help} help".into(),
        does: vec!["down".into()],
    };
    let later = Tip { from: i64::MAX, ..tip.clone() };
    let caption = "Spam traps were among them: one datacenter refuses 203.0.113.25.";
    for (w, h) in [(120, 35), (80, 24), (60, 15)] {
        for (name, keys) in [("guide", ""), ("guide-done", "j"), ("guide-block", "b")] {
            let mut screen = Screen::new(fake::full(), w, h);
            let plain = screen.text();
            screen.state.guide =
                Some(Guide::new(vec![(0, caption.into())], vec![tip.clone(), later.clone()]));
            screen.send(eopwatch::view::Message::Data);
            screen.press(keys);
            let text = screen.text();
            if (w, h) == (60, 15) {
                assert!(
                    !text.contains("▌ Spam") && (!keys.is_empty() || text == plain),
                    "too small for captions"
                );
                continue;
            }
            insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
                insta::assert_snapshot!(format!("{name}-{w}x{h}"), text);
            });
        }
    }
}
