//! The chart's second face: which forest refused when. A spreading block is seen as a staircase.

use super::layout::Plot;
use crate::aggregate::{Bucket, DatacenterRow, Snapshot};

/// Row numbers of the snapshot's datacenters by their first refusal; behind them those that refused nothing, and last the
/// attempts of which no forest is known.
pub(super) fn order(snapshot: &Snapshot) -> Vec<u32> {
    let first =
        |row: &DatacenterRow| row.buckets.iter().find(|(_, b)| b.blocked > 0).map_or(i64::MAX, |b| b.0);
    let mut order: Vec<u32> = (0..snapshot.datacenters.len() as u32).collect();
    order.sort_by_cached_key(|&i| {
        let row = &snapshot.datacenters[i as usize];
        (row.forest.is_none(), first(row), i)
    });
    order
}

/// Sums of a forest's buckets in the bars of the plot.
pub(super) fn bars(plot: &Plot, row: &DatacenterRow) -> Vec<Bucket> {
    let mut bars = vec![Bucket::default(); plot.bars];
    for (at, bucket) in &row.buckets {
        let bar = (at - plot.start).div_euclid(plot.width_s.max(1));
        if let Some(bar) = usize::try_from(bar).ok().and_then(|b| bars.get_mut(b)) {
            bar.add(bucket);
        }
    }
    bars
}

/// What a cell of the map shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Untried,
    Accepted,
    /// Nothing blocked, but most of it deferred.
    Deferred,
    /// The share that is blocked: under a tenth, under a half, under nine tenths, more.
    Blocked(usize),
}

/// The level of a bar.
pub(super) fn level(bucket: &Bucket) -> Level {
    let (total, blocked) = (bucket.total(), bucket.blocked);
    match (total, blocked) {
        (0, _) => Level::Untried,
        (_, 0) if bucket.deferred * 2 >= total => Level::Deferred,
        (_, 0) => Level::Accepted,
        _ if blocked * 10 < total => Level::Blocked(0),
        _ if blocked * 2 < total => Level::Blocked(1),
        _ if blocked * 10 < total * 9 => Level::Blocked(2),
        _ => Level::Blocked(3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(forest: Option<&str>, buckets: &[(i64, u64, u64)]) -> DatacenterRow {
        let bucket = |&(at, delivered, blocked)| (at, Bucket { delivered, blocked, ..Bucket::default() });
        DatacenterRow {
            forest: forest.map(Into::into),
            region: None,
            sites: vec![],
            counts: Default::default(),
            learned: 0,
            trend: Default::default(),
            buckets: buckets.iter().map(bucket).collect(),
        }
    }

    #[test]
    fn the_forest_that_refused_first_stands_first() {
        let datacenters = vec![
            row(None, &[(0, 5, 1)]),
            row(Some("quiet"), &[(0, 9, 0)]),
            row(Some("later"), &[(0, 9, 0), (60, 1, 5)]),
            row(Some("first"), &[(0, 1, 1)]),
        ];
        let snapshot = Snapshot { datacenters, ..Snapshot::default() };
        assert_eq!(order(&snapshot), [3, 2, 1, 0]);
    }

    #[test]
    fn levels_are_shares() {
        let of = |delivered, deferred, blocked| level(&Bucket { delivered, deferred, blocked, bounced: 0 });
        assert_eq!(of(0, 0, 0), Level::Untried);
        assert_eq!(of(9, 3, 0), Level::Accepted);
        assert_eq!(of(1, 3, 0), Level::Deferred);
        assert_eq!(
            [of(91, 0, 9), of(9, 0, 1), of(1, 0, 1), of(1, 0, 9)].map(|l| match l {
                Level::Blocked(n) => n,
                _ => usize::MAX,
            }),
            [0, 1, 2, 3]
        );
    }
}
