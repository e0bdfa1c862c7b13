//! The summary and the onsets as JSON.

use serde::Serialize;

use crate::aggregate::Snapshot;
use crate::detect::{ChangeKind, Onset, OnsetChange};
use crate::record::Time;

#[derive(Serialize)]
struct Onsets<'s> {
    schema: &'static str,
    onsets: &'s [Onset],
}

/// A change in the life of an event: all fields of the onset, with what happened and when.
#[derive(Serialize)]
struct Line<'s> {
    kind: &'static str,
    at: Time,
    #[serde(flatten)]
    onset: &'s Onset,
}

/// `eopwatch.summary/1`
pub fn summary(snapshot: &Snapshot) -> String {
    pretty(snapshot)
}

/// `eopwatch.onsets/1`
pub fn onsets(snapshot: &Snapshot) -> String {
    pretty(&Onsets { schema: "eopwatch.onsets/1", onsets: &snapshot.onsets })
}

/// One line, with its end.
pub fn onset_change(change: &OnsetChange) -> String {
    onset_line(kind_name(change.kind), change.at, &change.onset)
}

/// The name in the contract.
pub fn kind_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Onset => "onset",
        ChangeKind::Scope => "scope",
        ChangeKind::Clear => "clear",
    }
}

/// The same for what only a live run tells (`revised`, `withdrawn`).
pub fn onset_line(kind: &'static str, at: Time, onset: &Onset) -> String {
    // Plain strings and numbers: there is nothing that JSON cannot hold.
    serde_json::to_string(&Line { kind, at, onset }).unwrap_or_default() + "\n"
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
