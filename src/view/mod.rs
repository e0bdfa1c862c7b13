//! The interactive view: [`Snapshot`](crate::aggregate::Snapshot) -> screen.
//!
//! [`run`] owns the terminal and the loop. Keys, mouse and new data are [`Message`]s; [`update`] changes the plain
//! [`State`] and gives back [`Effect`]s; [`draw`] is a function of state and data. Knows nothing of files, formats or
//! sockets: raw lines come from the [`Session`](crate::engine::Session).

mod app;
mod clock;
mod columns;
mod command;
mod guide;
mod heat;
mod keys;
mod layout;
mod line_view;
mod query;
mod render;
mod state;
mod text;
mod theme;
mod update;

pub use app::{EvidenceFn, ExportFn, Feed, LineFile, NewFileFn, ViewOptions, run};
pub use clock::Clock;
pub use columns::{Column, Tab};
pub use guide::{Guide, Tip};
pub use keys::{Action, BadKey, Key, Keymap, View};
pub use line_view::{Chase, LineView};
pub use render::{AdviceFn, Scene, draw};
pub use state::{Crumb, ExportKind, Face, Field, Focus, News, Notice, PromptKind, State};
pub use theme::ThemeName;
pub use update::{Effect, Export, Message, update};

/// What to do about a reply, for the advice panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// `550 5.7.1 S3140: IP on Microsoft's block list`.
    pub title: String,
    /// The root cause in a sentence or two.
    pub means: String,
    /// One step each, in order.
    pub steps: Vec<String>,
    /// Where to do it.
    pub links: Vec<String>,
}
