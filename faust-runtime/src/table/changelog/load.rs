//! From batches of a changelog into a store: collected until they are worth a write, sorted, the newest value of a key.

use crate::kafka::{Batch, Offset};
use crate::table::store::{Mark, Store, StoreBatch, StoreError};
use std::cmp::Reverse;
use std::sync::Arc;

/// Fewer are written like those of a cut: files of their own are not worth it.
const FEW: usize = 256 << 10;

/// What was read and is not written.
pub(super) struct Loader {
    store: Arc<dyn Store>,
    batches: Vec<Batch>,
    bytes: usize,
    /// The offset that it reaches.
    at: Offset,
}

/// A record: the first bytes of its key, by which most comparisons are decided, its key, its place, its value.
type Entry<'m> = (u64, &'m [u8], usize, Option<&'m [u8]>);

impl Loader {
    pub(super) fn new(store: Arc<dyn Store>, at: Offset) -> Self {
        Self { store, batches: Vec::new(), bytes: 0, at }
    }

    /// Where reading stands.
    pub(super) fn at(&self) -> Offset {
        self.at
    }

    /// Takes what was read.
    pub(super) fn take(&mut self, batch: Batch) {
        self.at = batch.reaches().unwrap_or(self.at).max(self.at);
        if batch.messages.len() > 0 {
            self.bytes += batch.messages.bytes() + batch.messages.len() * size_of::<Entry<'_>>();
            self.batches.push(batch);
        }
    }

    /// Whether there are any records.
    pub(super) fn has_records(&self) -> bool {
        !self.batches.is_empty()
    }

    /// How many bytes it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes it all, and the mark with it; how many records there were.
    pub(super) fn write(&mut self, mark: &mut Mark) -> Result<u64, StoreError> {
        mark.changelog = mark.changelog.max(self.at);
        let mut entries: Vec<Entry<'_>> = Vec::new();
        let mut count = 0;
        for batch in &self.batches {
            for index in 0..batch.messages.len() {
                let Some(message) = batch.messages.get(index) else { break };
                count += 1;
                if let Some(key) = message.key {
                    entries.push((prefix(key), key, entries.len(), message.value));
                }
            }
        }
        entries.sort_unstable_by_key(|(prefix, key, place, _)| (*prefix, *key, Reverse(*place)));
        entries.dedup_by_key(|(_, key, ..)| *key);
        let mut rows = Vec::with_capacity(entries.len());
        let mut added = 0;
        // Nothing has to be looked up or removed in a store that is empty.
        let empty = self.store.len() == 0;
        for (_, key, _, value) in entries {
            let known = !empty && self.store.get(key)?.is_some();
            added += i64::from(value.is_some()) - i64::from(known);
            if known || value.is_some() {
                rows.push((key, value));
            }
        }
        let batch = StoreBatch { rows, added, remove_below: None };
        match self.bytes {
            0..FEW => self.store.write(&batch, mark)?,
            _ => self.store.load(&batch, mark)?,
        }
        self.batches.clear();
        self.bytes = 0;
        Ok(count)
    }
}

/// The first eight bytes of a key, in its order.
fn prefix(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}
