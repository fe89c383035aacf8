//! Which row a key has. Hashes are kept beside, so that rows need not be looked at, whose cache lines are waited for:
//! not to grow, and not to guess.

use hashbrown::HashTable;

/// Rows by the hashes of their keys.
#[derive(Default)]
pub(crate) struct ByKey(HashTable<Known>);

struct Known {
    hash: u32,
    row: u32,
}

/// As many bits of a hash as are kept: less than half of them decide in which group of the table a key is.
const fn kept(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// What the table goes by: its first bits and its last ones.
fn spread(kept: u32) -> u64 {
    u64::from(kept) << 32 | u64::from(kept)
}

impl ByKey {
    /// The row with this hash that is the one.
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let kept = kept(hash);
        let known = self.0.find(spread(kept), |known| known.hash == kept && is(known.row));
        known.map(|known| known.row)
    }

    /// The row that has this hash, most likely.
    pub(crate) fn guess(&self, hash: u64) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Adds a row whose key has none.
    pub(crate) fn insert(&mut self, hash: u64, row: u32) {
        let hash = kept(hash);
        self.0.insert_unique(spread(hash), Known { hash, row }, |known| spread(known.hash));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn remove(&mut self, hash: u64, row: u32) {
        if let Ok(entry) = self.0.find_entry(spread(kept(hash)), |known| known.row == row) {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_whose_keys_share_a_hash_are_told_apart() {
        let mut rows = ByKey::default();
        for row in 0..100 {
            rows.insert(7 << 32, row);
        }
        assert_eq!(rows.find(7 << 32, |row| row == 42), Some(42));
        assert!(rows.guess(7 << 32).is_some_and(|row| row < 100));
        rows.remove(7 << 32, 42);
        assert_eq!(rows.find(7 << 32, |row| row == 42), None);
        assert_eq!(rows.find(7 << 32, |row| row == 41), Some(41));
        assert_eq!(rows.guess(8 << 32), None);
    }
}
