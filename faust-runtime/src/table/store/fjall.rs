//! Rows on disk, in fjall: one database a worker, one keyspace for each partition of each table. A keyspace is made
//! with its first row: that takes a dozen writes to the disk, one after the other for all of them.
//! Batches are journaled but not synced: safe against a process crash, and the changelog has the rest.

use super::disk::{self, MARK, ROW, damaged, io, row_key};
use super::*;
use ::fjall::{Database, Error, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode};
use std::io::ErrorKind::{AlreadyExists, InvalidData, NotFound, UnexpectedEof};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The stores of one worker in one folder.
pub(crate) struct FjallStores {
    database: Database,
    path: PathBuf,
}

impl FjallStores {
    /// Opens the folder. One that is damaged is renamed, said so, and made anew: changelogs have everything.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let database = disk::open_or_set_aside(path, open_database)?;
        Ok(Self { database, path: path.into() })
    }

    fn generation(&self, table: &str, partition: u32) -> Option<u32> {
        let names = self.database.list_keyspace_names();
        disk::generation(names.iter().map(AsRef::as_ref), table, partition)
    }
}

/// How much one keyspace, and how much all together, may keep in memory before it is written out; fjall's own limits,
/// 64 and 512 MiB, are for databases that have a machine to themselves.
const MEMTABLE: u64 = 16 << 20;
const JOURNALS: u64 = 128 << 20;

/// So many rows are loaded from two pieces of memory, instead of from three for each row.
const AT_ONCE: usize = 32;

/// Opens a keyspace, or makes it.
fn keyspace(database: &Database, path: &Path, name: &str) -> Result<Keyspace, StoreError> {
    let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE);
    let opened = database.keyspace(name, options);
    opened.map_err(|error| failed(path, error))
}

/// fjall panics at some torn journals (3.1, after a full disk): that is damage like any other.
fn open_database(path: &Path) -> Result<Database, StoreError> {
    match catch_unwind(|| Database::builder(path).max_journaling_size(JOURNALS).open()) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) if is_damage(&error) => Err(damaged(path, &error)),
        Ok(Err(error)) => Err(io(path, &error)),
        Err(_) => Err(damaged(path, &"its journal cannot be read")),
    }
}

/// Files that say something wrong, rather than a disk that refuses. One that is missing or ends too soon is damage too,
/// and one that is there already: what is left of a database that a full disk kept from being made.
fn is_damage(error: &Error) -> bool {
    match error {
        Error::Io(error) | Error::Storage(LsmError::Io(error)) => {
            matches!(error.kind(), NotFound | UnexpectedEof | InvalidData | AlreadyExists)
        }
        // After a write that failed.
        Error::Poisoned | Error::Locked | Error::KeyspaceDeleted => false,
        _ => true,
    }
}

fn failed(path: &Path, error: Error) -> StoreError {
    match is_damage(&error) {
        true => disk::found(path, &error),
        false => io(path, &error),
    }
}

impl Stores for FjallStores {
    fn open(&self, table: &str, partition: u32) -> Result<Arc<dyn Store>, StoreError> {
        let n = self.generation(table, partition);
        let store = FjallStore {
            database: self.database.clone(),
            name: disk::name(table, partition, n.unwrap_or(0)),
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
        let names = self.database.list_keyspace_names();
        let mut known = disk::generations(names.iter().map(AsRef::as_ref), table, partition);
        let n = known.pop();
        let open = |n| keyspace(&self.database, &self.path, &disk::name(table, partition, n));
        open(n.map_or(0, |n| n + 1))?;
        // What was set aside before is of no use beside it.
        for older in known {
            tracing::info!(table, partition, "deleting the store that was set aside before");
            let deleted = self.database.delete_keyspace(open(older)?);
            deleted.map_err(|error| failed(&self.path, error))?;
        }
        Ok(())
    }

    fn partitions(&self, table: &str) -> BTreeSet<u32> {
        let names = self.database.list_keyspace_names();
        disk::partitions(names.iter().map(AsRef::as_ref), table)
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

impl FjallStore {
    fn keyspace(&self) -> Result<&Keyspace, StoreError> {
        if let Some(keyspace) = self.keyspace.get() {
            return Ok(keyspace);
        }
        let made = keyspace(&self.database, &self.path, &self.name)?;
        Ok(self.keyspace.get_or_init(|| made))
    }

    fn failed(&self, error: Error) -> StoreError {
        failed(&self.path, error)
    }
}

impl Store for FjallStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let Some(keyspace) = self.keyspace.get() else { return Ok(None) };
        let value = keyspace.get(row_key(key)).map_err(|error| self.failed(error))?;
        Ok(value.map(Bytes::from))
    }

    fn scan(
        &self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let Some(keyspace) = self.keyspace.get() else { return Ok(()) };
        for row in keyspace.range(row_key(from)..) {
            let (key, value) = row.into_inner().map_err(|error| self.failed(error))?;
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
                let key = row.key().map_err(|error| self.failed(error))?;
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
        write.insert(keyspace, MARK, disk::encode(&mark, &self.path)?);
        write.commit().map_err(|error| self.failed(error))?;
        self.rows.store(mark.rows, Ordering::Relaxed);
        Ok(())
    }

    /// Straight into files, past the journal.
    fn load(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError> {
        let failed = |error| self.failed(error);
        let mark = mark.after(self.rows.load(Ordering::Relaxed), batch.added);
        let mut files = self.keyspace()?.start_ingestion().map_err(failed)?;
        files.write(&MARK[..], disk::encode(&mark, &self.path)?).map_err(failed)?;
        for rows in batch.rows.chunks(AT_ONCE) {
            let keys: Vec<_> = rows.iter().flat_map(|(key, _)| [&[ROW], *key]).collect();
            let values: Vec<_> = rows.iter().filter_map(|(_, value)| *value).collect();
            let (mut keys, mut values) = (Bytes::from(keys.concat()), Bytes::from(values.concat()));
            for (key, value) in rows {
                let key = keys.split_to(1 + key.len());
                match value {
                    Some(value) => files.write(key, values.split_to(value.len())),
                    None => files.write_tombstone(key),
                }
                .map_err(failed)?;
            }
        }
        files.finish().map_err(failed)?;
        self.rows.store(mark.rows, Ordering::Relaxed);
        Ok(())
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let Some(keyspace) = self.keyspace.get() else { return Ok(None) };
        let text = keyspace.get(MARK).map_err(|error| self.failed(error))?;
        text.map(|text| disk::decode(&text, &self.path)).transpose()
    }

    fn len(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}
