//! What every store does; what those on disk do when the disk fails them; and what writing behind adds.

use super::behind::BehindStores;
use super::fjall::FjallStores;
use super::memory::{Disk, MemoryStores};
#[cfg(feature = "rocksdb")]
use super::rocksdb::RocksStores;
use super::*;
use std::path::Path;

/// Makes a test of each behaviour on each kind of stores.
macro_rules! on_each {
    ($behaviours:tt $($(#[$cfg:meta])? $kind:ident = $open:ident;)+) => {
        $($(#[$cfg])? mod $kind { on_each! { $open $behaviours } })+
    };
    ($open:ident { $($behaviour:ident,)+ }) => {
        $(#[test]
        fn $behaviour() {
            super::$behaviour(super::$open);
        })+
    };
}

mod every;
mod format;
mod on_disk;
mod waiting;

/// Opens one kind of stores in a folder; of those in memory the [`Disk`] stays.
type Open = fn(&Path, &Disk) -> Result<Arc<dyn Stores>, StoreError>;

const MEMORY: Open = |_, disk| Ok(Arc::new(MemoryStores::new(disk.clone())));
const FJALL: Open = |folder, _| Ok(Arc::new(FjallStores::open(&folder.join("stores"))?));
#[cfg(feature = "rocksdb")]
const ROCKSDB: Open = |folder, _| Ok(Arc::new(RocksStores::open(&folder.join("stores"))?));
const BEHIND: Open = |_, disk| Ok(behind(Arc::new(MemoryStores::new(disk.clone()))));

/// Stores that can be closed and opened again.
struct Place {
    open: Open,
    folder: tempfile::TempDir,
    disk: Disk,
}

impl Place {
    fn new(open: Open) -> Self {
        Self { open, folder: tempfile::tempdir().unwrap(), disk: Disk::default() }
    }

    fn open(&self) -> Arc<dyn Stores> {
        (self.open)(self.folder.path(), &self.disk).unwrap()
    }

    /// Its stores, and one of them.
    fn one(&self) -> (Arc<dyn Stores>, Arc<dyn Store>) {
        let stores = self.open();
        let store = stores.open("t", 0).unwrap();
        (stores, store)
    }
}

fn behind(below: Arc<dyn Stores>) -> Arc<dyn Stores> {
    Arc::new(BehindStores::new(below).unwrap())
}

fn mark(changelog: Offset) -> Mark {
    Mark { owner: "app".into(), changelog, ..Mark::default() }
}

fn put<'a>(rows: &[(&'a str, Option<&'a str>)], added: i64) -> StoreBatch<'a> {
    let rows = rows.iter().map(|(k, v)| (k.as_bytes(), v.map(str::as_bytes))).collect();
    StoreBatch { rows, added, remove_below: None }
}

fn rows(store: &dyn Store, from: &[u8]) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    store
        .scan(from, &mut |key, value| {
            rows.push((text(key), text(value)));
            true
        })
        .unwrap();
    rows
}

fn keys(store: &dyn Store) -> Vec<String> {
    rows(store, b"").into_iter().map(|(key, _)| key).collect()
}

/// The offset in the changelog that a store is at.
fn at(store: &dyn Store) -> Option<Offset> {
    store.mark().unwrap().map(|mark| mark.changelog)
}
