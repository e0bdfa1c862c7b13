//! All lines of a list, newest first: sorted blocks that are shared between its versions, so that a list which grows is
//! published at the cost of what is new.

use std::ops::Range;
use std::sync::Arc;

use super::mark::Mark;

/// Marks in a block, half a megabyte; a block has at least a quarter of them, but for the last.
const BLOCK: usize = 1 << 15;

/// The lines of a list, newest first. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct LineIndex {
    blocks: Arc<Vec<Block>>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Block {
    /// Row of its first line.
    start: usize,
    /// Newest first; never empty.
    marks: Arc<[Mark]>,
    refusals: usize,
}

impl Block {
    fn first(&self) -> Mark {
        self.marks[0]
    }

    fn last(&self) -> Mark {
        self.marks[self.marks.len() - 1]
    }
}

impl LineIndex {
    /// How many lines are listed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The line in this row, the newest being in row 0.
    pub fn get(&self, row: usize) -> Option<Mark> {
        let block = self.block(row)?;
        block.marks.get(row - block.start).copied()
    }

    fn block(&self, row: usize) -> Option<&Block> {
        self.blocks[..self.blocks.partition_point(|block| block.start <= row)].last()
    }

    /// The row of a line; where it is not listed, the row that it would have.
    pub fn row_of(&self, mark: Mark) -> Result<usize, usize> {
        let Some(block) = self.blocks.get(self.blocks.partition_point(|block| block.last() > mark)) else {
            return Err(self.len);
        };
        match block.marks.binary_search_by(|other| mark.cmp(other)) {
            Ok(at) => Ok(block.start + at),
            Err(at) => Err(block.start + at),
        }
    }

    /// The lines in these rows.
    pub fn rows(&self, rows: Range<usize>) -> impl Iterator<Item = Mark> + '_ {
        let first = self.blocks.partition_point(|block| block.start + block.marks.len() <= rows.start);
        let skipped = self.blocks.get(first).map_or(0, |block| rows.start.saturating_sub(block.start));
        let blocks = self.blocks.get(first..).unwrap_or_default();
        blocks.iter().flat_map(|block| block.marks.iter().copied()).skip(skipped).take(rows.len())
    }

    /// The nearest refusal below a row, or above it.
    pub fn refusal_from(&self, row: usize, down: bool) -> Option<usize> {
        let of = |block: &Block, rows: Range<usize>| {
            let part = &block.marks[rows.start - block.start..rows.end - block.start];
            let hit = if down {
                part.iter().position(|mark| mark.is_refusal())
            } else {
                part.iter().rposition(|mark| mark.is_refusal())
            };
            hit.map(|at| rows.start + at)
        };
        let wanted = if down { row + 1..self.len } else { 0..row.min(self.len) };
        let in_block = |block: &Block| {
            let start = block.start.max(wanted.start);
            let end = (block.start + block.marks.len()).min(wanted.end);
            if start < end && block.refusals > 0 { of(block, start..end) } else { None }
        };
        if down { self.blocks.iter().find_map(in_block) } else { self.blocks.iter().rev().find_map(in_block) }
    }

    /// Adds lines, in any order; beyond `most` the oldest ones go.
    pub fn add(&mut self, mut new: Vec<Mark>, most: usize) {
        // Each reader gives rising runs: a stable sort finds them.
        new.sort_by(|a, b| b.cmp(a));
        let (Some(&newest), Some(&oldest)) = (new.first(), new.last()) else { return };
        let from = self.blocks.partition_point(|block| block.last() > newest);
        let to = self.blocks.partition_point(|block| block.first() >= oldest).max(from);
        let mut blocks = Blocks { done: self.blocks[..from].to_vec(), open: Vec::new() };
        let mut new = &new[..];
        for block in &self.blocks[from..to] {
            let before = new.partition_point(|mark| *mark > block.first());
            blocks.open.extend_from_slice(&new[..before]);
            new = &new[before..];
            let inside = new.partition_point(|mark| *mark > block.last());
            blocks.merge(block, &new[..inside]);
            new = &new[inside..];
        }
        blocks.open.extend_from_slice(new);
        for block in &self.blocks[to..] {
            blocks.merge(block, &[]);
        }
        blocks.close();
        let mut done = blocks.done;
        let mut start = 0;
        for block in &mut done {
            block.start = start;
            start += block.marks.len();
        }
        while let Some(last) = done.last_mut().filter(|_| start > most) {
            let keep = last.marks.len().saturating_sub(start - most);
            start -= last.marks.len() - keep;
            if keep == 0 {
                done.pop();
            } else {
                *last = block(&last.marks[..keep]);
                last.start = start - keep;
            }
        }
        self.len = start;
        self.blocks = Arc::new(done);
    }
}

fn block(marks: &[Mark]) -> Block {
    let refusals = marks.iter().filter(|mark| mark.is_refusal()).count();
    Block { start: 0, marks: marks.into(), refusals }
}

/// Blocks in the making.
struct Blocks {
    done: Vec<Block>,
    /// What comes next, not yet in a block.
    open: Vec<Mark>,
}

impl Blocks {
    /// A block, and new marks between its first and its last.
    fn merge(&mut self, block: &Block, new: &[Mark]) {
        if new.is_empty() && (self.open.is_empty() || self.open.len() >= BLOCK / 4) {
            self.close();
            self.done.push(block.clone());
            return;
        }
        let mut rest = new;
        for mark in &*block.marks {
            let before = rest.partition_point(|new| new > mark);
            self.open.extend_from_slice(&rest[..before]);
            rest = &rest[before..];
            self.open.push(*mark);
        }
        self.open.extend_from_slice(rest);
        while self.open.len() >= 2 * BLOCK {
            self.done.push(self::block(&self.open[..BLOCK]));
            self.open.drain(..BLOCK);
        }
    }

    fn close(&mut self) {
        let parts = (self.open.len() / BLOCK).max(1);
        let size = self.open.len().div_ceil(parts).max(1);
        self.done.extend(self.open.chunks(size).map(block));
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::mark::Sighting;
    use super::*;
    use crate::record::Time;
    use proptest::prelude::*;

    fn mark(seconds: i64, place: u64) -> Mark {
        let is_refusal = place % 7 == 3;
        let time = Some(Time::from_seconds(seconds));
        Mark::of(&Sighting { time, file: 0, place, nth: 0, is_refusal, text: b"" }).expect("within bounds")
    }

    /// The rows by a sort of everything.
    fn check(index: &LineIndex, all: &[Mark], most: usize) {
        let mut all = all.to_vec();
        all.sort_by(|a, b| b.cmp(a));
        all.truncate(most);
        assert_eq!(index.len(), all.len());
        assert!(index.rows(0..usize::MAX).eq(all.iter().copied()));
        for (row, block) in index.blocks.iter().enumerate() {
            assert!(!block.marks.is_empty() && block.marks.len() <= 2 * BLOCK, "block {row}");
        }
        for row in (0..all.len()).step_by(all.len() / 50 + 1) {
            assert_eq!(index.get(row), Some(all[row]));
            assert_eq!(index.row_of(all[row]), Ok(row));
            assert!(index.rows(row..row + 3).eq(all[row..].iter().take(3).copied()));
            let down = (row + 1..all.len()).find(|i| all[*i].is_refusal());
            assert_eq!(index.refusal_from(row, true), down);
            let up = (0..row).rev().find(|i| all[*i].is_refusal());
            assert_eq!(index.refusal_from(row, false), up);
        }
        assert_eq!(index.get(all.len()), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn whatever_comes_in_whatever_order_is_listed_newest_first(
            runs in proptest::collection::vec((0i64..200_000, 1i64..4, 1usize..40_000), 1..8),
            most in 1000usize..200_000,
        ) {
            let (mut index, mut all) = (LineIndex::default(), Vec::new());
            let mut place = 0;
            for (from, step, count) in runs {
                let run: Vec<Mark> = (0..count as i64)
                    .map(|i| {
                        place += 1;
                        mark(from + i * step, place)
                    })
                    .collect();
                all.extend_from_slice(&run);
                index.add(run, most);
                // What was beyond the most before stays away.
                all.sort_by(|a, b| b.cmp(a));
                all.truncate(most);
            }
            check(&index, &all, most);
        }
    }

    #[test]
    fn what_is_new_at_the_top_leaves_the_rest_shared() {
        let mut index = LineIndex::default();
        index.add((0..10 * BLOCK as u64).map(|i| mark(i as i64, i)).collect(), usize::MAX);
        let before = index.clone();
        let mut all: Vec<Mark> = before.rows(0..usize::MAX).collect();
        for i in 0..50 {
            all.push(mark(1 << 30, i));
            index.add(vec![mark(1 << 30, i)], usize::MAX);
        }
        check(&index, &all, usize::MAX);
        let shared = |block: &Block| before.blocks.iter().any(|old| Arc::ptr_eq(&old.marks, &block.marks));
        assert!(index.blocks.iter().filter(|block| shared(block)).count() >= 9);
        assert_eq!(index.row_of(mark(i64::from(u32::MAX), 0)), Err(0));
        assert_eq!(index.row_of(mark(0, 0)), Ok(index.len() - 1));
        assert_eq!(LineIndex::default().row_of(mark(0, 0)), Err(0));
    }
}
