//! Where rows rest: one store for each partition of each table. A store holds committed rows only.

pub(crate) use shown::{StreamTime, shown};
pub(crate) use watched::{Changed, Feed, watched};

use crate::kafka::Offset;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) mod backup;
pub(crate) mod behind;
mod disk;
pub(crate) mod fjall;
pub(crate) mod memory;
#[cfg(feature = "rocksdb")]
pub(crate) mod rocksdb;
mod shown;
#[cfg(test)]
mod tests;
mod watched;

/// One partition of one table on disk or in memory. Read from any thread; written by one.
pub(crate) trait Store: Send + Sync {
    /// A row.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;
    /// Calls `visit` with the rows from `from` on, in the order of their keys, until it returns false.
    fn scan(
        &self,
        from: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError>;
    /// Writes rows and the mark in one batch: after a crash both are there or neither is.
    fn write(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError>;
    /// As [`write`](Self::write), for many rows at once, each key once and in their order: recovery.
    fn load(&self, batch: &StoreBatch<'_>, mark: &Mark) -> Result<(), StoreError> {
        self.write(batch, mark)
    }
    /// The mark of the last batch; `None` for a new store.
    fn mark(&self) -> Result<Option<Mark>, StoreError>;
    /// How many rows there are: a counter, not a scan.
    fn len(&self) -> u64;
}

/// What one cut changes in a store.
#[derive(Default)]
pub(crate) struct StoreBatch<'a> {
    /// Keys with their new values; `None` removes.
    pub(crate) rows: Vec<(&'a [u8], Option<&'a [u8]>)>,
    /// How many more rows there are with these changes.
    pub(crate) added: i64,
    /// Removes every row whose key is below this one: expired windows. None of `rows` is.
    pub(crate) remove_below: Option<&'a [u8]>,
}

/// How far a store is, and whose it is; written with every batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Mark {
    /// The format of this text, and of the rows beside it; 0 as long as it was not counted.
    #[serde(rename = "v", default)]
    pub(crate) format: u32,
    /// The app, its version, and the changelog: another one's store is set aside.
    pub(crate) owner: String,
    /// The next changelog offset; rows at and after it may be missing here.
    pub(crate) changelog: Offset,
    /// The source offsets and their metadata as of the last cut in here.
    pub(crate) sources: Vec<(String, Offset, String)>,
    /// How many rows there are; the store counts.
    pub(crate) rows: u64,
    /// The changelog's id; empty where it is not known.
    #[serde(default)]
    pub(crate) log: String,
    /// When it was written, in milliseconds; 0: before that was noted.
    #[serde(default)]
    pub(crate) at: i64,
}

/// What a store can report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StoreError {
    /// The disk refused: make room or mend it, then start again; nothing that was committed is lost.
    #[error(
        "{path}: {cause}; make room or mend the disk, then start again: nothing that was committed is lost"
    )]
    Io {
        /// The folder.
        path: String,
        /// What the disk said.
        cause: String,
    },
    /// A row cannot be encoded: its type's `Serialize` fails; mend that.
    #[error("table `{table}`: a row cannot be encoded: {cause}")]
    Row {
        /// The table.
        table: &'static str,
        /// What serde said.
        cause: String,
    },
    /// A row is larger than a record may be; the text names everything.
    #[error("{0}")]
    TooLarge(String),
    /// A newer version of the program has written it: start that one, or delete the folder, and the changelog has all.
    #[error(
        "{path} has format {found}, this program knows {known}: a newer version of it has run here; start that one again, \
         or delete the folder to have its tables rebuilt from their changelogs"
    )]
    Newer {
        /// The folder.
        path: String,
        /// Its format.
        found: u32,
        /// The newest that can be read.
        known: u32,
    },
    /// The files are damaged: the store is set aside and rebuilt from its changelog.
    #[error("{path} is damaged: {cause}")]
    Damaged {
        /// The folder.
        path: String,
        /// What is wrong.
        cause: String,
    },
}

impl Mark {
    /// The mark after a batch that leaves `added` more rows (or fewer) than `before`.
    fn after(&self, before: u64, added: i64) -> Self {
        Self { rows: before.saturating_add_signed(added), ..self.clone() }
    }
}

/// Opens the stores of a worker.
pub(crate) trait Stores: Send + Sync {
    /// Opens the store of one partition of a table, making it if need be.
    fn open(&self, table: &str, partition: u32) -> Result<Arc<dyn Store>, StoreError>;
    /// Sets a store aside under another name, so that the next `open` makes a new one.
    fn set_aside(&self, table: &str, partition: u32) -> Result<(), StoreError>;
    /// The partitions of a table that have a store here.
    fn partitions(&self, table: &str) -> BTreeSet<u32>;
    /// Nothing more is written: returns when what was written is in the stores.
    fn close(&self) {}
}
