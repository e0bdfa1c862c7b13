//! Items numbered in the order in which they come, each kept once.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Finds the number of an item of a list by its key, which stands in the list alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    ids: HashTable<u32>,
    state: RandomState,
}

impl Numbers {
    /// The number of the item with this one's key; this one is pushed if there is none. `key`: of an item of the list, which
    /// nobody else changes.
    #[inline]
    pub(super) fn number<T, K: Hash + Eq>(
        &mut self,
        list: &mut Vec<T>,
        item: T,
        key: impl Fn(&T) -> &K,
    ) -> u32 {
        let Self { ids, state } = self;
        let same = |at: &u32| key(&list[*at as usize]) == key(&item);
        let entry =
            ids.entry(state.hash_one(key(&item)), same, |at| state.hash_one(key(&list[*at as usize])));
        *entry
            .or_insert_with(|| {
                push_lean(list, item);
                (list.len() - 1) as u32
            })
            .get()
    }
}

/// Twice as much room, as a vector makes by itself, would be far more than is needed in the end.
pub(super) fn push_lean<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 1024);
    }
    list.push(item);
}
