//! Mergeable tables and series; [`Snapshot`], the one thing that view and export read.

mod allowed;
mod filter;
mod learned;
mod names;
mod numbers;
mod rollup;
mod rows;
mod snapshot;
mod tables;
mod timed;

pub use allowed::reply_names;
pub use filter::{BadPattern, Filter, Patterns, literal};
pub use learned::{Label, Learned, learn};
pub use names::{Belongs, Cache, Identity, NameTables, Names, Place, SourceKey, Table, VerdictKey, answered};
pub use rollup::{Rollup, roll_up};
pub use snapshot::*;
pub use tables::{Cell, CellKey, Example, PackedTime, Rows, Tables};
