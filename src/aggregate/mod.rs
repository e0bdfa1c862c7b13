//! Mergeable tables and series; [`Snapshot`], the one thing that view and export read.

mod filter;
mod snapshot;

pub use filter::{BadPattern, Filter, Patterns, literal};
pub use snapshot::*;
