//! State: typed rows in a write-back cache above a store, and the changelog that backs them.

mod by_key;
mod cache;
pub(crate) mod changelog;
mod copy;
mod local;
pub(crate) mod store;

pub(crate) use by_key::ByKey;
pub(crate) use cache::{Cache, Claim, Found, Span, encode_row_key, in_order};
pub(crate) use copy::Copy;
pub(crate) use local::open_local;

use crate::commit::TableCut;
use crate::define::{KeptRow, Row, TableDef};
use crate::kafka::{Messages, TopicId};
use cache::window_prefix;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use store::{Mark, Store, StoreError, StreamTime};

/// So many events' rows are looked up at a time.
pub(crate) const AHEAD: usize = 16;

/// The key below which the windows of a table have expired at a stream time, but for those that start at `closing` or
/// later.
pub(crate) fn expired_below(table: &TableDef, stream_time: i64, closing: i64) -> Option<Vec<u8>> {
    let below = table.as_stored().kept_from(stream_time).min(closing);
    (below > 0).then(|| window_prefix(below).to_vec())
}

/// How many bytes of rows a shard's caches may keep, and keep.
#[derive(Default)]
pub(crate) struct Budget {
    pub(crate) limit: usize,
    pub(crate) used: Cell<usize>,
    /// How many rows they keep.
    pub(crate) rows: Cell<usize>,
    /// Rows that wait for a cut: they cannot be evicted.
    pub(crate) dirty: Cell<usize>,
    /// How many bytes a row may take in its changelog, key and value together.
    pub(crate) row_limit: usize,
}

/// What one partition of a table is opened with.
pub(crate) struct TableInit {
    pub(crate) index: usize,
    pub(crate) partition: u32,
    pub(crate) partitions: u32,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) mark: Mark,
    /// None where the table has no changelog.
    pub(crate) changelog: Option<TopicId>,
    pub(crate) budget: Rc<Budget>,
    /// Where the table's stream time is told to other threads.
    pub(crate) time: StreamTime,
}

/// The rows of some table: keys and values.
pub(crate) type Rows = Box<dyn Any + Send>;

/// Makes a table's typed state from its untyped declaration.
#[derive(Clone, Copy)]
pub(crate) struct TableOps {
    pub(crate) open: fn(TableInit) -> Box<dyn AnyTable>,
    /// The first rows of a table that was never used, for [`AnyTable::fill`].
    pub(crate) initial: fn() -> Option<BoxFuture<'static, crate::Result<Rows>>>,
    /// Reads a key as people write it: its encoding, and the bytes that decide its partition.
    pub(crate) admit_key: fn(&[u8]) -> crate::Result<(Vec<u8>, Vec<u8>)>,
}

impl TableOps {
    pub(crate) const fn of<T: Row>() -> Self {
        Self {
            open: |init| Box::new(Cache::<KeptRow<T>>::new(init)),
            initial: || {
                let rows = T::initial()?;
                Some(async { Ok(Box::new(rows.await?) as Rows) }.boxed())
            },
            admit_key: |bytes| {
                let key = <T::Key as crate::codec::Key>::decode(bytes)?;
                let (mut row, mut partition) = (Vec::new(), Vec::new());
                crate::codec::Key::encode(&key, &mut row)?;
                T::encode_partition_key(&key, &mut partition)?;
                Ok((row, partition))
            },
        }
    }
}

/// One partition of a table, as its task sees it. A handle finds the typed [`Cache`] behind it.
pub(crate) trait AnyTable {
    fn as_any(&self) -> &dyn Any;
    /// Events begin with the next [`AHEAD`] of these messages, and will ask for the rows of their keys.
    fn foresee(&self, messages: &dyn Messages, from: usize);
    /// Whether rows can become larger than their type: only then [`check`](Self::check) is worth a call.
    fn grows(&self) -> bool;
    /// Whether what the event that holds this row has made of it can be a record of the changelog. `each`: also where
    /// that is very likely.
    fn check(&self, row: u32, each: bool) -> crate::Result<()>;
    /// The event that holds this row is done (or has failed): what it wrote takes effect (or is forgotten).
    fn settle(&self, row: u32, done: bool) -> Result<(), StoreError>;
    /// Puts in the first rows of a table that was never used; the next cut commits them.
    fn fill(&self, rows: Rows) -> crate::Result<()>;
    /// The start below which windows are closed at a stream time.
    fn closed_below(&self, stream_time: i64) -> i64;
    /// Rows whose window ended before the table's stream time less `expires` go, but for those of windows that start at
    /// `closing` or later; and some of those that have outlived its `ttl`.
    fn expire(&self, stream_time: i64, closing: i64);
    /// Starts a cut of everything that is written now.
    fn begin_cut(&self);
    /// Encodes some of the cut's rows; true when all of them are.
    fn encode_some(&self) -> Result<bool, StoreError>;
    /// The cut; `None` if nothing was written.
    fn take_cut(&self) -> Option<TableCut>;
    /// The cut is in the store: its rows may be evicted.
    fn cut_stored(&self);
    /// Cache hits, misses, evictions and late writes since the last call.
    fn take_counts(&self) -> Counts;
}

/// What a cache has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) evicted: u64,
    pub(crate) late: u64,
}
