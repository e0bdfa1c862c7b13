//! Draws the pictures of the README from the real program: `cargo test --release --test picture -- --ignored`.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const COLUMNS: u16 = 120;
const ROWS: u16 = 35;
/// Of a cell, in the picture's units.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;

#[test]
#[ignore = "writes docs/*.svg"]
fn draw() {
    picture("overview", &["sample-logs/story-mail.log.gz"], &["wait"]);
    picture("lines", &["sample-logs/story-mail.log.gz"], &["wait", "4", "wait", "\r", "wait", "L", "wait"]);
    picture("datacenters", &["sample-logs/story-mail.log.gz"], &["wait", "c", "wait"]);
    picture("block", &["sample-logs/story-mail.log.gz"], &["wait", "]", "wait", "b", "wait"]);
}

/// Runs the program in a terminal, presses the keys, and draws what is seen.
fn picture(name: &str, paths: &[&str], keys: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("a terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_eopwatch"));
    command.args(paths);
    command.cwd(root);
    for (key, value) in [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("TZ", "UTC")] {
        command.env(key, value);
    }
    let mut child = pair.slave.spawn_command(command).expect("started");
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().expect("a reader");
    let mut writer = pair.master.take_writer().expect("a writer");
    let (send, bytes) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            if send.send(buffer[..n].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut screen = vt100::Parser::new(cells(ROWS), cells(COLUMNS), 0);
    for key in keys {
        if *key == "wait" {
            let until = Instant::now() + Duration::from_secs(2);
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                if let Ok(part) = bytes.recv_timeout(left) {
                    screen.process(&part);
                }
            }
        } else {
            writer.write_all(key.as_bytes()).expect("pressed");
        }
    }
    let svg = svg(screen.screen());
    std::fs::write(root.join(format!("docs/{name}.svg")), svg).expect("written");
    writer.write_all(b"\x03").expect("ended");
    child.wait().expect("ended");
}

/// A size that is not zero, as the terminal wants it.
fn cells(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("not zero")
}

fn color(color: vt100::Color, default: &str) -> String {
    match color {
        vt100::Color::Default => default.to_owned(),
        vt100::Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        vt100::Color::Idx(i @ 232..) => format!("#{0:02x}{0:02x}{0:02x}", 8 + (i - 232) * 10),
        vt100::Color::Idx(i @ 16..) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + n * 40 };
            let i = i - 16;
            format!("#{:02x}{:02x}{:02x}", level(i / 36), level(i / 6 % 6), level(i % 6))
        }
        vt100::Color::Idx(i) => {
            const BASE: [&str; 16] = [
                "#1c1f26", "#e05561", "#8cc265", "#d18f52", "#4aa5f0", "#c162de", "#42b3c2", "#d7dae0",
                "#5c6370", "#ff616e", "#a5e075", "#f0a45d", "#4dc4ff", "#de73ff", "#4cd1e0", "#ffffff",
            ];
            BASE[i as usize].to_owned()
        }
    }
}

fn svg(screen: &vt100::Screen) -> String {
    let (width, height) = (f64::from(COLUMNS) * WIDTH, f64::from(ROWS) * HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-12 -12 {} {}\" font-family=\"ui-monospace, \
         'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect x=\"-12\" y=\"-12\" width=\"100%\" height=\"100%\" rx=\"10\" fill=\"#14161b\"/>\n",
        width + 24.0,
        height + 24.0
    );
    for row in 0..ROWS {
        let mut column = 0;
        while column < COLUMNS {
            let Some(cell) = screen.cell(row, column) else { break };
            let style = |c: &vt100::Cell| (c.fgcolor(), c.bgcolor(), c.bold(), c.dim(), c.inverse());
            let of = style(cell);
            let mut text = String::new();
            let from = column;
            while let Some(next) = screen.cell(row, column) {
                if style(next) != of {
                    break;
                }
                if !next.is_wide_continuation() {
                    let contents = next.contents();
                    text.push_str(if contents.is_empty() { " " } else { contents });
                }
                column += 1;
            }
            let (mut front, mut back) = (color(of.0, "#d7dae0"), color(of.1, "#14161b"));
            if of.4 {
                std::mem::swap(&mut front, &mut back);
            }
            let (x, y) = (f64::from(from) * WIDTH, f64::from(row) * HEIGHT);
            let length = f64::from(column - from) * WIDTH;
            if back != "#14161b" {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{HEIGHT}\" fill=\"{back}\"/>"
                );
            }
            if text.trim().is_empty() {
                continue;
            }
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let bold = if of.2 { " font-weight=\"bold\"" } else { "" };
            let dim = if of.3 { " opacity=\"0.6\"" } else { "" };
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" xml:space=\"preserve\" fill=\"{front}\"{bold}{dim}>{text}</text>",
                y + 14.0
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}
