//! Rows on disk, in RocksDB (cargo feature `rocksdb`): one database a worker, one column family for each partition of
//! each table. So there is one journal to write, one memory budget and one bound on open files however many partitions
//! there are, and a partition that comes or goes opens and closes no file: a worker's start has opened them all. A
//! database for each partition would multiply all of that. A column family is made with its first row.
//! Batches are journaled but not synced: safe against a process crash, and the changelog has the rest.

use super::disk::{self, MARK, ROW, damaged, io, row_key};
use super::*;
use ::rocksdb::{
    BlockBasedOptions, BoundColumnFamily, Cache, CompactionPri, DBCompactionStyle,
    DBCompressionType, DBRawIteratorWithThreadMode, DBWithThreadMode, Error, ErrorKind,
    MultiThreaded, Options, ReadOptions, WriteBatch, WriteBufferManager,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

type Database = DBWithThreadMode<MultiThreaded>;

/// What the blocks in memory, their filters and indexes, and the rows that are not in a file yet take together.
const MEMORY: usize = 128 << 20;
/// How much of it rows that are not in a file may take: of all stores, and of one.
const MEMTABLES: usize = MEMORY / 2;
const MEMTABLE: usize = 16 << 20;
/// Memtables grow in pieces of this size: hundreds of partitions with a few rows each fit into the budget.
const ARENA: usize = 64 << 10;
/// How long the journal may grow before the stores that hold its beginning are written to files.
const JOURNAL: u64 = 128 << 20;
/// Half of what most systems allow a process, which has sockets as well.
const OPEN_FILES: i32 = 512;
/// RocksDB's own, of which zstd takes no notice.
const WINDOW_BITS: i32 = -14;

fn options() -> Options {
    let cache = Cache::new_lru_cache(MEMORY);
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&cache);
    blocks.set_block_size(16 << 10);
    // Filters and indexes count against the budget too. Those of the newest files are asked about every row.
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // A new key is looked for once in vain: one lookup in a hundred reads a block for it.
    blocks.set_bloom_filter(10.0, false);
    blocks.set_optimize_filters_for_memory(true);

    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&blocks);
    let memtables =
        WriteBufferManager::new_write_buffer_manager_with_cache(MEMTABLES, false, cache);
    options.set_write_buffer_manager(&memtables);
    options.set_write_buffer_size(MEMTABLE);
    options.set_arena_block_size(ARENA);
    options.set_max_total_wal_size(JOURNAL);
    options.set_max_open_files(OPEN_FILES);
    // Levels: a row that the cache has not is on the path of a record, and levels read the fewest files for it. What
    // they write more than other styles is little here, since only the newest value of a second arrives.
    options.set_compaction_style(DBCompactionStyle::Level);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_compaction_pri(CompactionPri::MinOverlappingRatio);
    // Fast where files live for minutes, small where nine tenths of the rows are. By zstd for both: it is in the program
    // for Kafka's sake, whereas a second lz4 would meet librdkafka's own at the linker.
    options.set_compression_type(DBCompressionType::Zstd);
    options.set_compression_options(WINDOW_BITS, 1, 0, 0);
    options.set_bottommost_compression_type(DBCompressionType::Zstd);
    options.set_bottommost_compression_options(WINDOW_BITS, 3, 0, 0, true);
    options.set_bytes_per_sync(1 << 20);
    options.set_skip_stats_update_on_db_open(true);
    // Its own log is in the folder, and short.
    options.set_max_log_file_size(4 << 20);
    options.set_keep_log_file_num(2);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// The stores of one worker in one folder.
pub(crate) struct RocksStores(Arc<Opened>);

struct Opened {
    database: Database,
    /// Of a column family that is made later.
    options: Options,
    /// The column families that there are.
    names: Mutex<BTreeSet<String>>,
    path: PathBuf,
}

impl RocksStores {
    /// Opens the folder. One that is damaged is renamed, said so, and made anew: changelogs have everything.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        disk::open_or_set_aside(path, Opened::new).map(|opened| Self(Arc::new(opened)))
    }
}

impl Opened {
    fn new(path: &Path) -> Result<Self, StoreError> {
        let options = options();
        // What it does not understand is damage as well: the options are the same at every start.
        let failed = |error: Error| match error.kind() {
            ErrorKind::IOError if !is_damage(&error) => io(path, &error),
            _ => damaged(path, &error),
        };
        let names = match path.join("CURRENT").exists() {
            true => Database::list_cf(&options, path).map_err(failed)?,
            false => Vec::new(),
        };
        let families = names.iter().map(|name| (name, options.clone()));
        let database = Database::open_cf_with_opts(&options, path, families).map_err(failed)?;
        let names = Mutex::new(names.into_iter().collect());
        Ok(Self { database, options, names, path: path.into() })
    }

    fn names(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn generation(&self, table: &str, partition: u32) -> Option<u32> {
        disk::generation(self.names().iter().map(String::as_str), table, partition)
    }

    /// A column family, made if need be.
    fn family(&self, name: &str) -> Result<Arc<BoundColumnFamily<'_>>, StoreError> {
        if let Some(family) = self.database.cf_handle(name) {
            return Ok(family);
        }
        let mut names = self.names();
        if !names.contains(name) {
            let made = self.database.create_cf(name, &self.options);
            made.map_err(|error| self.failed(error))?;
            names.insert(name.into());
        }
        let family = self.database.cf_handle(name);
        family.ok_or_else(|| io(&self.path, &format!("the column family {name} was dropped")))
    }

    fn failed(&self, error: Error) -> StoreError {
        match is_damage(&error) {
            true => disk::found(&self.path, &error),
            false => io(&self.path, &error),
        }
    }
}

/// Files that say something wrong, rather than a disk that refuses. One that is missing is damage too.
fn is_damage(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Corruption => true,
        ErrorKind::IOError => error.as_ref().contains("No such file"),
        _ => false,
    }
}

impl Stores for RocksStores {
    fn open(&self, table: &str, partition: u32) -> Result<Arc<dyn Store>, StoreError> {
        let n = self.0.generation(table, partition).unwrap_or(0);
        let name = disk::name(table, partition, n);
        let store = RocksStore { opened: self.0.clone(), name, rows: AtomicU64::new(0) };
        store.rows.store(store.mark()?.map_or(0, |mark| mark.rows), Ordering::Relaxed);
        Ok(Arc::new(store))
    }

    fn set_aside(&self, table: &str, partition: u32) -> Result<(), StoreError> {
        let known = self.0.names().clone();
        let mut known = disk::generations(known.iter().map(String::as_str), table, partition);
        let n = known.pop().map_or(0, |n| n + 1);
        self.0.family(&disk::name(table, partition, n))?;
        // What was set aside before is of no use beside it.
        for older in known {
            tracing::info!(table, partition, "deleting the store that was set aside before");
            let name = disk::name(table, partition, older);
            self.0.database.drop_cf(&name).map_err(|error| self.0.failed(error))?;
            self.0.names().remove(&name);
        }
        Ok(())
    }

    fn partitions(&self, table: &str) -> BTreeSet<u32> {
        disk::partitions(self.0.names().iter().map(String::as_str), table)
    }
}

struct RocksStore {
    opened: Arc<Opened>,
    name: String,
    rows: AtomicU64,
}

type Rows<'a> = DBRawIteratorWithThreadMode<'a, Database>;

impl RocksStore {
    /// None before the first row.
    fn family(&self) -> Option<Arc<BoundColumnFamily<'_>>> {
        self.opened.database.cf_handle(&self.name)
    }

    fn value(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let Some(family) = self.family() else { return Ok(None) };
        let value = self.opened.database.get_pinned_cf(&family, key);
        let value = value.map_err(|error| self.opened.failed(error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Walks over rows, the first at `from`, until there are no more or `visit` returns false.
    fn walk(
        &self,
        from: &[u8],
        options: ReadOptions,
        mut visit: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let Some(family) = self.family() else { return Ok(()) };
        let mut rows: Rows<'_> = self.opened.database.raw_iterator_cf_opt(&family, options);
        rows.seek(from);
        while let Some((key, value)) = rows.item() {
            let Some((_, key)) = key.split_first() else { break };
            if !visit(key, value) {
                return Ok(());
            }
            rows.next();
        }
        // An iterator ends at an error as it does at the last row.
        rows.status().map_err(|error| self.opened.failed(error))
    }

    fn count_below(&self, below: &[u8]) -> Result<i64, StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(below);
        let mut count = 0;
        self.walk(&[ROW], options, |_, _| {
            count += 1;
            true
        })?;
        Ok(count)
    }
}

impl Store for RocksStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.value(&row_key(key))
    }

    fn scan(
        &self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.walk(&row_key(from), ReadOptions::default(), visit)
    }

    fn write(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError> {
        let family = self.opened.family(&self.name)?;
        let mut write = WriteBatch::default();
        let mut added = batch.added;
        if let Some(below) = batch.remove_below {
            let below = row_key(below);
            let count = self.count_below(&below)?;
            if count > 0 {
                write.delete_range_cf(&family, vec![ROW], below);
                added -= count;
            }
        }
        for (key, value) in &batch.rows {
            match value {
                Some(value) => write.put_cf(&family, row_key(key), value),
                None => write.delete_cf(&family, row_key(key)),
            }
        }
        let mark = mark.after(self.rows.load(Ordering::Relaxed), added);
        write.put_cf(&family, MARK, disk::encode(&mark, &self.opened.path)?);
        self.opened.database.write(write).map_err(|error| self.opened.failed(error))?;
        self.rows.store(mark.rows, Ordering::Relaxed);
        Ok(())
    }

    fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let text = self.value(&MARK)?;
        text.map(|text| disk::decode(&text, &self.opened.path)).transpose()
    }

    fn len(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}
