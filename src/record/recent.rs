//! What a log tells in several lines, kept until the last of them, in bounded memory.

use std::collections::HashMap;

/// How much memory something takes, about.
pub(crate) trait Weight {
    /// Bytes beyond its own size.
    fn bytes(&self) -> usize;
}

/// Values by key. When the young ones have grown to half the limit they become the old ones, and those are forgotten;
/// what is asked for is young again.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    young: HashMap<Box<[u8]>, T>,
    old: HashMap<Box<[u8]>, T>,
    /// Of the young ones.
    bytes: usize,
    limit: usize,
}

impl<T: Weight + Default> Recent<T> {
    /// Holds about `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), bytes: 0, limit }
    }

    /// The value of that key, if there is one.
    pub(crate) fn get(&mut self, key: &[u8]) -> Option<&mut T> {
        if !self.young.contains_key(key) {
            let (key, value) = self.old.remove_entry(key)?;
            self.put(key, value);
        }
        self.young.get_mut(key)
    }

    /// The value of that key, to which `more` bytes are about to be added.
    pub(crate) fn entry(&mut self, key: &[u8], more: usize) -> &mut T {
        if self.get(key).is_none() {
            self.put(key.into(), T::default());
        }
        self.bytes += more;
        self.young.entry(key.into()).or_default()
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<T> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    fn put(&mut self, key: Box<[u8]>, value: T) {
        if self.bytes > self.limit / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += key.len() + value.bytes() + size_of::<(Box<[u8]>, T)>();
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weight for Vec<u8> {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

    #[test]
    fn the_newest_stay_and_the_memory_is_bounded() {
        let mut recent: Recent<Vec<u8>> = Recent::new(100_000);
        for number in 0..10_000u32 {
            recent.entry(&number.to_le_bytes(), 100).extend([1; 100]);
            // Asked for again and again, the first is never old.
            assert!(recent.get(&0u32.to_le_bytes()).is_some());
            assert!(recent.young.len() + recent.old.len() < 1000);
        }
        assert!(recent.get(&9_999u32.to_le_bytes()).is_some());
        assert!(recent.get(&5u32.to_le_bytes()).is_none());
        assert_eq!(recent.remove(&9_999u32.to_le_bytes()).map(|value| value.len()), Some(100));
        assert!(recent.get(&9_999u32.to_le_bytes()).is_none());
    }
}
