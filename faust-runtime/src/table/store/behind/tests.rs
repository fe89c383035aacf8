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
        store.write(&StoreBatch { rows: gone, ..StoreBatch::default() }, &Mark::default()).unwrap();
    }
    assert!(stores.writer.lock().bytes > 0);
    flush(&stores);
    assert_eq!(stores.writer.lock().bytes, 0);
}
