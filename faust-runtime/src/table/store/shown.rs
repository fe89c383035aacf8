//! A store as those see it who read outside of events: without the times of a table with `ttl`, and without the rows
//! that have outlived it and are not removed yet; of a table with `history`, the version that holds at a moment.

use super::*;
use crate::define::{STAMP, TableDef, lives, split};
use crate::time::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};

/// A table's stream time, for other threads.
pub(crate) type StreamTime = Arc<AtomicI64>;

/// The store as it is to be shown.
pub(crate) fn shown(def: &TableDef, store: Arc<dyn Store>, time: StreamTime) -> Arc<dyn Store> {
    match def.ttl {
        Some(_) => Arc::new(Shown { def: *def, store, time }),
        None if def.history.is_some() => Arc::new(Versions(store)),
        None => store,
    }
}

struct Shown {
    def: TableDef,
    store: Arc<dyn Store>,
    time: StreamTime,
}

impl Shown {
    fn value<'a>(&self, stored: &'a [u8]) -> Option<&'a [u8]> {
        let now = Timestamp::from_millis(self.time.load(Ordering::Relaxed));
        let (written, value) = split(stored);
        lives(&self.def, written, now).then_some(value)
    }
}

impl Store for Shown {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let stored = self.store.get(key)?;
        Ok(stored.and_then(|stored| self.value(&stored).map(|value| stored.slice_ref(value))))
    }

    fn scan(
        &self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.store.scan(from, &mut |key, stored| match self.value(stored) {
            Some(value) => visit(key, value),
            None => true,
        })
    }

    fn write(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError> {
        self.store.write(batch, mark)
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.store.mark()
    }

    fn len(&self) -> u64 {
        self.store.len()
    }
}

/// The key of a version that is asked for has the moment in it: what held then began there, or comes next.
struct Versions(Arc<dyn Store>);

impl Store for Versions {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let begin = key.get(..key.len().saturating_sub(STAMP)).unwrap_or_default();
        let mut found = None;
        self.0.scan(key, &mut |stored, value| {
            if stored.starts_with(begin) {
                found = Some(Bytes::copy_from_slice(value));
            }
            false
        })?;
        Ok(found)
    }

    fn scan(
        &self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.0.scan(from, visit)
    }

    fn write(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError> {
        self.0.write(batch, mark)
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.0.mark()
    }

    fn len(&self) -> u64 {
        self.0.len()
    }
}
