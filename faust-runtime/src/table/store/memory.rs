//! Rows in memory: gone with the process, unless somebody keeps the [`Disk`], as the simulator does.

use super::*;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, PoisonError, RwLock};

/// What a worker's stores leave behind.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<HashMap<(String, u32), Arc<MemoryStore>>>>);

/// The stores of one worker on a [`Disk`]. `gate` is asked before each write: false and it has no effect.
pub(crate) struct MemoryStores {
    disk: Disk,
    gate: Gate,
}

/// Says whether a write may happen: the simulator's kill.
pub(crate) type Gate = Arc<dyn Fn(&'static str) -> bool + Send + Sync>;

impl MemoryStores {
    pub(crate) fn new(disk: Disk) -> Self {
        Self::gated(disk, Arc::new(|_| true))
    }

    pub(crate) fn gated(disk: Disk, gate: Gate) -> Self {
        Self { disk, gate }
    }
}

impl Stores for MemoryStores {
    fn open(&self, table: &str, partition: u32) -> Result<Arc<dyn Store>, StoreError> {
        let mut disk = self.disk.0.lock().unwrap_or_else(PoisonError::into_inner);
        let store = disk.entry((table.into(), partition)).or_default().clone();
        Ok(Arc::new(Gated { store, gate: self.gate.clone() }))
    }

    fn set_aside(&self, table: &str, partition: u32) -> Result<(), StoreError> {
        let mut disk = self.disk.0.lock().unwrap_or_else(PoisonError::into_inner);
        disk.remove(&(table.to_string(), partition));
        Ok(())
    }

    fn partitions(&self, table: &str) -> BTreeSet<u32> {
        let disk = self.disk.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_table = disk.keys().filter(|(name, _)| name == table);
        of_table.map(|(_, partition)| *partition).collect()
    }
}

/// One partition of a table.
#[derive(Default)]
pub(crate) struct MemoryStore(RwLock<Rows>);

#[derive(Default)]
struct Rows {
    rows: BTreeMap<Bytes, Bytes>,
    mark: Option<Mark>,
}

struct Gated {
    store: Arc<MemoryStore>,
    gate: Gate,
}

impl Store for Gated {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let inner = self.store.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(inner.rows.get(key).cloned())
    }

    fn scan(
        &self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let inner = self.store.0.read().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in inner.rows.range::<[u8], _>((Bound::Included(from), Bound::Unbounded)) {
            if !visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError> {
        if !(self.gate)("store batch") {
            return Ok(());
        }
        let mut inner = self.store.0.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in &batch.rows {
            match value {
                Some(value) => {
                    inner.rows.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
                }
                None => {
                    inner.rows.remove(*key);
                }
            }
        }
        if let Some(below) = batch.remove_below {
            inner.rows = inner.rows.split_off(below);
        }
        inner.mark = Some(mark.clone());
        Ok(())
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        Ok(self.store.0.read().unwrap_or_else(PoisonError::into_inner).mark.clone())
    }

    fn len(&self) -> u64 {
        self.store.0.read().unwrap_or_else(PoisonError::into_inner).rows.len() as u64
    }
}
