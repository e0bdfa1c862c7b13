//! What was made of some bytes, remembered for when they come again: most of a log repeats what stands near.

/// Slots; a power of two.
const SLOTS: usize = 256;

/// A value for each of the last few keys. One that falls on another's slot takes its place, so that a look costs one
/// comparison and nothing has to be thrown out.
#[derive(Debug)]
pub struct Memo<T> {
    slots: Vec<Slot<T>>,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    key: Vec<u8>,
    value: Option<T>,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| Slot { key: Vec::new(), value: None }).collect() }
    }
}

impl<T: Clone> Memo<T> {
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
        let slot = &self.slots[slot_of(key)];
        slot.value.as_ref().filter(|_| slot.key == key).cloned()
    }

    /// Remembers the value for these bytes.
    pub fn set(&mut self, key: &[u8], value: T) {
        let slot = &mut self.slots[slot_of(key)];
        slot.key.clear();
        slot.key.extend_from_slice(key);
        slot.value = Some(value);
    }
}

/// By all bytes: names of one kind are alike at both ends. The last words may share some.
#[inline]
fn slot_of(key: &[u8]) -> usize {
    let (words, rest) = key.as_chunks();
    let last = match key.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let mix = |mixed: u64, word: u64| (mixed ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    words.fold(mix(key.len() as u64, last), mix) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_never_taken_for_another_ones() {
        let mut memo = Memo::default();
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
