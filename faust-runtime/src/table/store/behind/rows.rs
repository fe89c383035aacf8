//! What waits to be written: the newest value of each key.

use super::Mark;
use std::collections::HashMap;
use std::sync::Arc;

/// What a waiting row costs beside its bytes.
const OVERHEAD: usize = 96;

#[derive(Default)]
pub(super) struct Waiting {
    pub(super) rows: Rows,
    /// What is being written now.
    pub(super) flushing: Option<Arc<Rows>>,
    /// The newest mark, whether it waits or not.
    pub(super) mark: Option<Mark>,
    /// The disk has refused.
    pub(super) failed: bool,
}

/// Rows that wait; a value of `None` removes.
#[derive(Clone, Default)]
pub(super) struct Rows {
    pub(super) rows: HashMap<Box<[u8]>, Option<Vec<u8>>, foldhash::fast::FixedState>,
    /// What the writer counts for them: it grows with a value and does not shrink, so that the two never differ.
    pub(super) bytes: usize,
    pub(super) added: i64,
    /// There is something to write: a mark at least.
    pub(super) some: bool,
}

impl Rows {
    pub(super) fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        let len = value.map_or(0, <[u8]>::len);
        match (self.rows.get_mut(key), value) {
            (Some(Some(known)), Some(value)) => {
                self.bytes += len.saturating_sub(known.len());
                known.clear();
                known.extend_from_slice(value);
            }
            (Some(known), value) => {
                self.bytes += len;
                *known = value.map(<[u8]>::to_vec);
            }
            (None, value) => {
                self.bytes += OVERHEAD + key.len() + len;
                self.rows.insert(key.into(), value.map(<[u8]>::to_vec));
            }
        }
    }
}

impl Waiting {
    /// A row that waits: `Some(None)` is one that is to be removed.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let found = self.rows.rows.get(key);
        let found = found.or_else(|| self.flushing.as_ref()?.rows.get(key));
        found.map(Option::as_deref)
    }

    /// All rows from this key on, in the order of keys.
    pub(super) fn from(&self, key: &[u8]) -> Vec<(Box<[u8]>, Option<Vec<u8>>)> {
        let older = self.flushing.iter().flat_map(|rows| &rows.rows);
        let older = older.filter(|(key, _)| !self.rows.rows.contains_key(&key[..]));
        let all = self.rows.rows.iter().chain(older).filter(|(known, _)| known[..] >= *key);
        let mut all: Vec<_> = all.map(|(key, value)| (key.clone(), value.clone())).collect();
        all.sort_unstable();
        all
    }

    /// A batch that failed waits again, below what has come since.
    pub(super) fn take_back(&mut self, failed: Arc<Rows>) {
        // Readers may hold it for a moment still.
        let failed = Arc::try_unwrap(failed).unwrap_or_else(|shared| shared.as_ref().clone());
        let newer = std::mem::replace(&mut self.rows, failed);
        self.rows.some = true;
        self.rows.added += newer.added;
        let bytes = self.rows.bytes + newer.bytes;
        for (key, value) in &newer.rows {
            self.rows.put(key, value.as_deref());
        }
        self.rows.bytes = bytes;
    }
}
