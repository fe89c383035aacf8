//! Which keys cannot be in a store, so that they need not be looked up there.

use foldhash::fast::FixedState;
use std::hash::BuildHasher;

/// A Bloom filter of the keys that were written since the store was empty.
#[derive(Default)]
pub(super) struct Seen {
    /// Two bits a key, in one word; without any, every key may be there.
    words: Box<[u64]>,
}

/// Sixteen bits a key: one in thirty that is new is looked up.
const KEYS_IN_WORD: usize = 4;
/// For larger tables more and more is looked up.
const MOST: usize = (4 << 20) / size_of::<u64>();

impl Seen {
    /// Nothing was written yet, of at most so many keys.
    pub(super) fn none_of(keys: usize) -> Self {
        let words = (keys / KEYS_IN_WORD + 1).min(MOST);
        Self { words: vec![0; words].into() }
    }

    /// Whether a key may have been written before; now it is.
    pub(super) fn note(&mut self, key: &[u8]) -> bool {
        let hash = FixedState::default().hash_one(key);
        let bits = 1 << (hash & 63) | 1 << (hash >> 6 & 63);
        let place = ((hash >> 32) as usize * self.words.len()) >> 32;
        let Some(word) = self.words.get_mut(place) else { return true };
        let known = *word & bits == bits;
        *word |= bits;
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_and_hardly_anything_else() {
        let mut seen = Seen::none_of(20_000);
        let new = (0..20_000u32).filter(|key| !seen.note(&key.to_be_bytes())).count();
        assert!(new > 19_000, "only {new} are new");
        assert!((0..20_000u32).all(|key| seen.note(&key.to_be_bytes())));
    }

    #[test]
    fn where_nothing_was_noted_anything_may_be_there() {
        assert!(Seen::default().note(b"a"));
    }

    #[test]
    fn a_large_table_does_not_take_more_memory() {
        assert_eq!(Seen::none_of(usize::MAX).words.len(), MOST);
    }
}
