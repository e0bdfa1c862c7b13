//! The terminal and the loop: events in, effects out, a frame only when something changed.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyEventKind};
use crossterm::style::Print;
use crossterm::terminal::{
    self, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};

use super::clock::Clock;
use super::guide::Guide;
use super::keys::{Keymap, View};
use super::render::{AdviceFn, Scene, draw};
use super::state::{ExportKind, Notice, State};
use super::text;
use super::theme::ThemeName;
use super::update::{Effect, Export, Message, update};
use crate::aggregate::{Filter, Snapshot};
use crate::engine::{EachLine, Evidence, Hunt, LineList, Session, TakeEvidence, WantedLines};

/// Writes this snapshot, which is the one on the screen; gives the file's name, or what is wrong and what to do.
pub type ExportFn = dyn Fn(&Export, &Snapshot) -> Result<String, String>;

/// Writes what is known of an address, with the notes at blocks; gives the file's name, or what is wrong.
pub type EvidenceFn = dyn Fn(&Evidence, &[(String, String)]) -> Result<String, String> + Send + Sync;

/// Where lines are written to, one by one.
pub trait LineFile: Send {
    fn line(&mut self, line: &[u8]) -> io::Result<()>;
    /// Gives the file's name.
    fn finish(self: Box<Self>) -> io::Result<String>;
}

/// Makes the file that lines are written to.
pub type NewFileFn = dyn Fn() -> io::Result<Box<dyn LineFile>>;

/// Where the view's data comes from: a running engine, or a story in a test. Nothing here may block.
pub trait Feed {
    /// The newest snapshot for the filter last set; `version` tells whether it is another one.
    fn snapshot(&self) -> Arc<Snapshot>;
    fn set_filter(&self, filter: Filter);
    fn find_lines(&self, filter: Filter);
    /// Nothing of the last search is needed any more.
    fn forget_lines(&self);
    /// What the last search has found so far, and what was read of it; the same `Arc` as long as there is nothing new.
    fn lines(&self) -> Arc<LineList>;
    /// Asks for lines of the list to be read.
    fn read_lines(&self, wanted: WantedLines);
    /// Looks for a text in the list from now on, and for none before.
    fn hunt(&self, hunt: Option<Hunt>);
    /// All lines behind a filter, one by one, in the background; `None` at the end.
    fn each_line(&self, filter: Filter, each: EachLine);
    /// What is known of a sending address, in the background.
    fn evidence(&self, filter: Filter, ip: IpAddr, take: TakeEvidence);
}

impl Feed for Session {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot()
    }

    fn set_filter(&self, filter: Filter) {
        self.set_filter(filter);
    }

    fn find_lines(&self, filter: Filter) {
        self.find_lines(filter);
    }

    fn forget_lines(&self) {
        self.forget_lines();
    }

    fn lines(&self) -> Arc<LineList> {
        self.lines()
    }

    fn read_lines(&self, wanted: WantedLines) {
        self.read_lines(wanted);
    }

    fn hunt(&self, hunt: Option<Hunt>) {
        self.hunt(hunt);
    }

    fn each_line(&self, filter: Filter, each: EachLine) {
        self.each_line(filter, each);
    }

    fn evidence(&self, filter: Filter, ip: IpAddr, take: TakeEvidence) {
        self.evidence(filter, ip, take);
    }
}

/// What the view needs from outside.
pub struct ViewOptions {
    /// In which times are told.
    pub zone: TimeZone,
    pub theme: ThemeName,
    pub keymap: Keymap,
    /// The command line's filters; those of the screen come on top.
    pub base: Filter,
    /// Take the mouse.
    pub mouse: bool,
    /// Show no local parts of addresses in log lines; what is written has to do the same.
    pub mask: bool,
    /// Ring where a block begins or clears.
    pub bell: bool,
    /// Reply id -> what to do.
    pub advice: Box<AdviceFn>,
    /// What the export menu offers.
    pub exports: Vec<ExportKind>,
    pub export: Box<ExportFn>,
    pub line_file: Box<NewFileFn>,
    pub evidence: Arc<EvidenceFn>,
    /// Captions, where a story is told.
    pub guide: Option<Guide>,
}

impl Default for ViewOptions {
    fn default() -> Self {
        Self {
            zone: TimeZone::system(),
            theme: ThemeName::from_env(|key| std::env::var(key).ok()),
            keymap: Keymap::default(),
            base: Filter::default(),
            mouse: true,
            mask: false,
            bell: false,
            advice: Box::new(|_| None),
            exports: Vec::new(),
            export: Box::new(|_, _| Err("nothing can be exported here".to_owned())),
            line_file: Box::new(|| Err(io::ErrorKind::Unsupported.into())),
            evidence: Arc::new(|_, _| Err("nothing can be exported here".to_owned())),
            guide: None,
        }
    }
}

/// Between two frames: 30 a second at the most.
const FRAME: Duration = Duration::from_millis(33);
/// How often new data is looked for: while the screen lacks lines, while much is expected (twice a frame, so that the result
/// is seen at once), while following, and else.
const SOON: Duration = Duration::from_millis(8);
const BUSY: Duration = Duration::from_millis(16);
const LIVE: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_millis(300);
/// What is added to a wait: crossterm cuts it to whole milliseconds, and polls without a pause for what it has cut off.
const SLACK: Duration = Duration::from_micros(150);
/// For what has come already. With no time at all, crossterm does not even look at the keys it has read.
const AT_ONCE: Duration = Duration::from_micros(50);
/// How long an answer to a new filter is expected.
const ANSWER: Duration = Duration::from_secs(3);
/// More is not put into a clipboard: terminals cut it.
const MOST_COPIED: usize = 74_000;

/// Buttons, drags, positions beyond 223; no bare motion, which would only wake us.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1002l\x1b[?1000l";

fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
    if mouse {
        execute!(io::stdout(), Print(MOUSE_ON))?;
    }
    Ok(())
}

/// Gives the terminal back; does all it can, whatever fails.
fn leave() {
    let mut out = io::stdout();
    let _ = execute!(out, Print(MOUSE_OFF));
    let _ = execute!(out, DisableBracketedPaste);
    let _ = execute!(out, LeaveAlternateScreen);
    let _ = execute!(out, cursor::Show);
    let _ = disable_raw_mode();
}

/// The terminal is ours while this lives.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        leave();
    }
}

/// An empty screen, and all of it drawn next. Unlike `Terminal::clear` it asks the terminal nothing, which not every
/// one answers.
fn wipe(terminal: &mut Terminal<CrosstermBackend<io::Stdout>>) -> io::Result<()> {
    let size = terminal.size()?;
    terminal.resize(Rect::from((Position::ORIGIN, size)))
}

/// A panic of this thread gives the terminal back before its message is printed.
fn restore_on_panic() {
    let screen = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == screen {
            leave();
        }
        before(info);
    }));
}

/// Shows a session until the user leaves, or a signal ends it. Keys come from the terminal even where stdin is data.
/// The terminal is given back on every way out. An error is one of the terminal.
pub fn run(session: &dyn Feed, options: ViewOptions) -> io::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let suspend = Arc::new(AtomicBool::new(false));
    let mut hooks = Vec::new();
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        hooks.push(signal_hook::flag::register(signal, Arc::clone(&stop))?);
    }
    hooks.push(signal_hook::flag::register(SIGTSTP, Arc::clone(&suspend))?);
    restore_on_panic();
    let result = App::new(session, options).and_then(|mut app| app.run(&stop, &suspend));
    for hook in hooks {
        signal_hook::low_level::unregister(hook);
    }
    if stop.load(Ordering::Relaxed) { Ok(()) } else { result }
}

/// What was written, or why not.
type Written = Result<String, String>;

struct App<'a> {
    session: &'a dyn Feed,
    options: ViewOptions,
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
    state: State,
    /// On the screen; another than the newest while frozen.
    shown: Arc<Snapshot>,
    lines: Arc<LineList>,
    /// Another one while frozen.
    newest_lines: Arc<LineList>,
    quit: bool,
    dirty: bool,
    /// When the last filter was set that no snapshot has answered.
    asked: Option<Instant>,
    /// How the writing of lines or evidence went.
    written: (Sender<Written>, Receiver<Written>),
    _guard: Guard,
}

impl<'a> App<'a> {
    fn new(session: &'a dyn Feed, mut options: ViewOptions) -> io::Result<Self> {
        let guard = Guard;
        enter(options.mouse)?;
        let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let mut state = State::new(Clock { zone: options.zone.clone() });
        state.theme = options.theme;
        state.keymap = std::mem::take(&mut options.keymap);
        state.base = std::mem::take(&mut options.base);
        state.exports.clone_from(&options.exports);
        state.guide = options.guide.take();
        state.mouse = options.mouse;
        state.mask = options.mask;
        let (w, h) = terminal::size()?;
        state.size = (w, h);
        wipe(&mut terminal)?;
        let mut app = Self {
            session,
            options,
            terminal,
            state,
            shown: session.snapshot(),
            lines: session.lines(),
            newest_lines: session.lines(),
            quit: false,
            dirty: true,
            asked: None,
            written: mpsc::channel(),
            _guard: guard,
        };
        app.feed(Message::Data)?;
        Ok(app)
    }

    fn run(&mut self, stop: &AtomicBool, suspend: &AtomicBool) -> io::Result<()> {
        let mut drawn = None::<Instant>;
        loop {
            if self.quit || stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if suspend.swap(false, Ordering::Relaxed) {
                self.suspend()?;
            }
            self.take_data()?;
            let due = drawn.map_or(Duration::ZERO, |at| FRAME.saturating_sub(at.elapsed()));
            if self.dirty && due.is_zero() {
                self.draw()?;
                drawn = Some(Instant::now());
                continue;
            }
            let wait = if self.dirty { due } else { self.tick() };
            let mut patience = Duration::from_millis(wait.as_micros().div_ceil(1000) as u64) + SLACK;
            // All that waits, then one frame.
            while event::poll(patience)? {
                self.event(event::read()?)?;
                patience = AT_ONCE;
                if self.quit {
                    break;
                }
            }
        }
    }

    /// How long to wait for keys before new data is looked for.
    fn tick(&self) -> Duration {
        let progress = self.shown.progress;
        if self.state.lacks_lines(&self.lines) {
            return SOON;
        }
        let searching = self.state.view() == View::Lines && !self.lines.complete;
        let asked = self.asked.is_some_and(|at| at.elapsed() < ANSWER);
        if !progress.complete || searching || asked {
            BUSY
        } else if progress.live {
            LIVE
        } else {
            IDLE
        }
    }

    fn take_data(&mut self) -> io::Result<()> {
        while let Ok(written) = self.written.1.try_recv() {
            self.wrote(written)?;
        }
        let newest = self.session.snapshot();
        if newest.version != self.shown.version {
            if self.state.frozen {
                let more = newest.totals.counts.attempts.saturating_sub(self.shown.totals.counts.attempts);
                if more != self.state.missed {
                    self.feed(Message::Missed(more))?;
                }
            } else {
                self.shown = newest;
                self.asked = None;
                self.feed(Message::Data)?;
            }
        }
        let lines = self.session.lines();
        if !Arc::ptr_eq(&lines, &self.newest_lines) {
            self.newest_lines = Arc::clone(&lines);
            // Frozen or not, what was asked for comes.
            let is_held = self.state.frozen && self.lines.complete;
            self.lines = if is_held { Arc::new(lines.as_of(&self.lines)) } else { lines };
            self.feed(Message::Data)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.feed(Message::Key(key)),
            Event::Mouse(mouse) => self.feed(Message::Mouse(mouse)),
            Event::Paste(text) => self.feed(Message::Paste(text)),
            Event::Resize(w, h) => self.feed(Message::Resize(w, h)),
            _ => Ok(()),
        }
    }

    fn feed(&mut self, message: Message) -> io::Result<()> {
        self.dirty = true;
        let effects = update(&mut self.state, message, &self.shown, &self.lines);
        for effect in effects {
            self.serve(effect)?;
        }
        Ok(())
    }

    fn serve(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::SetFilter(filter) => {
                self.session.set_filter(filter);
                self.asked = Some(Instant::now());
            }
            Effect::FindLines(filter) => {
                self.lines = Arc::default();
                self.session.find_lines(filter);
            }
            Effect::ForgetLines => {
                self.lines = Arc::default();
                self.session.forget_lines();
            }
            Effect::ReadLines(wanted) => self.session.read_lines(wanted),
            Effect::Hunt(hunt) => self.session.hunt(hunt),
            Effect::Copy(content) => {
                let mut end = content.len().min(MOST_COPIED);
                while !content.is_char_boundary(end) {
                    end -= 1;
                }
                let data = text::base64(&content.as_bytes()[..end]);
                execute!(io::stdout(), Print(format_args!("\x1b]52;c;{data}\x07")))?;
            }
            Effect::Export(export) => {
                let result = (self.options.export)(&export, &self.shown);
                return self.wrote(result);
            }
            Effect::WriteLines(filter) => return self.write_lines(filter),
            Effect::Evidence { filter, ip, notes } => return self.write_evidence(filter, ip, notes),
            Effect::Bell if self.options.bell => {
                io::stdout().write_all(b"\x07")?;
                io::stdout().flush()?;
            }
            Effect::Bell => {}
            Effect::Mouse(on) => execute!(io::stdout(), Print(if on { MOUSE_ON } else { MOUSE_OFF }))?,
            Effect::Redraw => wipe(&mut self.terminal)?,
            Effect::Suspend => self.suspend()?,
            Effect::Quit => self.quit = true,
        }
        Ok(())
    }

    fn write_lines(&mut self, filter: Filter) -> io::Result<()> {
        let mut file = match (self.options.line_file)() {
            Ok(file) => Some(file),
            Err(error) => return self.wrote(Err(format!("no file can be made here: {error}"))),
        };
        let (send, mut count) = (self.written.0.clone(), 0);
        self.session.each_line(
            filter,
            Box::new(move |line| {
                let Some(mut open) = file.take() else { return false };
                let result = match line {
                    Some(line) => open.line(line).map(|()| {
                        count += 1;
                        file = Some(open);
                        None
                    }),
                    None => open.finish().map(Some),
                };
                let told = match result {
                    Ok(None) => return true,
                    Ok(Some(name)) => Ok(format!("{name} ({})", text::plural(count, "line", "lines"))),
                    Err(error) => Err(format!("the lines cannot be written: {error}")),
                };
                // Nobody listens where the screen is gone.
                let _ = send.send(told);
                false
            }),
        );
        self.feed(Message::Notice(Notice { text: "writing all lines …".to_owned(), is_error: false }))
    }

    fn write_evidence(&mut self, filter: Filter, ip: IpAddr, notes: Vec<(String, String)>) -> io::Result<()> {
        let (send, write) = (self.written.0.clone(), Arc::clone(&self.options.evidence));
        self.session.evidence(
            filter,
            ip,
            Box::new(move |evidence| {
                let told = match evidence {
                    Some(evidence) => write(&evidence, &notes),
                    None => Err("not all is read yet: evidence is written once it is".to_owned()),
                };
                // Nobody listens where the screen is gone.
                let _ = send.send(told);
            }),
        );
        self.feed(Message::Notice(Notice {
            text: format!("gathering evidence on {ip} …"), is_error: false
        }))
    }

    fn wrote(&mut self, result: Written) -> io::Result<()> {
        let notice = match result {
            Ok(name) => Notice { text: format!("written: {name}"), is_error: false },
            Err(why) => Notice { text: why, is_error: true },
        };
        self.feed(Message::Notice(notice))
    }

    /// To the shell; returns when the shell lets us go on.
    fn suspend(&mut self) -> io::Result<()> {
        leave();
        signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
        enter(self.state.mouse)?;
        wipe(&mut self.terminal)?;
        let (w, h) = terminal::size()?;
        self.feed(Message::Resize(w, h))
    }

    fn draw(&mut self) -> io::Result<()> {
        self.dirty = false;
        let mut end = 0;
        let area = self.terminal.size()?;
        if (area.width, area.height) != self.state.size {
            update(&mut self.state, Message::Resize(area.width, area.height), &self.shown, &self.lines);
        }
        let (state, snapshot, lines) = (&self.state, &self.shown, &self.lines);
        let scene = Scene::new(state, snapshot, lines, &*self.options.advice);
        self.terminal.draw(|frame| end = draw(frame, &scene))?;
        self.state.settle(end);
        Ok(())
    }
}
