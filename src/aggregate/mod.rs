//! Mergeable tables and series; [`Snapshot`], the one thing that view and export read.

mod filter;
mod names;
mod rollup;
mod snapshot;
mod tables;

pub use filter::{BadPattern, Filter, Patterns, literal};
pub use names::{Belongs, Cache, Identity, NameTables, Names, Place, SourceKey, Table, VerdictKey, answered};
pub use rollup::{Label, Learned, Rollup, learn, reply_names, roll_up};
pub use snapshot::*;
pub use tables::{Cell, CellKey, Example, NO_TIME, PackedTime, Rows, Tables};
