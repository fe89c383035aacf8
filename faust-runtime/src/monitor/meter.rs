//! Counters of agents, tables and cuts: atomics that any thread adds to.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What an agent has done. On a cache line of its own, because shards count at the same time.
#[derive(Default)]
#[repr(align(64))]
pub(crate) struct AgentMeter {
    events: AtomicU64,
    failed: AtomicU64,
    retried: AtomicU64,
    dead_letters: AtomicU64,
    undecodable: AtomicU64,
}

impl AgentMeter {
    /// Events are done.
    pub(crate) fn events(&self, n: u64) {
        self.events.fetch_add(n, Relaxed);
    }

    /// A call failed or panicked.
    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// A failed event is tried again.
    pub(crate) fn retried(&self) {
        self.retried.fetch_add(1, Relaxed);
    }

    /// A record went to the dead-letter topic.
    pub(crate) fn dead_letter(&self) {
        self.dead_letters.fetch_add(1, Relaxed);
    }

    /// A record could not be decoded.
    pub(crate) fn undecodable(&self) {
        self.undecodable.fetch_add(1, Relaxed);
    }

    pub(super) fn n_events(&self) -> u64 {
        self.events.load(Relaxed)
    }

    pub(super) fn n_failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    pub(super) fn n_retried(&self) -> u64 {
        self.retried.load(Relaxed)
    }

    pub(super) fn n_dead_letters(&self) -> u64 {
        self.dead_letters.load(Relaxed)
    }

    pub(super) fn n_undecodable(&self) -> u64 {
        self.undecodable.load(Relaxed)
    }
}

/// What happened in the cache of a table.
#[derive(Default)]
#[repr(align(64))]
pub(crate) struct TableMeter {
    hits: AtomicU64,
    misses: AtomicU64,
    evicted: AtomicU64,
    late: AtomicU64,
}

impl TableMeter {
    /// Rows were found in the cache.
    pub(crate) fn hits(&self, n: u64) {
        self.hits.fetch_add(n, Relaxed);
    }

    /// Rows were looked up in the store.
    pub(crate) fn misses(&self, n: u64) {
        self.misses.fetch_add(n, Relaxed);
    }

    /// Rows left the cache to make room.
    pub(crate) fn evicted(&self, n: u64) {
        self.evicted.fetch_add(n, Relaxed);
    }

    /// Writes came after their window had expired.
    pub(crate) fn late(&self, n: u64) {
        self.late.fetch_add(n, Relaxed);
    }

    pub(super) fn n_hits(&self) -> u64 {
        self.hits.load(Relaxed)
    }

    pub(super) fn n_misses(&self) -> u64 {
        self.misses.load(Relaxed)
    }

    pub(super) fn n_evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    pub(super) fn n_late(&self) -> u64 {
        self.late.load(Relaxed)
    }
}

/// Upper bounds of the classes that durations of cuts are counted in, in milliseconds.
pub(super) const BOUNDS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/// What cuts held and how long they took.
#[derive(Default)]
pub(super) struct CutMeter {
    pub(super) committed: AtomicU64,
    pub(super) aborted: AtomicU64,
    pub(super) rows: AtomicU64,
    pub(super) outputs: AtomicU64,
    pub(super) micros: AtomicU64,
    /// How many took at most as long as their class's bound, and longer than the one below.
    pub(super) classes: [AtomicU64; BOUNDS.len()],
}

impl CutMeter {
    pub(super) fn committed(&self, took: Duration, rows: u64, outputs: u64) {
        self.committed.fetch_add(1, Relaxed);
        self.rows.fetch_add(rows, Relaxed);
        self.outputs.fetch_add(outputs, Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        let mut classes = BOUNDS.iter().zip(&self.classes);
        if let Some((_, class)) = classes.find(|(bound, _)| took <= Duration::from_millis(**bound))
        {
            class.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn aborted(&self) {
        self.aborted.fetch_add(1, Relaxed);
    }
}
