//! A frame of the view on many sources, domains and lines: `cargo bench --bench frame`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use eopwatch::aggregate::{Counts, Snapshot};
use eopwatch::engine::LineList;
use eopwatch::view::{Clock, Column, Key, Message, Scene, State, draw, update};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyEvent, KeyModifiers};

#[allow(dead_code)]
#[path = "../tests/view/fake.rs"]
mod fake;

const SOURCES: u64 = 10_000;
const DOMAINS: u64 = 100_000;
const LINES: i64 = 10_000;
/// Of which the slowest hundredth is told.
const FRAMES: usize = 2000;

fn counts(i: u64) -> Counts {
    let (delivered, blocked) = (i * 7919 % 10_007, i * 31 % 97);
    Counts { attempts: delivered + blocked, delivered, bounced: blocked, blocked, ..Counts::default() }
}

fn many() -> Snapshot {
    let mut snapshot = fake::full();
    let (source, domain) = (snapshot.sources[0].clone(), snapshot.domains[0].clone());
    snapshot.sources = (0..SOURCES)
        .map(|i| {
            let mut source = source.clone();
            source.source_ip = Some(format!("10.{}.{}.{}", i >> 16, i >> 8 & 255, i & 255));
            source.source_name = Some(format!("postfix-out{i}"));
            source.counts = counts(i);
            source
        })
        .collect();
    snapshot.domains = (0..DOMAINS)
        .map(|i| {
            let mut domain = domain.clone();
            domain.domain = Some(format!("tenant{i}.example"));
            domain.counts = counts(i);
            domain
        })
        .collect();
    snapshot
}

fn lines() -> LineList {
    let few = fake::log_lines();
    let lines = (0..LINES)
        .map(|i| {
            let mut line = few[3 + i as usize % 30].clone();
            line.offset = 4_000_000_000 - i as u64 * 400;
            line
        })
        .collect();
    LineList::of(lines)
}

fn press(state: &mut State, keys: &str, snapshot: &Snapshot, lines: &LineList) {
    for name in keys.split_whitespace() {
        let key = Key::parse(name).expect("a key");
        let modifiers = if key.ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        update(state, Message::Key(KeyEvent::new(key.code, modifiers)), snapshot, lines);
    }
}

/// Memory of this process, in MiB; none where it cannot be told.
fn memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

/// Median and 99th of a hundred frames in which every cell changes: another one, which is not timed, is drawn before each.
fn with_all_cells_changed(
    terminal: &mut Terminal<TestBackend>,
    mut draw: impl FnMut(&mut Terminal<TestBackend>),
) -> [Duration; 2] {
    let mut times: Vec<_> = (0..FRAMES)
        .map(|_| {
            terminal
                .draw(|frame| {
                    let area = frame.area();
                    let cells = frame.buffer_mut();
                    area.positions().for_each(|at| _ = cells[at].set_char('\u{2592}'));
                })
                .expect("drawn");
            let begin = Instant::now();
            draw(terminal);
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    [FRAMES / 2, FRAMES * 99 / 100].map(|at| times[at])
}

fn frames(c: &mut Criterion) {
    let before = memory();
    let (mut snapshot, lines) = (many(), lines());
    let told = memory();
    if let (Some(before), Some(told)) = (before, told) {
        eprintln!("tables and lines: {:.0} MiB", told - before);
    }
    let mut group = c.benchmark_group("frame");
    for (width, height) in [(160, 45), (200, 60)] {
        for (name, keys) in [
            ("overview", "j j j"),
            ("datacenters-by-time", "c h"),
            ("domains", "2 G k k"),
            ("lines", "L G k"),
            ("line", "L j Enter"),
            ("block", "b"),
            ("help", "?"),
        ] {
            let mut state = State::new(Clock { zone: TimeZone::UTC });
            update(&mut state, Message::Resize(width, height), &snapshot, &lines);
            press(&mut state, keys, &snapshot, &lines);
            let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal");
            let show = |terminal: &mut Terminal<TestBackend>| {
                let scene = Scene::new(black_box(&state), &snapshot, &lines, &fake::advice);
                terminal.draw(|frame| _ = draw(frame, &scene)).expect("drawn");
            };
            group.bench_function(format!("{name}-{width}x{height}"), |b| b.iter(|| show(&mut terminal)));
            let [median, slow] = with_all_cells_changed(&mut terminal, show);
            eprintln!("{name}-{width}x{height}, every cell changed: median {median:.2?}, p99 {slow:.2?}");
        }
    }
    // What precedes a frame: a key, or a new snapshot, which sorts the table anew.
    let mut state = State::new(Clock { zone: TimeZone::UTC });
    update(&mut state, Message::Resize(160, 45), &snapshot, &lines);
    press(&mut state, "2 G", &snapshot, &lines);
    group.bench_function("key", |b| b.iter(|| press(&mut state, "k j", &snapshot, &lines)));
    state.table_mut().sort.column = Some(Column::Delivered);
    group.bench_function("new-snapshot-sorted", |b| {
        b.iter(|| {
            snapshot.version += 1;
            update(&mut state, Message::Data, &snapshot, &lines)
        });
    });
    state.table_mut().sort.column = Some(Column::Name);
    group.bench_function("new-snapshot-sorted-by-name", |b| {
        b.iter(|| {
            snapshot.version += 1;
            update(&mut state, Message::Data, &snapshot, &lines)
        });
    });
    group.finish();
    if let (Some(before), Some(now)) = (before, memory()) {
        eprintln!("with states and screens: {:.0} MiB", now - before);
    }
}

criterion_group!(view, frames);
criterion_main!(view);
