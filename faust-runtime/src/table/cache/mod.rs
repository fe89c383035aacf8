//! The write-back cache of one partition of a table: decoded rows, found by a key that is hashed once. An event writes
//! to a copy of its own, which replaces the row when the event is done; a cut encodes each written row once.

mod cut;
mod fill;
mod foreseen;
mod scan;
mod slab;
mod ttl;

use super::{Budget, ByKey, Counts, TableInit};
use crate::codec::{Key, KeyRef};
use crate::define::{Row, Scope, TableDef};
use crate::error::HandleError;
use crate::kafka::{Offset, TopicId, partition_for};
use crate::table::store::{Mark, Store, StreamTime};
use cut::Encoding;
use foreseen::Foreseen;
pub(crate) use scan::{Span, in_order};
use slab::Slab;
use std::cell::{RefCell, RefMut};
use std::hash::BuildHasher;
use std::rc::Rc;
use std::sync::Arc;
use ttl::Sweep;

/// One partition of a table.
pub(crate) struct Cache<T: Row>(RefCell<Inner<T>>);

/// Where a row is, or that its window is gone.
pub(crate) enum Found {
    Row(u32),
    Expired,
}

/// Whether an event may write a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Mine,
    /// The lane whose event has written it and is not done.
    Held(u32),
}

/// A row. With a short value it fits a cache line, and most of what an event waits for is these lines.
#[repr(align(64))]
struct Slot<T: Row> {
    key: T::Key,
    /// The start of its window; 0 without windows.
    start: i64,
    value: Option<T::Value>,
    /// Where what an event has written stands in `staged`, counted from 1; 0: no event holds the row.
    staged: u32,
    /// The cut that will contain its value, by number; 0: the store has it.
    dirty: u32,
    charge: u32,
    encoded: bool,
    /// Whether the store counts it.
    stored: bool,
    /// Used since the clock's hand last passed.
    used: bool,
}

/// An event's own copy of a row, until the event is done.
struct Staged<V> {
    /// The lane whose event it is.
    lane: u32,
    value: Option<V>,
}

pub(crate) struct Inner<T: Row> {
    index: usize,
    partition: u32,
    partitions: u32,
    store: Arc<dyn Store>,
    mark: Mark,
    changelog: Option<TopicId>,
    budget: Rc<Budget>,
    hasher: foldhash::fast::FixedState,
    foreseen: Foreseen,
    by_key: ByKey,
    rows: Slab<Slot<T>>,
    /// As many as events hold rows at a time.
    staged: Vec<Staged<T::Value>>,
    free_staged: Vec<u32>,
    hand: u32,
    /// The number of the cut that is filling.
    cut: u32,
    dirty: Vec<u32>,
    encoding: Option<Encoding>,
    in_flight: Vec<u32>,
    /// The stream time as of which windows that start below `closed_below` are closed.
    closed_at: i64,
    closed_below: i64,
    /// Windows that start before have expired.
    expired_below: i64,
    /// Expired since the last cut.
    newly_expired: bool,
    sweep: Sweep,
    time: StreamTime,
    scratch: Vec<u8>,
    counts: Counts,
}

/// A row that is not there costs this much beside its key and value.
const fn overhead<T: Row>() -> usize {
    size_of::<Option<Slot<T>>>() + 16
}

impl<T: Row> Cache<T> {
    pub(crate) fn new(init: TableInit) -> Self {
        Self(RefCell::new(Inner {
            index: init.index,
            partition: init.partition,
            partitions: init.partitions,
            store: init.store,
            mark: init.mark,
            changelog: init.changelog,
            budget: init.budget,
            hasher: foldhash::fast::FixedState::default(),
            foreseen: Foreseen::new(),
            by_key: ByKey::default(),
            rows: Slab::new(),
            staged: Vec::new(),
            free_staged: Vec::new(),
            hand: 0,
            cut: 1,
            dirty: Vec::new(),
            encoding: None,
            in_flight: Vec::new(),
            closed_at: i64::MIN,
            closed_below: i64::MIN,
            expired_below: i64::MIN,
            newly_expired: false,
            sweep: Sweep::new(),
            time: init.time,
            scratch: Vec::new(),
            counts: Counts::default(),
        }))
    }

    /// The cache, for one short access.
    pub(crate) fn lock(&self) -> RefMut<'_, Inner<T>> {
        self.0.borrow_mut()
    }
}

impl<T: Row> Inner<T> {
    const DEF: TableDef = T::TABLE;

    /// Finds a row for an event, reading it from the store if it is not here; one that is nowhere gets an empty place.
    pub(crate) fn find(
        &mut self,
        start: i64,
        key: &(impl KeyRef<T::Key> + ?Sized),
        event: Offset,
    ) -> crate::Result<Found> {
        if start < self.expired_below {
            return Ok(Found::Expired);
        }
        let is = |slot: &Slot<T>| slot.start == start && key.is(&slot.key);
        let rows = &self.rows;
        let mut row = self.foreseen.row(event);
        if !rows.get(row).is_some_and(is) {
            let hash = self.hasher.hash_one((start, key));
            match self.by_key.find(hash, |row| rows.get(row).is_some_and(is)) {
                Some(found) => row = found,
                None => {
                    self.counts.misses += 1;
                    return self.load(start, key.to_key(), hash).map(Found::Row);
                }
            }
        }
        if let Some(slot) = self.rows.get_mut(row) {
            slot.used = true;
        }
        self.counts.hits += 1;
        Ok(Found::Row(row))
    }

    /// Whether the window that starts here takes no more events at a stream time.
    pub(crate) fn is_closed(&mut self, start: i64, stream_time: i64) -> bool {
        if stream_time > self.closed_at {
            self.closed_at = stream_time;
            self.closed_below = self.closed_below.max(Self::DEF.closed_below(stream_time));
        }
        start < self.closed_below
    }

    /// An event came too late for its window.
    pub(crate) fn count_late(&mut self) {
        self.counts.late += 1;
    }

    fn load(&mut self, start: i64, key: T::Key, hash: u64) -> crate::Result<u32> {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        let loaded = self.read_through(start, &key, &mut bytes);
        let key_len = bytes.len();
        self.scratch = bytes;
        let (value, value_len) = loaded?;
        let charge = (overhead::<T>() + key_len + value_len) as u32;
        let slot = Slot {
            key,
            start,
            stored: value.is_some(),
            value,
            staged: 0,
            dirty: 0,
            encoded: false,
            used: true,
            charge,
        };
        self.budget.used.set(self.budget.used.get() + charge as usize);
        self.budget.rows.set(self.budget.rows.get() + 1);
        self.evict();
        let row = self.rows.insert(slot);
        self.by_key.insert(hash, row);
        Ok(row)
    }

    /// Checks that the key belongs here, once per row in the cache, and reads it from the store.
    fn read_through(
        &self,
        start: i64,
        key: &T::Key,
        bytes: &mut Vec<u8>,
    ) -> crate::Result<(Option<T::Value>, usize)> {
        if Self::DEF.scope == Scope::Key {
            T::encode_partition_key(key, bytes)?;
            let belongs = partition_for(bytes, self.partitions);
            if belongs != self.partition {
                return Err(HandleError::WrongPartition {
                    table: Self::DEF.name,
                    key: String::from_utf8_lossy(bytes).into_owned(),
                    belongs,
                    here: self.partition,
                }
                .into());
            }
            bytes.clear();
        }
        encode_row_key::<T>(start, key, bytes)?;
        Ok(match self.store.get(bytes)? {
            Some(value) => (Some(T::decode_value(&value)?), value.len()),
            None => (None, 0),
        })
    }

    /// What an event has staged of this row.
    fn staged(&self, row: u32) -> Option<&Staged<T::Value>> {
        let slot = self.rows.get(row)?;
        self.staged.get((slot.staged as usize).checked_sub(1)?)
    }

    /// The row as the event of this lane sees it: its own writes first.
    pub(crate) fn read(&self, row: u32, lane: u32) -> Option<&T::Value> {
        match self.staged(row) {
            Some(staged) if staged.lane == lane => staged.value.as_ref(),
            _ => self.rows.get(row)?.value.as_ref(),
        }
    }

    /// Takes the row for the event of this lane.
    pub(crate) fn claim(&self, row: u32, lane: u32) -> Claim {
        match self.staged(row) {
            Some(staged) if staged.lane != lane => Claim::Held(staged.lane),
            _ => Claim::Mine,
        }
    }

    /// The lane's own copy of the row, to be written; `first` is set if the event has not written it before.
    pub(crate) fn write(&mut self, row: u32, lane: u32, first: &mut bool) -> &mut Option<T::Value> {
        #[expect(clippy::expect_used, reason = "`find` gave the row in the same access")]
        let slot = self.rows.get_mut(row).expect("a found row");
        *first = slot.staged == 0;
        if *first {
            let value = slot.value.clone();
            let at = self.free_staged.pop().unwrap_or(self.staged.len() as u32);
            slot.staged = at + 1;
            match self.staged.get_mut(at as usize) {
                Some(place) => *place = Staged { lane, value },
                None => self.staged.push(Staged { lane, value }),
            }
        }
        let at = (slot.staged - 1) as usize;
        #[expect(clippy::indexing_slicing, reason = "a row's `staged` is in `staged`")]
        &mut self.staged[at].value
    }

    /// Lets go of an event's copy of the row: what it has written, if it has.
    fn unstage(&mut self, row: u32) -> Option<Option<T::Value>> {
        let at = std::mem::take(&mut self.rows.get_mut(row)?.staged).checked_sub(1)?;
        self.free_staged.push(at);
        Some(self.staged.get_mut(at as usize)?.value.take())
    }

    /// Makes room by the clock: rows that were not used since the hand last passed, and that the store has.
    fn evict(&mut self) {
        let places = self.rows.places();
        let mut steps = places.min(64);
        while self.budget.used.get() > self.budget.limit && steps > 0 {
            steps -= 1;
            self.hand = (self.hand + 1) % places;
            let Some(slot) = self.rows.get_mut(self.hand) else { continue };
            if slot.dirty != 0 || slot.staged != 0 {
                continue;
            }
            if std::mem::take(&mut slot.used) {
                continue;
            }
            self.forget(self.hand);
            self.counts.evicted += 1;
        }
    }

    fn forget(&mut self, row: u32) {
        let Some(slot) = self.rows.remove(row) else { return };
        self.budget.used.set(self.budget.used.get().saturating_sub(slot.charge as usize));
        self.budget.rows.set(self.budget.rows.get().saturating_sub(1));
        let hash = self.hasher.hash_one((slot.start, &slot.key));
        self.by_key.remove(hash, row);
    }
}

impl<T: Row> Drop for Inner<T> {
    fn drop(&mut self) {
        for row in 0..self.rows.places() {
            self.forget(row);
        }
        let waiting = self.dirty.len() + self.in_flight.len();
        self.budget.dirty.set(self.budget.dirty.get().saturating_sub(waiting));
    }
}

/// Appends a row's key as the store and the changelog have it: with windows, the start of the window in milliseconds
/// as eight bytes, big-endian, comes first, so that windows are in the order of time.
pub(crate) fn encode_row_key<T: Row>(
    start: i64,
    key: &T::Key,
    out: &mut Vec<u8>,
) -> Result<(), crate::codec::CodecError> {
    if T::TABLE.window.is_some() {
        out.extend_from_slice(&window_prefix(start));
    }
    key.encode(out)
}

/// The first bytes of the keys of a window.
pub(crate) fn window_prefix(start: i64) -> [u8; 8] {
    start.max(0).to_be_bytes()
}
