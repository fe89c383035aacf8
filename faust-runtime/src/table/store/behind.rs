//! Writing behind: what cuts commit waits in memory, the newest value of each key, until a thread of its own writes it
//! to the store below in one sorted batch. A key that is in every cut costs the disk one write a second instead of
//! ten, and no commit waits for a disk. Readers see what waits. A crash loses it together with its mark: the next
//! start replays that second from the changelog.

use super::*;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a row waits.
const DELAY: Duration = Duration::from_secs(1);
/// How much may wait in all stores of a worker before it is written at once; at twice as much commits wait.
const LIMIT: usize = 16 << 20;
/// What a waiting row costs beside its bytes.
const OVERHEAD: usize = 96;

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

/// The thread that writes, and what it shares with the stores.
#[derive(Default)]
struct Writer {
    orders: Mutex<Orders>,
    changed: Condvar,
    room: Condvar,
}

#[derive(Default)]
struct Orders {
    /// Stores with rows that wait, and when they are to be written.
    due: VecDeque<(Instant, Arc<Behind>)>,
    /// Bytes that wait in all stores.
    bytes: usize,
    /// No more orders come.
    closed: bool,
}

impl Writer {
    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes each store when its time has come, all of them when there is no room; at the end what is left.
    fn run(&self) {
        let mut orders = self.lock();
        loop {
            let now = Instant::now();
            let hurry = orders.closed || orders.bytes > LIMIT;
            match orders.due.front() {
                Some((at, _)) if hurry || *at <= now => {
                    let next = orders.due.pop_front();
                    drop(orders);
                    if let Some((_, store)) = next
                        && let Err(error) = store.flush()
                    {
                        // The next commit tries again, and fails with it.
                        tracing::error!(%error, "rows cannot be written");
                        self.room.notify_all();
                    }
                    orders = self.lock();
                }
                Some((at, _)) => {
                    let wait = *at - now;
                    let waited = self.changed.wait_timeout(orders, wait);
                    orders = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None if orders.closed => return,
                None => {
                    orders = self.changed.wait(orders).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// So many more bytes wait; `first`: the first of their store, which is to be written in a while.
    fn wait(&self, bytes: usize, first: Option<Arc<Behind>>) {
        let mut orders = self.lock();
        orders.bytes += bytes;
        if let Some(store) = first {
            orders.due.push_back((Instant::now() + DELAY, store));
            self.changed.notify_all();
        }
        if orders.bytes > LIMIT {
            self.changed.notify_all();
        }
        while orders.bytes > 2 * LIMIT && !orders.closed && !orders.due.is_empty() {
            orders = self.room.wait(orders).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn written(&self, bytes: usize) {
        let mut orders = self.lock();
        orders.bytes = orders.bytes.saturating_sub(bytes);
        self.room.notify_all();
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

#[derive(Default)]
struct Waiting {
    rows: Rows,
    /// What is being written now.
    flushing: Option<Arc<Rows>>,
    /// The newest mark, whether it waits or not.
    mark: Option<Mark>,
    /// The disk has refused.
    failed: bool,
}

/// Rows that wait; a value of `None` removes.
#[derive(Default)]
struct Rows {
    rows: HashMap<Box<[u8]>, Option<Vec<u8>>, foldhash::fast::FixedState>,
    /// What the writer counts for them: it grows with a value and does not shrink, so that the two never differ.
    bytes: usize,
    added: i64,
    /// There is something to write: a mark at least.
    some: bool,
}

impl Rows {
    fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
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
    fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let found = self.rows.rows.get(key);
        let found = found.or_else(|| self.flushing.as_ref()?.rows.get(key));
        found.map(Option::as_deref)
    }
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
            let newer = std::mem::replace(&mut waiting.rows, take_back(taken));
            waiting.rows.some = true;
            waiting.rows.added += newer.added;
            let bytes = waiting.rows.bytes + newer.bytes;
            for (key, value) in &newer.rows {
                waiting.rows.put(key, value.as_deref());
            }
            waiting.rows.bytes = bytes;
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

/// The rows of a batch that failed; readers may hold them for a moment still.
fn take_back(rows: Arc<Rows>) -> Rows {
    Arc::try_unwrap(rows).unwrap_or_else(|shared| Rows {
        rows: shared.rows.clone(),
        ..Rows { bytes: shared.bytes, added: shared.added, some: true, ..Rows::default() }
    })
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
        let mut waiting: Vec<(Box<[u8]>, Option<Vec<u8>>)> = Vec::new();
        {
            let now = self.read();
            let flushing = now.flushing.iter().flat_map(|rows| &rows.rows);
            let flushing = flushing.filter(|(key, _)| !now.rows.rows.contains_key(&key[..]));
            let all = now.rows.rows.iter().chain(flushing);
            waiting.extend(
                all.filter(|(key, _)| &key[..] >= from).map(|(k, v)| (k.clone(), v.clone())),
            );
        }
        waiting.sort_unstable();
        let mut waiting = waiting.into_iter().peekable();
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

#[cfg(test)]
mod tests {
    use super::super::memory::{Disk, MemoryStores};
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// A store that panics, or refuses, as long as it is told to.
    struct Broken {
        store: Arc<dyn Store>,
        panics: Arc<AtomicBool>,
    }

    struct BrokenStores(MemoryStores, Arc<AtomicBool>);

    impl Stores for BrokenStores {
        fn open(&self, table: &str, partition: u32) -> Result<Arc<dyn Store>, StoreError> {
            let store = self.0.open(table, partition)?;
            Ok(Arc::new(Broken { store, panics: self.1.clone() }))
        }

        fn set_aside(&self, table: &str, partition: u32) -> Result<(), StoreError> {
            self.0.set_aside(table, partition)
        }

        fn partitions(&self, table: &str) -> BTreeSet<u32> {
            self.0.partitions(table)
        }
    }

    impl Store for Broken {
        fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
            self.store.get(key)
        }

        fn scan(
            &self,
            from: &[u8],
            visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
        ) -> Result<(), StoreError> {
            self.store.scan(from, visit)
        }

        fn write(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError> {
            assert!(!self.panics.load(Ordering::Relaxed), "told to");
            self.store.write(batch, mark)
        }

        fn mark(&self) -> Result<Option<Mark>, StoreError> {
            self.store.mark()
        }

        fn len(&self) -> u64 {
            self.store.len()
        }
    }

    fn write(store: &dyn Store, key: &str, value: &str, added: i64) -> Result<(), StoreError> {
        let rows = vec![(key.as_bytes(), Some(value.as_bytes()))];
        store.write(&StoreBatch { rows, added, remove_below: None }, &Mark::default())
    }

    fn flush(stores: &BehindStores) {
        let open: Vec<_> = stores.open().values().filter_map(Weak::upgrade).collect();
        for store in open {
            let _ = store.flush();
        }
    }

    #[test]
    fn rows_on_which_the_store_has_panicked_wait_until_it_takes_them() {
        let (disk, panics) = (Disk::default(), Arc::new(AtomicBool::new(true)));
        let below = BrokenStores(MemoryStores::new(disk.clone()), panics.clone());
        let stores = BehindStores::new(Arc::new(below)).unwrap();
        let store = Stores::open(&stores, "t", 0).unwrap();
        write(&*store, "a", "1", 1).unwrap();
        flush(&stores);
        assert_eq!(store.get(b"a").unwrap().as_deref(), Some(&b"1"[..]), "still there to be read");
        let refused = write(&*store, "b", "1", 1).unwrap_err().to_string();
        assert!(refused.contains("t/0") && refused.contains("panicked"), "{refused}");
        panics.store(false, Ordering::Relaxed);
        write(&*store, "b", "1", 1).unwrap();
        drop((store, stores));
        let on_disk = MemoryStores::new(disk).open("t", 0).unwrap();
        assert_eq!((on_disk.len(), on_disk.get(b"a").unwrap().is_some()), (2, true));
    }

    #[test]
    fn what_is_counted_as_waiting_is_nothing_once_all_is_written() {
        let below = Arc::new(MemoryStores::new(Disk::default()));
        let stores = BehindStores::new(below).unwrap();
        let store = Stores::open(&stores, "t", 0).unwrap();
        for value in ["12345", "1", "1234567", "", "12"] {
            write(&*store, "a", value, 0).unwrap();
            let gone = vec![(&b"a"[..], None)];
            store
                .write(&StoreBatch { rows: gone, ..StoreBatch::default() }, &Mark::default())
                .unwrap();
        }
        assert!(stores.writer.lock().bytes > 0);
        flush(&stores);
        assert_eq!(stores.writer.lock().bytes, 0);
    }
}
