//! The summary and the onsets as JSON.

use serde::Serialize;

use crate::aggregate::Snapshot;
use crate::detect::{Onset, OnsetStatus};

#[derive(Serialize)]
struct Onsets<'s> {
    schema: &'static str,
    onsets: &'s [Onset],
}

/// A change in the life of an event: all fields of the onset, with what happened and when.
#[derive(Serialize)]
struct Change<'s> {
    kind: &'static str,
    at: crate::record::Time,
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

/// One line for each onset and each clear, by time and id.
pub fn onset_changes(onsets: &[Onset]) -> String {
    let mut changes: Vec<Change<'_>> = Vec::new();
    for onset in onsets {
        changes.push(Change { kind: "onset", at: onset.decided_at, onset });
        if let (OnsetStatus::Cleared, Some(at)) = (onset.status, onset.cleared_at) {
            changes.push(Change { kind: "clear", at, onset });
        }
    }
    changes.sort_by(|a, b| (a.at, &a.onset.id).cmp(&(b.at, &b.onset.id)));
    changes.iter().map(|change| line(change)).collect()
}

/// One change as a line, with its end.
pub fn onset_change(kind: &'static str, at: crate::record::Time, onset: &Onset) -> String {
    line(&Change { kind, at, onset })
}

fn line(change: &Change<'_>) -> String {
    // Plain strings and numbers: there is nothing that JSON cannot hold.
    serde_json::to_string(change).unwrap_or_default() + "\n"
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
