//! Writing behind: what cuts commit waits in memory, the newest value of each key, until a thread of its own writes it
//! to the store below in one sorted batch. A key that is in every cut costs the disk one write a second instead of
//! ten, and no commit waits for a disk. Readers see what waits. A crash loses it together with its mark: the next
//! start replays that second from the changelog.

mod rows;
#[cfg(test)]
mod tests;
mod writer;

use super::*;
use rows::Waiting;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread::JoinHandle;
use writer::Writer;

/// Stores that are written behind.
pub(crate) struct BehindStores {
    below: Arc<dyn Stores>,
    /// What is open, or is closed and has rows that wait.
    open: Mutex<HashMap<(String, u32), Weak<Behind>>>,
    writer: Arc<Writer>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl BehindStores {
    pub(crate) fn new(below: Arc<dyn Stores>) -> std::io::Result<Self> {
        let writer = Arc::new(Writer::default());
        let run = writer.clone();
        let thread = std::thread::Builder::new().name("faust-store".into());
        let thread = Mutex::new(Some(thread.spawn(move || run.run())?));
        Ok(Self { below, open: Mutex::default(), writer, thread })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<(String, u32), Weak<Behind>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stores for BehindStores {
    fn open(&self, table: &str, partition: u32) -> Result<Arc<dyn Store>, StoreError> {
        let mut open = self.open();
        let place = (table.to_string(), partition);
        // One that was closed may have rows that wait: it goes on where it was.
        if let Some(known) = open.get(&place).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let below = self.below.open(table, partition)?;
        let waiting = Waiting { mark: below.mark()?, ..Waiting::default() };
        let behind = Arc::new_cyclic(|this| Behind {
            this: this.clone(),
            name: format!("{table}/{partition}"),
            rows: AtomicU64::new(below.len()),
            below,
            waiting: RwLock::new(waiting),
            flushing: Mutex::default(),
            writer: self.writer.clone(),
        });
        open.retain(|_, known| known.strong_count() > 0);
        open.insert(place, Arc::downgrade(&behind));
        Ok(behind)
    }

    fn set_aside(&self, table: &str, partition: u32) -> Result<(), StoreError> {
        let known = self.open().remove(&(table.to_string(), partition));
        if let Some(known) = known.and_then(|known| known.upgrade()) {
            known.discard();
        }
        self.below.set_aside(table, partition)
    }

    fn partitions(&self, table: &str) -> BTreeSet<u32> {
        self.below.partitions(table)
    }

    fn close(&self) {
        {
            let mut orders = self.writer.lock();
            orders.closed = true;
            self.writer.changed.notify_all();
            self.writer.room.notify_all();
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It has said itself what failed.
            let _ = thread.join();
        }
    }
}

impl Drop for BehindStores {
    fn drop(&mut self) {
        self.close();
    }
}

/// One store that is written behind.
struct Behind {
    this: Weak<Self>,
    /// What it is called, for messages.
    name: String,
    below: Arc<dyn Store>,
    waiting: RwLock<Waiting>,
    /// Held while rows are written below.
    flushing: Mutex<()>,
    rows: AtomicU64,
    writer: Arc<Writer>,
}

impl Behind {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Waiting> {
        self.waiting.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> std::sync::RwLockWriteGuard<'_, Waiting> {
        self.waiting.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what waits to the store below. If that fails it goes on waiting.
    fn flush(&self) -> Result<(), StoreError> {
        let _one = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, mark) = {
            let mut waiting = self.change();
            let (true, Some(mark)) = (waiting.rows.some, waiting.mark.clone()) else {
                return Ok(());
            };
            let taken = Arc::new(std::mem::take(&mut waiting.rows));
            waiting.flushing = Some(taken.clone());
            (taken, mark)
        };
        let mut rows: Vec<_> =
            taken.rows.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        // Neighbours in the order of keys are neighbours in memory and on disk.
        rows.sort_unstable_by_key(|(key, _)| *key);
        let batch = StoreBatch { rows, added: taken.added, remove_below: None };
        // A store that panics must not take with it what waits, or its next mark would stand for rows that it lacks.
        let written = catch_unwind(AssertUnwindSafe(|| self.below.write(&batch, &mark)));
        let written = written.unwrap_or_else(|_| {
            let cause = "it panicked while rows were written".into();
            Err(StoreError::Damaged { path: self.name.clone(), cause })
        });
        drop(batch);
        let mut waiting = self.change();
        waiting.flushing = None;
        waiting.failed = written.is_err();
        if written.is_err() {
            waiting.take_back(taken);
        } else {
            drop(waiting);
            self.writer.written(taken.bytes);
        }
        written
    }

    /// Writes to the store below at once, after what waits.
    fn through(
        &self,
        mark: &Mark,
        write: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.flush()?;
        write()?;
        self.change().mark = Some(mark.clone());
        self.rows.store(self.below.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Forgets what waits: the store is set aside.
    fn discard(&self) {
        let _one = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = std::mem::take(&mut self.change().rows);
        self.writer.written(dropped.bytes);
    }
}

impl Store for Behind {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if let Some(waiting) = self.read().get(key) {
            return Ok(waiting.map(Bytes::copy_from_slice));
        }
        self.below.get(key)
    }

    fn scan(
        &self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let mut waiting = self.read().from(from).into_iter().peekable();
        let mut go_on = true;
        self.below.scan(from, &mut |key, value| {
            while go_on && let Some((k, v)) = waiting.next_if(|(k, _)| **k < *key) {
                go_on = v.is_none_or(|v| visit(&k, &v));
            }
            if go_on {
                go_on = match waiting.next_if(|(k, _)| **k == *key) {
                    Some((k, v)) => v.is_none_or(|v| visit(&k, &v)),
                    None => visit(key, value),
                };
            }
            go_on
        })?;
        while go_on && let Some((key, value)) = waiting.next() {
            go_on = value.is_none_or(|value| visit(&key, &value));
        }
        Ok(())
    }

    fn write(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError> {
        // What expires is found in the store below; a disk that has refused is asked again, for its reason; and when
        // the stores are closed nobody else would write.
        if batch.remove_below.is_some() || self.read().failed || self.writer.lock().closed {
            return self.through(mark, || self.below.write(batch, mark));
        }
        let (more, first) = {
            let mut waiting = self.change();
            let rows = &mut waiting.rows;
            let before = rows.bytes;
            for (key, value) in &batch.rows {
                rows.put(key, *value);
            }
            rows.added += batch.added;
            let first = !std::mem::replace(&mut rows.some, true);
            let more = rows.bytes - before;
            waiting.mark = Some(mark.clone());
            (more, first)
        };
        let count = self.rows.load(Ordering::Relaxed).saturating_add_signed(batch.added);
        self.rows.store(count, Ordering::Relaxed);
        self.writer.wait(more, first.then(|| self.this.upgrade()).flatten());
        Ok(())
    }

    fn load(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError> {
        self.through(mark, || self.below.load(batch, mark))
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        Ok(self.read().mark.clone())
    }

    fn len(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}
