//! One partition of a co-partitioned group: its sources, tables and lanes, and what of them goes into a cut.

use super::closer::{ClosedTo, Closer};
use super::lane::LaneState;
use super::latest::{Latest, StagedLatest};
use super::reader::Reader;
use super::shard::Shard;
use super::source::SourceQueue;
use crate::commit::{Metadata, Outbox, TableCut, TaskCut};
use crate::kafka::{Commit, Offset, TopicId};
use crate::table::AnyTable;
use crate::table::store::StoreError;
use crate::worker::Worker;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use tokio::sync::Notify;

/// A group's index in the topology, and a partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct TaskId {
    pub(crate) group: usize,
    pub(crate) partition: u32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.group, self.partition)
    }
}

/// A task that runs.
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) epoch: u32,
    /// A row of an event could not be written: every row is checked before its event is done.
    pub(crate) careful: bool,
    pub(crate) worker: Worker,
    pub(crate) shard: Rc<Shard>,
    pub(crate) sources: Vec<Rc<SourceQueue>>,
    pub(crate) readers: Vec<Rc<Reader>>,
    /// In the order of the group's tables.
    pub(crate) tables: Vec<Box<dyn AnyTable>>,
    /// Tables of the group by their index in the topology.
    pub(crate) table_numbers: BTreeMap<usize, u16>,
    /// For each table, the readers whose agents write it.
    writers: Vec<Vec<Rc<Reader>>>,
    pub(crate) closers: Vec<Rc<Closer>>,
    /// Stream time may have closed windows, or the task stops.
    pub(crate) closing: Notify,
    pub(crate) lanes: RefCell<Vec<Rc<LaneState>>>,
    /// What finished events have sent and what has not left, in their order.
    outputs: RefCell<Outbox>,
    /// What `send_latest` holds back. It leaves after `outputs`.
    latest: RefCell<Latest>,
    /// The number of the last cut.
    cut: Cell<u64>,
    /// The lowest unfinished offset of each source as of the last cut; `None`: nothing is committed yet.
    committed: RefCell<Option<Vec<Offset>>>,
    /// Something happened since the last cut.
    changed: Cell<bool>,
    released: Notify,
    /// Lanes that wait for a row: mostly none.
    waiting_for_rows: Cell<u32>,
}

/// What a task is made of.
pub(crate) struct TaskParts {
    pub(crate) id: TaskId,
    pub(crate) epoch: u32,
    pub(crate) cut: u64,
    pub(crate) shard: Rc<Shard>,
    pub(crate) sources: Vec<Rc<SourceQueue>>,
    pub(crate) readers: Vec<Rc<Reader>>,
    pub(crate) tables: Vec<(usize, Box<dyn AnyTable>)>,
    pub(crate) writers: Vec<Vec<Rc<Reader>>>,
    pub(crate) closers: Vec<Rc<Closer>>,
}

impl Task {
    pub(crate) fn new(parts: TaskParts) -> Self {
        let numbers =
            parts.tables.iter().enumerate().map(|(number, (index, _))| (*index, number as u16));
        Self {
            id: parts.id,
            epoch: parts.epoch,
            careful: parts.shard.is_careful(parts.id),
            worker: parts.shard.worker.clone(),
            table_numbers: numbers.collect(),
            tables: parts.tables.into_iter().map(|(_, table)| table).collect(),
            shard: parts.shard,
            sources: parts.sources,
            readers: parts.readers,
            writers: parts.writers,
            closers: parts.closers,
            closing: Notify::new(),
            lanes: RefCell::default(),
            outputs: RefCell::default(),
            latest: RefCell::default(),
            cut: Cell::new(parts.cut),
            committed: RefCell::new(None),
            changed: Cell::new(false),
            released: Notify::new(),
            waiting_for_rows: Cell::new(0),
        }
    }

    pub(crate) fn stage_bytes(&self) -> usize {
        self.shard.stage_bytes
    }

    /// Something was done that a cut is to commit; one may be due early.
    pub(crate) fn work_done(&self) {
        self.changed.set(true);
        self.rows_released();
        self.shard.check_budget();
    }

    /// Rows that an event held are free.
    pub(crate) fn rows_released(&self) {
        if self.waiting_for_rows.take() > 0 {
            self.released.notify_waiters();
        }
    }

    /// Waits until some event of this task is done.
    pub(crate) async fn row_release(&self) {
        self.waiting_for_rows.set(self.waiting_for_rows.get() + 1);
        self.released.notified().await;
    }

    /// Whether waiting for `holder` would wait for `lane` itself in the end.
    pub(crate) fn would_deadlock(&self, lane: u32, holder: u32) -> bool {
        let lanes = self.lanes.borrow();
        let mut at = holder;
        for _ in 0..lanes.len() {
            if at == lane {
                return true;
            }
            match lanes.iter().find(|known| known.id == at) {
                Some(next) if next.waits_for.get() != 0 => at = next.waits_for.get(),
                _ => return false,
            }
        }
        at == lane
    }

    /// The topic's number among those with `send_latest`, given on its first use.
    pub(crate) fn latest(&self, topic: TopicId, partitions: u32) -> usize {
        self.latest.borrow_mut().sink(topic, partitions)
    }

    /// Whether `send_latest` was used for this topic.
    pub(crate) fn has_latest(&self, topic: TopicId) -> bool {
        self.latest.borrow().has(topic)
    }

    /// A plain send of this key comes: what `send_latest` holds back of it leaves first.
    pub(crate) fn push_out(
        &self,
        topic: TopicId,
        key: &[u8],
        staged: (&mut StagedLatest, &mut Outbox),
    ) {
        self.latest.borrow_mut().push_out(topic, key, &mut self.outputs.borrow_mut(), staged);
    }

    /// What a finished event has sent waits to leave.
    pub(crate) fn take_staged(&self, staged: &mut Outbox, latest: &mut StagedLatest) {
        if !staged.is_empty() {
            self.shard.outputs_wait(staged.bytes());
            self.outputs.borrow_mut().append(staged);
        }
        if latest.bytes() > 0 {
            self.shard.latest_waits(latest.bytes());
            self.latest.borrow_mut().give(latest);
        }
    }

    /// What has been sent and has not left; with `latest` also what `send_latest` holds back. `into` is empty, and
    /// lends its memory.
    pub(crate) fn take_outputs(&self, latest: bool, into: &mut Outbox) {
        let mut outputs = self.outputs.borrow_mut();
        if latest {
            self.latest.borrow_mut().take(&mut outputs);
        }
        std::mem::swap(&mut *outputs, into);
        into.sort();
    }

    /// Whether nothing that is known of waits to be read.
    pub(crate) fn is_drained(&self) -> bool {
        self.readers.iter().all(|reader| reader.is_drained())
    }

    fn lows(&self) -> Vec<Offset> {
        let low = |source: usize| {
            let readers = self.readers.iter().filter(|reader| reader.of.source == source);
            super::source::lowest(readers.map(|reader| reader.low()))
        };
        (0..self.sources.len()).map(low).collect()
    }

    /// Whether a cut would have something in it.
    pub(crate) fn has_changes(&self) -> bool {
        self.changed.get() || self.committed.borrow().as_deref() != Some(&self.lows())
    }

    /// Whether everything that was done is in a cut, and where each source stands.
    pub(crate) fn settled(&self) -> Option<Vec<(crate::kafka::TopicPartition, Offset)>> {
        let waiting = self.has_changes() || self.cut_in_flight() || self.has_to_close();
        let positions = self.sources.iter().map(|source| source.of.clone()).zip(self.lows());
        (!waiting).then(|| positions.collect())
    }

    /// Whether windows are closed that a closer has not looked for.
    fn has_to_close(&self) -> bool {
        self.closers.iter().any(|closer| closer.done_below.get() < self.closed_below(closer.table))
    }

    /// The start below which the windows of a table are closed now.
    pub(crate) fn closed_below(&self, table: u16) -> i64 {
        let table = usize::from(table);
        self.tables.get(table).map_or(i64::MIN, |of| of.closed_below(self.stream_time(table)))
    }

    /// Windows of this table that start here or later have closers that are not done with them.
    fn closing_from(&self, table: usize) -> i64 {
        let closers = self.closers.iter().filter(|closer| usize::from(closer.table) == table);
        closers.map(|closer| closer.at.get().start).min().unwrap_or(i64::MAX)
    }

    fn cut_in_flight(&self) -> bool {
        self.shard.cutting.get()
    }

    /// The table's stream time: the lowest of the agents that write it, and of their sources.
    pub(crate) fn stream_time(&self, table: usize) -> i64 {
        self.times(table).min().unwrap_or(0)
    }

    /// The newest time of an event that a table may have seen.
    pub(crate) fn newest_time(&self, table: usize) -> i64 {
        self.times(table).max().unwrap_or(i64::MIN)
    }

    fn times(&self, table: usize) -> impl Iterator<Item = i64> {
        let writers = self.writers.get(table).map(Vec::as_slice).unwrap_or_default();
        writers.iter().map(|reader| reader.time.get())
    }

    /// A source that has been silent for a while, and all of which is done, no longer holds stream time back: its
    /// readers are moved up to the others. That is written with the cut, so that a replay decides the same.
    fn move_idle_readers(&self, lows: &[Offset]) {
        let timeout = self.worker.settings.idle_timeout;
        let sources = self.sources.iter().zip(lows);
        let silent: Vec<bool> =
            sources.map(|(source, low)| source.is_idle(*low, timeout)).collect();
        let is_idle = |reader: &Reader| {
            silent.get(reader.of.source).is_some_and(|silent| *silent) && reader.is_settled()
        };
        let (idle, active): (Vec<_>, Vec<_>) = self.readers.iter().partition(|it| is_idle(it));
        let Some(time) = active.iter().map(|reader| reader.time.get()).min() else { return };
        for reader in idle {
            reader.time.set(reader.time.get().max(time));
        }
    }

    /// Begins a cut at this instant: offsets, outputs, and which rows; their encoding follows.
    pub(crate) fn begin_cut(&self) -> TaskCut {
        self.changed.set(false);
        self.cut.set(self.cut.get() + 1);
        let lows = self.lows();
        self.move_idle_readers(&lows);
        let mut offsets = Vec::with_capacity(self.sources.len());
        for (index, (source, low)) in self.sources.iter().zip(&lows).enumerate() {
            let readers = || self.readers.iter().filter(|reader| reader.of.source == index);
            let name = |reader: &Reader| {
                let agent = self.worker.topology.agents.get(reader.of.agent);
                agent.map(|agent| agent.name().to_string()).unwrap_or_default()
            };
            let time = readers().map(|reader| reader.time.get()).min().unwrap_or(0);
            let ahead = readers().filter(|reader| reader.time.get() > time);
            let metadata = Metadata {
                by: self.shard.id.clone(),
                epoch: self.epoch,
                cut: self.cut.get(),
                time,
                times: ahead.map(|reader| (name(reader), reader.time.get())).collect(),
                agents: readers().map(|reader| (name(reader), reader.progress())).collect(),
                closed: self.closed_to(),
                ..Metadata::default()
            };
            offsets.push(Commit {
                partition: source.of.clone(),
                offset: *low,
                metadata: metadata.encode(),
            });
        }
        *self.committed.borrow_mut() = Some(lows);
        for (number, table) in self.tables.iter().enumerate() {
            table.expire(self.stream_time(number), self.closing_from(number));
            table.begin_cut();
        }
        if self.has_to_close() {
            self.closing.notify_waiters();
        }
        let mut outputs = Outbox::default();
        self.take_outputs(true, &mut outputs);
        TaskCut {
            task: self.id,
            epoch: self.epoch,
            number: self.cut.get(),
            offsets,
            tables: Vec::new(),
            outputs,
        }
    }

    fn closed_to(&self) -> BTreeMap<String, (i64, u64)> {
        let at = |closer: &Closer| closer.at.get();
        let closers = self.closers.iter().filter(|closer| at(closer) != ClosedTo::NOTHING);
        closers.map(|of| (of.name.to_string(), (at(of).start, at(of).rows))).collect()
    }

    /// Encodes some rows of the cut; true when all of it is done.
    pub(crate) fn encode_some(&self) -> Result<bool, StoreError> {
        for table in &self.tables {
            if !table.encode_some()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn take_table_cuts(&self) -> Vec<TableCut> {
        self.tables.iter().filter_map(|table| table.take_cut()).collect()
    }

    pub(crate) fn cut_stored(&self) {
        for table in &self.tables {
            table.cut_stored();
        }
    }

    /// Every agent stops after the event that it is at.
    pub(crate) fn stop(&self) {
        for reader in self.all_readers() {
            reader.stop();
        }
        self.closing.notify_waiters();
    }

    /// Those of agents, then those of closers.
    pub(crate) fn all_readers(&self) -> impl Iterator<Item = &Rc<Reader>> {
        self.readers.iter().chain(self.closers.iter().map(|closer| &closer.reader))
    }

    /// Tells the monitor what happened since the last call.
    pub(crate) fn publish(&self) {
        let monitor = &self.worker.monitor;
        for reader in self.all_readers() {
            monitor.agent(reader.of.agent).events(reader.events.take());
        }
        for (index, number) in &self.table_numbers {
            if let Some(table) = self.tables.get(usize::from(*number)) {
                let counts = table.take_counts();
                let meter = monitor.table(*index);
                meter.hits(counts.hits);
                meter.misses(counts.misses);
                meter.evicted(counts.evicted);
                meter.late(counts.late);
            }
        }
    }

    /// Tells the monitor where the sources stand.
    pub(crate) fn publish_positions(&self) {
        for (source, low) in self.sources.iter().zip(self.lows()) {
            self.worker.monitor.partition(&source.of, |status| {
                status.position = low;
                status.committed = low;
            });
        }
    }
}
