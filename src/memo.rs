//! What was made of some bytes, remembered for when they come again: most of a log repeats what stands near.

/// A value for each of the last few keys of at most `WORDS` times eight bytes, of which there are at most `SLOTS`. One that falls on another's slot takes its
/// place, so that a look costs one comparison and nothing has to be thrown out.
#[derive(Debug)]
pub struct Memo<T, const WORDS: usize = 12, const SLOTS: usize = 256> {
    slots: Vec<Slot<T, WORDS>>,
}

/// The key stands in the slot itself: a look goes to one place in memory.
#[derive(Clone, Debug)]
struct Slot<T, const WORDS: usize> {
    length: usize,
    words: [u64; WORDS],
    /// The last eight bytes of the key, of which the words may hold some too.
    last: u64,
    value: Option<T>,
}

impl<T: Clone, const WORDS: usize, const SLOTS: usize> Default for Memo<T, WORDS, SLOTS> {
    fn default() -> Self {
        Self { slots: vec![Slot { length: 0, words: [0; WORDS], last: 0, value: None }; SLOTS] }
    }
}

impl<T: Clone, const WORDS: usize, const SLOTS: usize> Memo<T, WORDS, SLOTS> {
    /// The value for these bytes; `make` makes it where it is not at hand.
    #[inline]
    pub fn get(&mut self, key: &[u8], make: impl FnOnce() -> T) -> T {
        if let Some(value) = self.known(key) {
            return value;
        }
        let value = make();
        self.set(key, value.clone());
        value
    }

    /// The value for these bytes, where it is at hand.
    #[inline]
    pub fn known(&self, key: &[u8]) -> Option<T> {
        let (words, last) = split(key);
        let slot = &self.slots[mixed(key.len(), words, last) % SLOTS];
        let pairs = words.iter().zip(&slot.words);
        let differs = pairs.fold(slot.last ^ last, |differs, (a, b)| differs | (u64::from_le_bytes(*a) ^ b));
        slot.value.as_ref().filter(|_| slot.length == key.len() && differs == 0).cloned()
    }

    /// Remembers the value for these bytes, unless they are too many.
    pub fn set(&mut self, key: &[u8], value: T) {
        let (words, last) = split(key);
        if words.len() > WORDS {
            return;
        }
        let slot = &mut self.slots[mixed(key.len(), words, last) % SLOTS];
        for (kept, word) in slot.words.iter_mut().zip(words) {
            *kept = u64::from_le_bytes(*word);
        }
        (slot.length, slot.last, slot.value) = (key.len(), last, Some(value));
    }
}

/// The whole words of a key, and its last eight bytes or all of fewer.
#[inline]
fn split(key: &[u8]) -> (&[[u8; 8]], u64) {
    let (words, rest) = key.as_chunks();
    let last = match key.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    (words, last)
}

/// By all bytes: names of one kind are alike at both ends.
#[inline]
fn mixed(length: usize, words: &[[u8; 8]], last: u64) -> usize {
    let mix = |mixed: u64, word: u64| (mixed ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    words.fold(mix(length as u64, last), mix) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_never_taken_for_another_ones() {
        let mut memo = Memo::<usize, 2>::default();
        let key = |n: u32| n.to_string().repeat(n as usize % 4);
        let mut made = 0;
        for n in (0..5000).flat_map(|n| [n, n]) {
            let text = key(n);
            let value = memo.get(text.as_bytes(), || {
                made += 1;
                text.len()
            });
            assert_eq!(value, text.len());
        }
        assert!(made <= 5000, "{made}");
    }
}
