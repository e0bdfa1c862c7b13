//! Trials -> onsets and clears. Knows neither files nor screens nor names: ids in, ids out.

mod onset;

pub use onset::{Backoff, Basis, Family, FirstLine, Onset, OnsetStatus, Reading, Spread, Takeover, Tally};
