//! eopwatch reads the logs of mail servers and tells what Microsoft refuses, since when, how sure, and what to do.
//!
//! The flow is the module tree, and imports go down only:
//!
//! ```text
//! bytes      source      files, streams, compression -> line-aligned chunks
//! record     scan        chunks -> candidate lines
//!            record      line -> Attempt
//! verdict    microsoft   is it theirs, what does the reply mean
//!            attribute   which source: what the log, the map and Microsoft say
//!            control     the MTAs' commands that hold, slow and release a source
//! aggregate  aggregate   mergeable tables -> Snapshot
//! onset      detect      trials -> onsets and clears
//!            engine      joins the above; owns the threads
//! out        view        Snapshot -> screen
//!            export      Snapshot -> bytes
//! entry      commands    cli, config -> engine -> view or export
//! ```

pub mod aggregate;
pub mod attribute;
pub mod cli;
pub mod commands;
pub mod config;
pub mod control;
pub mod detect;
pub mod engine;
pub mod export;
mod memo;
pub mod microsoft;
pub mod record;
pub mod scan;
pub mod source;
pub mod text;
pub mod view;
