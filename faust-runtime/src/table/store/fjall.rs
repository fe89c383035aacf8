//! Rows on disk, in fjall: one database a worker, one keyspace for each partition of each table, named
//! `table/partition@n`. Of several n the highest counts; a store that is set aside stays under its own. A keyspace is made
//! with its first row: that takes a dozen writes to the disk, one after the other for all of them.
//! Batches are journaled but not synced: safe against a process crash, and the changelog has the rest.

use super::*;
use ::fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The keyspace of the mark sorts before every row.
const MARK: [u8; 1] = [0];
const ROW: u8 = 1;

/// The stores of one worker in one folder.
pub(crate) struct FjallStores {
    database: Database,
    path: PathBuf,
}

impl FjallStores {
    /// Opens the folder. One that is damaged is renamed, said so, and made anew: changelogs have everything.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let database = match open_database(path) {
            Ok(database) => database,
            Err(Opening::Disk(error)) => return Err(error),
            Err(Opening::Damaged(cause)) => {
                let stamp = crate::time::Timestamp::wall().as_millis();
                let aside = path.with_extension(format!("damaged-{stamp}"));
                tracing::error!(
                    path = %path.display(), aside = %aside.display(), cause,
                    "the stores are damaged: they are set aside and rebuilt from their changelogs"
                );
                std::fs::rename(path, &aside).map_err(|error| io(path, &error))?;
                open_database(path).map_err(|error| match error {
                    Opening::Disk(error) => error,
                    Opening::Damaged(cause) => io(path, &cause),
                })?
            }
        };
        Ok(Self { database, path: path.into() })
    }

    /// The partitions of a table that have a store here.
    pub(crate) fn partitions(&self, table: &str) -> BTreeSet<u32> {
        let prefix = format!("{table}/");
        let names = self.database.list_keyspace_names();
        let of_table = names.iter().filter_map(|name| name.strip_prefix(&prefix));
        of_table.filter_map(|name| name.split_once('@')?.0.parse().ok()).collect()
    }

    /// The highest n of a store's keyspaces.
    fn generation(&self, table: &str, partition: u32) -> Option<u32> {
        let prefix = format!("{table}/{partition}@");
        let names = self.database.list_keyspace_names();
        names.iter().filter_map(|name| name.strip_prefix(&prefix)?.parse().ok()).max()
    }
}

fn name(table: &str, partition: u32, n: u32) -> String {
    format!("{table}/{partition}@{n}")
}

/// How much one keyspace, and how much all together, may keep in memory before it is written out; fjall's own limits,
/// 64 and 512 MiB, are for databases that have a machine to themselves.
const MEMTABLE: u64 = 16 << 20;
const JOURNALS: u64 = 128 << 20;

/// Opens a keyspace, or makes it.
fn keyspace(database: &Database, path: &Path, name: &str) -> Result<Keyspace, StoreError> {
    let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE);
    let opened = database.keyspace(name, options);
    opened.map_err(|error| io(path, &error))
}

/// Why a database does not open.
enum Opening {
    Disk(StoreError),
    Damaged(String),
}

/// fjall panics at some torn journals (3.1, after a full disk): that is damage like any other.
fn open_database(path: &Path) -> Result<Database, Opening> {
    match catch_unwind(|| Database::builder(path).max_journaling_size(JOURNALS).open()) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(::fjall::Error::Io(error))) => Err(Opening::Disk(io(path, &error))),
        Ok(Err(error)) => Err(Opening::Damaged(error.to_string())),
        Err(_) => Err(Opening::Damaged("its journal cannot be read".into())),
    }
}

fn io(path: &Path, cause: &dyn std::fmt::Display) -> StoreError {
    StoreError::Io { path: path.display().to_string(), cause: cause.to_string() }
}

impl Stores for FjallStores {
    fn open(&self, table: &str, partition: u32) -> Result<Arc<dyn Store>, StoreError> {
        let n = self.generation(table, partition);
        let store = FjallStore {
            database: self.database.clone(),
            name: name(table, partition, n.unwrap_or(0)),
            keyspace: OnceLock::new(),
            path: self.path.clone(),
            rows: AtomicU64::new(0),
        };
        if n.is_some() {
            store.keyspace()?;
        }
        store.rows.store(store.mark()?.map_or(0, |mark| mark.rows), Ordering::Relaxed);
        Ok(Arc::new(store))
    }

    fn set_aside(&self, table: &str, partition: u32) -> Result<(), StoreError> {
        let n = self.generation(table, partition).map_or(0, |n| n + 1);
        keyspace(&self.database, &self.path, &name(table, partition, n)).map(|_| ())
    }
}

struct FjallStore {
    database: Database,
    name: String,
    /// None before the first row.
    keyspace: OnceLock<Keyspace>,
    path: PathBuf,
    rows: AtomicU64,
}

fn row_key(key: &[u8]) -> Vec<u8> {
    let mut prefixed = Vec::with_capacity(1 + key.len());
    prefixed.push(ROW);
    prefixed.extend_from_slice(key);
    prefixed
}

impl FjallStore {
    fn keyspace(&self) -> Result<&Keyspace, StoreError> {
        if let Some(keyspace) = self.keyspace.get() {
            return Ok(keyspace);
        }
        let made = keyspace(&self.database, &self.path, &self.name)?;
        Ok(self.keyspace.get_or_init(|| made))
    }

    fn io(&self, error: ::fjall::Error) -> StoreError {
        io(&self.path, &error)
    }
}

impl Store for FjallStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let Some(keyspace) = self.keyspace.get() else { return Ok(None) };
        let value = keyspace.get(row_key(key)).map_err(|error| self.io(error))?;
        Ok(value.map(Bytes::from))
    }

    fn scan(
        &self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let Some(keyspace) = self.keyspace.get() else { return Ok(()) };
        for row in keyspace.range(row_key(from)..) {
            let (key, value) = row.into_inner().map_err(|error| self.io(error))?;
            let Some((_, key)) = key.split_first() else { continue };
            if !visit(key, &value) {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError> {
        let keyspace = self.keyspace()?;
        let mut write = self.database.batch().durability(Some(PersistMode::Buffer));
        let mut added = batch.added;
        if let Some(below) = batch.remove_below {
            for row in keyspace.range(vec![ROW]..row_key(below)) {
                let key = row.key().map_err(|error| self.io(error))?;
                write.remove(keyspace, key);
                added -= 1;
            }
        }
        for (key, value) in &batch.rows {
            match value {
                Some(value) => write.insert(keyspace, row_key(key), *value),
                None => write.remove(keyspace, row_key(key)),
            }
        }
        let mark = mark.after(self.rows.load(Ordering::Relaxed), added);
        let text = serde_json::to_vec(&mark).map_err(|error| io(&self.path, &error))?;
        write.insert(keyspace, MARK, text);
        write.commit().map_err(|error| self.io(error))?;
        self.rows.store(mark.rows, Ordering::Relaxed);
        Ok(())
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let Some(keyspace) = self.keyspace.get() else { return Ok(None) };
        let Some(text) = keyspace.get(MARK).map_err(|error| self.io(error))? else {
            return Ok(None);
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| StoreError::Damaged {
            path: self.path.display().to_string(),
            cause: error.to_string(),
        })
    }

    fn len(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}
