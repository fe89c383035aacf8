//! A range of keys, for stores that know the order of encoded keys only.

use crate::codec::{Key, KeyRef};
use crate::define::Row;
use crate::table::in_order;
use std::cmp::Ordering;
use std::ops::{Bound, RangeBounds};

/// The bounds of a range of a table's keys.
pub(super) struct Bounds<T: Row> {
    start: Bound<T::Key>,
    end: Bound<T::Key>,
}

impl<T: Row<Key: Ord>> Bounds<T> {
    pub(super) fn of<Q: KeyRef<T::Key>>(range: impl RangeBounds<Q>) -> Self {
        let bound = |bound: Bound<&Q>| bound.map(KeyRef::to_key);
        Self { start: bound(range.start_bound()), end: bound(range.end_bound()) }
    }

    /// The encoded key to begin with.
    pub(super) fn first(&self) -> crate::Result<Vec<u8>> {
        let mut first = Vec::new();
        if let Bound::Included(key) | Bound::Excluded(key) = &self.start
            && in_order::<T>()
        {
            key.encode(&mut first)?;
        }
        Ok(first)
    }

    /// Whether a key is before, in, or behind it.
    pub(super) fn place(&self, key: &T::Key) -> Ordering {
        let before = match &self.start {
            Bound::Included(first) => key < first,
            Bound::Excluded(first) => key <= first,
            Bound::Unbounded => false,
        };
        let behind = match &self.end {
            Bound::Included(last) => key > last,
            Bound::Excluded(last) => key >= last,
            Bound::Unbounded => false,
        };
        behind.cmp(&before)
    }

    /// Rows in the order of their encoded keys, in that of their keys.
    pub(super) fn sorted<V>(&self, mut rows: Vec<(T::Key, V)>) -> Vec<(T::Key, V)> {
        if !in_order::<T>() {
            rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        rows
    }
}
