//! How far the inputs are read, in the time of the logs: nothing older is expected to follow.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A file's lines may be out of order by so many seconds.
const DISORDER: i64 = 600;
/// The same for a live file, before more was seen of it.
const SLACK: i64 = 2;
/// The most that a live file with steps back in time holds the others up.
const MOST_SLACK: i64 = 120;
/// A file that has made no such step for so long is in order again.
const CALM: Duration = Duration::from_secs(20);
/// Nothing new for so long: the file is read to its end.
const QUIET: Duration = Duration::from_secs(2);
/// A stamp further in the future than this is a mistake, and waits.
const FUTURE: i64 = 86_400;

/// The frontiers of all inputs.
#[derive(Default)]
pub struct Frontier {
    scan: Mutex<Scan>,
    live: Mutex<Vec<Live>>,
}

#[derive(Default)]
struct Scan {
    /// By piece of work: nothing older will come from it.
    pieces: Vec<i64>,
    /// The scan ends before anything later is taken.
    most: i64,
}

/// A file that is followed.
#[derive(Clone, Debug)]
struct Live {
    newest: i64,
    slack: i64,
    /// When it was last seen to step back so far.
    stepped: Option<Instant>,
    grew: Option<Instant>,
}

impl Frontier {
    /// For so many inputs.
    pub fn new(inputs: usize) -> Self {
        let live = Live { newest: i64::MIN, slack: SLACK, stepped: None, grew: None };
        Self { scan: Mutex::default(), live: Mutex::new(vec![live; inputs]) }
    }

    /// A scan begins: by piece, the first second in it. What is later than `most` waits until its end.
    pub fn begin(&self, pieces: Vec<i64>, most: i64) {
        *lock(&self.scan) = Scan { pieces, most };
    }

    /// A piece is read up to this second; `i64::MAX`: to its end.
    pub fn reached(&self, piece: usize, second: i64) {
        if let Some(reached) = lock(&self.scan).pieces.get_mut(piece) {
            *reached = second.max(*reached);
        }
    }

    /// The second up to which a scan has read all; `None` at its end.
    pub fn of_scan(&self) -> Option<i64> {
        let scan = lock(&self.scan);
        let least = scan.pieces.iter().copied().min().filter(|second| *second < i64::MAX);
        least.map(|second| second.saturating_sub(DISORDER).min(scan.most))
    }

    /// A live input has grown by lines from `first` to `last`.
    pub fn grew(&self, input: usize, first: i64, last: i64) {
        let live = &mut lock(&self.live)[input];
        if live.stepped.is_none_or(|stepped| stepped.elapsed() > CALM) {
            live.slack = SLACK;
        }
        // What is later still is not worth waiting for: it is put in its place afterwards.
        let back = live.newest.saturating_sub(first);
        if (live.slack..=MOST_SLACK).contains(&back) {
            live.slack = back;
            live.stepped = Some(Instant::now());
        }
        live.newest = live.newest.max(last);
        live.grew = Some(Instant::now());
    }

    /// The second up to which live inputs are read: those that were written to just now tell, others hold nobody up.
    /// `now`: Unix time.
    pub fn of_live(&self, now: i64) -> i64 {
        let live = lock(&self.live);
        let busy = live.iter().filter(|l| l.grew.is_some_and(|grew| grew.elapsed() < QUIET));
        let newest = busy.clone().map(|l| l.newest).max().unwrap_or(i64::MAX);
        let least = busy.map(|l| l.newest.saturating_sub(l.slack)).min().unwrap_or(i64::MAX);
        least.max(newest.saturating_sub(MOST_SLACK)).min(now.saturating_add(FUTURE))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is complete or not begun.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_takes_nothing_that_a_live_run_may_have_to_take_again() {
        let frontier = Frontier::new(2);
        // Another host's clock is a day ahead: that its file is read says nothing of this one's.
        frontier.begin(vec![10_000, 100_000], 8_000);
        frontier.reached(0, i64::MAX);
        assert_eq!(frontier.of_scan(), Some(8_000));
        frontier.begin(vec![10_000, 100_000], i64::MAX);
        assert_eq!(frontier.of_scan(), Some(10_000 - DISORDER));
        frontier.reached(0, i64::MAX);
        assert_eq!(frontier.of_scan(), Some(100_000 - DISORDER));
    }
}
