//! A lane: one agent at one event of a partition at a time, and what that event has staged. Handles find the lane in
//! a thread-local that is set around each poll of the agent's future.

use super::closer::{ClosedTo, Closer};
use super::latest::StagedLatest;
use super::reader::{Delivery, Reader};
use super::task::Task;
use crate::agent::{AgentDef, Use};
use crate::codec::CodecError;
use crate::commit::Outbox;
use crate::error::HandleError;
use crate::kafka::{Offset, TopicId};
use crate::table::AHEAD;
use crate::table::store::StoreError;
use crate::time::Timestamp;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// One lane.
pub(crate) struct LaneState {
    pub(crate) task: Rc<Task>,
    pub(crate) agent: AgentDef,
    pub(crate) reader: Rc<Reader>,
    /// Its number in the task, from 1 on: who holds a row.
    pub(crate) id: u32,
    /// Its number among the agent's lanes.
    pub(crate) number: usize,
    /// The tables that its agent writes.
    tables: Vec<u16>,
    /// Rows of some of them may become too large.
    grows: bool,
    /// The event that is being processed.
    event: Cell<Option<EventMeta>>,
    /// Rows that the event has written: table, row.
    touched: RefCell<Vec<(u16, u32)>>,
    /// What the event has sent.
    staged: RefCell<Outbox>,
    /// What it has given to `send_latest`.
    latest: RefCell<StagedLatest>,
    /// The lane whose event this one waits for; 0: none.
    pub(crate) waits_for: Cell<u32>,
    /// Asks of this event so far.
    pub(crate) asks: Cell<u32>,
}

/// Where an event comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventMeta {
    pub(crate) offset: Offset,
    pub(crate) timestamp: Timestamp,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<LaneState>>> = const { RefCell::new(None) };
}

/// A lane's future, polled with the lane in the thread-local.
pub(crate) struct Current<F> {
    lane: Option<Rc<LaneState>>,
    future: Pin<Box<F>>,
}

impl<F: Future> Current<F> {
    pub(crate) fn new(lane: Rc<LaneState>, future: F) -> Self {
        Self { lane: Some(lane), future: Box::pin(future) }
    }
}

impl<F: Future> Future for Current<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let lane = self.lane.take();
        let outer = CURRENT.replace(lane);
        let result = self.future.as_mut().poll(cx);
        self.lane = CURRENT.replace(outer);
        result
    }
}

/// The lane whose event is being processed on this thread, if any.
pub(crate) fn with_current<R>(
    what: impl FnOnce() -> String,
    call: impl FnOnce(&Rc<LaneState>, EventMeta) -> crate::Result<R>,
) -> crate::Result<R> {
    CURRENT.with_borrow(|lane| {
        match lane.as_ref().and_then(|lane| Some((lane, lane.event.get()?))) {
            Some((lane, event)) => call(lane, event),
            None => Err(HandleError::NoEvent { what: what() }.into()),
        }
    })
}

impl LaneState {
    pub(crate) fn new(
        task: Rc<Task>,
        agent: AgentDef,
        reader: Rc<Reader>,
        id: u32,
        number: usize,
    ) -> Self {
        let written = |used: Use| match used {
            Use::Table(used) => task.worker.topology.table_index(used.table.name),
            _ => None,
        };
        let written = agent.uses.iter().copied().flatten().copied().filter_map(written);
        let tables: Vec<u16> =
            written.filter_map(|index| task.table_numbers.get(&index).copied()).collect();
        let grows =
            |number: &u16| task.tables.get(usize::from(*number)).is_some_and(|table| table.grows());
        Self {
            grows: tables.iter().any(grows),
            tables,
            task,
            agent,
            reader,
            id,
            number,
            event: Cell::new(None),
            touched: RefCell::default(),
            staged: RefCell::default(),
            latest: RefCell::default(),
            waits_for: Cell::new(0),
            asks: Cell::new(0),
        }
    }

    /// The agent begins with an event.
    pub(crate) fn begin(&self, delivery: &Delivery) {
        self.asks.set(0);
        let meta = EventMeta { offset: delivery.offset, timestamp: delivery.timestamp };
        self.event.set(Some(meta));
        if delivery.index.is_multiple_of(AHEAD) {
            for table in &self.tables {
                if let Some(table) = self.task.tables.get(usize::from(*table)) {
                    table.foresee(&*delivery.batch.messages, delivery.index);
                }
            }
        }
    }

    /// A closer begins with a row: what it does counts as an event with this offset and time.
    pub(crate) fn begin_closed(&self, offset: Offset, timestamp: Timestamp) {
        self.asks.set(0);
        self.event.set(Some(EventMeta { offset, timestamp }));
    }

    /// Everything that the closer did to a row takes effect, and the row counts as done.
    pub(crate) fn settle_closed(&self, closer: &Closer, to: ClosedTo) -> Result<(), StoreError> {
        self.take_effect()?;
        closer.at.set(to);
        closer.reader.events.set(closer.reader.events.get() + 1);
        self.task.work_done();
        Ok(())
    }

    /// The event has written this row for the first time.
    pub(crate) fn touch(&self, table: u16, row: u32) {
        self.touched.borrow_mut().push((table, row));
    }

    /// The rows of a table that the event has written.
    pub(crate) fn touched(&self, table: u16) -> Vec<u32> {
        let touched = self.touched.borrow();
        touched.iter().filter(|(of, _)| *of == table).map(|(_, row)| *row).collect()
    }

    /// Stages a record; the budget of one event is checked.
    pub(crate) fn stage<E>(
        &self,
        push: impl FnOnce(&mut Outbox) -> Result<(), E>,
    ) -> crate::Result<()>
    where
        crate::Error: From<E>,
    {
        let mut staged = self.staged.borrow_mut();
        push(&mut staged)?;
        let bytes = staged.last_bytes();
        if bytes > self.record_limit() {
            staged.pop();
            return Err(self.too_large(bytes));
        }
        self.check_stage(staged.bytes() + self.latest.borrow().bytes())
    }

    /// Stages a record of `send_latest`; false where it has no key.
    pub(crate) fn stage_latest(
        &self,
        sink: usize,
        time: Timestamp,
        key: impl FnOnce(&mut Vec<u8>) -> Result<bool, CodecError>,
        value: impl FnOnce(&mut Vec<u8>) -> Result<bool, CodecError>,
    ) -> crate::Result<bool> {
        let mut latest = self.latest.borrow_mut();
        let before = latest.bytes();
        let keyed = latest.push(sink, time, key, value)?;
        let bytes = latest.bytes() - before;
        if bytes > self.record_limit() {
            latest.pop();
            return Err(self.too_large(bytes));
        }
        self.check_stage(latest.bytes() + self.staged.borrow().bytes())?;
        Ok(keyed)
    }

    /// How large a record may be, key and value together.
    pub(crate) fn record_limit(&self) -> usize {
        self.task.shard.budget.row_limit
    }

    #[cold]
    fn too_large(&self, bytes: usize) -> crate::Error {
        let (agent, limit) = (self.agent.name(), self.record_limit());
        HandleError::RecordTooLarge { agent, bytes, limit }.into()
    }

    /// Whether the rows that the event has written fit their changelogs: an event whose rows do not has failed.
    pub(crate) fn check_rows(&self) -> crate::Result<()> {
        if !(self.grows || self.task.careful) {
            return Ok(());
        }
        for (table, row) in &*self.touched.borrow() {
            if let Some(table) = self.task.tables.get(usize::from(*table)) {
                table.check(*row, self.task.careful)?;
            }
        }
        Ok(())
    }

    fn check_stage(&self, bytes: usize) -> crate::Result<()> {
        let limit = self.task.stage_bytes();
        if bytes > limit {
            return Err(HandleError::StageFull { agent: self.agent.name(), limit }.into());
        }
        Ok(())
    }

    /// What `send_latest` holds back of a key leaves before what the event stages now.
    pub(crate) fn push_out(&self, topic: TopicId, key: &[u8]) {
        let staged = (&mut *self.latest.borrow_mut(), &mut *self.staged.borrow_mut());
        self.task.push_out(topic, key, staged);
    }

    /// Nothing of the event remains.
    pub(crate) fn roll_back(&self) {
        self.event.set(None);
        for (table, row) in self.touched.borrow_mut().drain(..) {
            if let Some(table) = self.task.tables.get(usize::from(table)) {
                // Forgetting what was staged cannot fail.
                let _ = table.settle(row, false);
            }
        }
        self.staged.borrow_mut().clear();
        self.latest.borrow_mut().clear();
        self.task.rows_released();
    }

    /// All effects of the event take effect, and it counts as done.
    pub(crate) fn settle(&self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        self.take_effect()?;
        for delivery in deliveries {
            self.reader.finished(self.number, delivery);
            self.task.work_done();
        }
        Ok(())
    }

    fn take_effect(&self) -> Result<(), StoreError> {
        self.event.set(None);
        let mut touched = self.touched.borrow_mut();
        while let Some((table, row)) = touched.pop() {
            if let Some(table) = self.task.tables.get(usize::from(table)) {
                table.settle(row, true)?;
            }
        }
        drop(touched);
        self.task.take_staged(&mut self.staged.borrow_mut(), &mut self.latest.borrow_mut());
        Ok(())
    }
}
