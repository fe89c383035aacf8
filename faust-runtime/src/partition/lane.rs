//! A lane: one agent at one event of a partition at a time, and what that event has staged. Handles find the lane in
//! a thread-local that is set around each poll of the agent's future.

use super::reader::{Delivery, Reader};
use super::task::Task;
use crate::agent::AgentDef;
use crate::commit::{Outbox, OutboxMark};
use crate::error::HandleError;
use crate::kafka::{Offset, SendError};
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
    /// The event that is being processed.
    event: Cell<Option<EventMeta>>,
    /// Rows that the event has written: table, row.
    touched: RefCell<Vec<(u16, u32)>>,
    /// What finished events have sent and no cut has taken, and behind `sent` what this event has staged.
    outbox: RefCell<Outbox>,
    sent: Cell<OutboxMark>,
    /// Sinks whose `send_latest` this event has used.
    latest: RefCell<Vec<usize>>,
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

/// Why the effects of an event could not be settled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    #[error(transparent)]
    Store(#[from] crate::table::store::StoreError),
    #[error(transparent)]
    Send(#[from] SendError),
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
        Self {
            task,
            agent,
            reader,
            id,
            number,
            event: Cell::new(None),
            touched: RefCell::default(),
            outbox: RefCell::default(),
            sent: Cell::default(),
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
    }

    /// The event has written this row for the first time.
    pub(crate) fn touch(&self, table: u16, row: u32) {
        self.touched.borrow_mut().push((table, row));
    }

    /// Stages a record; the budget of one event is checked.
    pub(crate) fn stage<E>(
        &self,
        push: impl FnOnce(&mut Outbox) -> Result<(), E>,
    ) -> crate::Result<()>
    where
        crate::Error: From<E>,
    {
        let mut outbox = self.outbox.borrow_mut();
        push(&mut outbox)?;
        let limit = self.task.stage_bytes();
        if outbox.bytes_since(self.sent.get()) > limit {
            return Err(HandleError::StageFull { agent: self.agent.name(), limit }.into());
        }
        Ok(())
    }

    /// The event has used `send_latest` of this sink.
    pub(crate) fn touch_latest(&self, sink: usize) {
        let mut latest = self.latest.borrow_mut();
        if !latest.contains(&sink) {
            latest.push(sink);
        }
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
        self.outbox.borrow_mut().truncate(self.sent.get());
        for sink in self.latest.borrow_mut().drain(..) {
            self.task.settle_latest(sink, self.id, false);
        }
        self.task.rows_released();
    }

    /// All effects of the event take effect, and it counts as done. Under at-least-once its outputs leave first.
    pub(crate) async fn settle(&self, deliveries: &[Delivery]) -> Result<(), StageError> {
        if self.must_send_first() {
            self.send_now().await?;
        }
        self.settle_now(deliveries)
    }

    /// Whether settling has to wait for the plain producer.
    pub(crate) fn must_send_first(&self) -> bool {
        !self.task.exactly_once() && self.outbox.borrow().len() > self.sent.get().entries()
    }

    /// Settles what need not wait.
    pub(crate) fn settle_now(&self, deliveries: &[Delivery]) -> Result<(), StageError> {
        self.event.set(None);
        for (table, row) in self.touched.borrow_mut().drain(..) {
            if let Some(table) = self.task.tables.get(usize::from(table)) {
                table.settle(row, true)?;
            }
        }
        {
            let outbox = self.outbox.borrow();
            self.task.shard.outputs_wait(outbox.bytes_since(self.sent.get()));
            self.sent.set(outbox.mark());
        }
        for sink in self.latest.borrow_mut().drain(..) {
            self.task.settle_latest(sink, self.id, true);
        }
        for delivery in deliveries {
            self.reader.finished(self.number, delivery);
            self.task.event_done(self.reader.source, delivery.timestamp);
        }
        Ok(())
    }

    /// Under at-least-once: what the event has staged goes to the plain producer.
    async fn send_now(&self) -> Result<(), StageError> {
        if let Some(pushed) = self.task.take_pushed() {
            self.task.shard.send_all(&pushed).await?;
        }
        let staged = self.outbox.replace(Outbox::default());
        self.sent.set(OutboxMark::default());
        self.task.shard.send_all(&staged).await?;
        Ok(())
    }

    /// What finished events have sent since the last cut.
    pub(crate) fn take_sent(&self) -> Option<Outbox> {
        let sent = self.sent.take();
        let mut outbox = self.outbox.borrow_mut();
        if sent == OutboxMark::default() {
            return None;
        }
        let staged = outbox.split_off(sent);
        Some(std::mem::replace(&mut outbox, staged))
    }
}
