//! The stores of a worker, of the kind that the settings name.

use crate::app::StoreKind;
use crate::table::store::behind::BehindStores;
use crate::table::store::fjall::FjallStores;
use crate::table::store::memory::{Disk, MemoryStores};
#[cfg(feature = "rocksdb")]
use crate::table::store::rocksdb::RocksStores;
use crate::table::store::{StoreError, Stores};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Those of a worker that runs, in the folder of its place.
pub(super) async fn of_worker(kind: StoreKind, place: &Path) -> crate::Result<Arc<dyn Stores>> {
    let Some((folder, open)) = on_disk(kind, place) else {
        return Ok(Arc::new(MemoryStores::new(Disk::default())));
    };
    // Reading its journal back may take a moment.
    let disk = spawn_blocking(move || open(&folder)).await??;
    Ok(Arc::new(BehindStores::new(disk)?))
}

/// Those that a worker which has gone has left, if any.
pub(super) fn left(kind: StoreKind, place: &Path) -> crate::Result<Option<Arc<dyn Stores>>> {
    match on_disk(kind, place) {
        Some((folder, open)) if folder.is_dir() => Ok(Some(open(&folder)?)),
        _ => Ok(None),
    }
}

/// Those of a place in which no worker runs, made if need be, to be written at once.
pub(super) fn to_fill(kind: StoreKind, place: &Path) -> crate::Result<Option<Arc<dyn Stores>>> {
    let opened = on_disk(kind, place).map(|(folder, open)| open(&folder));
    Ok(opened.transpose()?)
}

type Open = fn(&Path) -> Result<Arc<dyn Stores>, StoreError>;

/// Each kind has a folder of its own: neither reads the other's files.
fn on_disk(kind: StoreKind, place: &Path) -> Option<(PathBuf, Open)> {
    let (folder, open): (_, Open) = match kind {
        StoreKind::Fjall => ("stores", |folder| Ok(Arc::new(FjallStores::open(folder)?))),
        #[cfg(feature = "rocksdb")]
        StoreKind::RocksDb => ("rocksdb", |folder| Ok(Arc::new(RocksStores::open(folder)?))),
        StoreKind::Memory => return None,
    };
    Some((place.join(folder), open))
}
