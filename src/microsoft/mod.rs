//! What is known of Microsoft, as data: whose mail it is, host names, the reply catalogue, and the
//! classification of a reply. Files under `data/` can be edited by a mail engineer; a test checks them.
//! Knows bytes and [`crate::record::Answer`], no files, tables or screens.

mod class;

pub use class::{Class, Platform, Signal};
