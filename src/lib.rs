//! eopwatch reads the logs of mail servers and tells what Microsoft refuses, since when, how sure, and what to do.
//!
//! The flow is the module tree, and imports go down only:
//!
//! ```text
//! bytes      source      files, streams, compression -> line-aligned chunks
//! record     scan        chunks -> candidate lines
//!            record      line -> Attempt
//! verdict    microsoft   is it theirs, what does the reply mean
//!            attribute   which source, which forest: what other lines teach
//! aggregate  aggregate   mergeable tables -> Snapshot
//! onset      detect      trials -> onsets and clears
//!            engine      joins the above; owns the threads
//! out        view        Snapshot -> screen
//!            export      Snapshot -> bytes
//! ```

pub mod aggregate;
pub mod detect;
pub mod engine;
pub mod microsoft;
pub mod record;
pub mod view;
