//! How one agent takes records from a source's queue: in order, skipping what it has finished before; with several
//! lanes, never two records of one key at once.

use super::source::SourceQueue;
use crate::commit::Progress;
use crate::kafka::{Batch, Message, Offset};
use crate::time::Timestamp;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A record on its way to an agent.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(super) batch: Rc<Batch>,
    /// Its number in the batch.
    pub(super) index: usize,
    /// The first offset that could be unfinished below it: gaps in the log do not count.
    pub(crate) before: Offset,
    pub(crate) offset: Offset,
    pub(crate) timestamp: Timestamp,
    pub(crate) has_headers: bool,
}

impl Delivery {
    /// The record as it was read.
    pub(crate) fn message(&self) -> Message<'_> {
        let (offset, timestamp) = (self.offset, self.timestamp);
        let empty = Message { offset, timestamp, key: None, value: None, has_headers: false };
        self.batch.messages.get(self.index).unwrap_or(empty)
    }

    /// Its headers.
    pub(crate) fn headers(&self) -> Vec<(&str, Option<&[u8]>)> {
        self.batch.messages.headers(self.index)
    }
}

/// Whose records a reader takes, and from where.
#[derive(Clone, Copy)]
pub(crate) struct ReaderOf {
    /// The agent's index in the topology.
    pub(crate) agent: usize,
    /// The number of the topic among those that the agent reads.
    pub(crate) input: usize,
    /// The source's index in the task.
    pub(crate) source: usize,
}

/// One agent's way through one source partition.
pub(crate) struct Reader {
    pub(crate) of: ReaderOf,
    queue: Rc<SourceQueue>,
    /// The agent's number in the queue.
    number: usize,
    state: RefCell<State>,
    stopping: Cell<bool>,
    /// Stream time: the highest event time below the first record that is not finished. Where nothing comes any more,
    /// the time that it was moved up to. Each agent has its own: one that is behind is not late.
    pub(crate) time: Cell<i64>,
    /// Events finished since they were last counted.
    pub(crate) events: Cell<u64>,
}

struct State {
    batch: Option<Rc<Batch>>,
    /// The number of the next batch.
    next_batch: u64,
    index: usize,
    /// Behind the last record that was taken.
    position: Offset,
    /// Where reading stood with nothing further, once everything before it was taken.
    reached: Option<Offset>,
    progress: Progress,
    ahead: Ahead,
    /// The keys of the records that are with lanes; one entry a lane.
    busy: Vec<u64>,
    in_flight: usize,
    /// Records whose key was busy when they were taken.
    parked: VecDeque<(u64, Delivery)>,
    waiting: Vec<Waker>,
    hasher: foldhash::fast::FixedState,
}

/// Event times of what is finished ahead of others, one for each range of the progress: they count once that is low.
#[derive(Default)]
struct Ahead(Vec<(Offset, i64)>);

impl Ahead {
    /// The time of a record that is finished moves stream time on once all before it are.
    #[inline]
    fn count(&mut self, progress: &Progress, offset: Offset, at: Timestamp, time: &Cell<i64>) {
        // In order: what happens to nearly all.
        if self.0.is_empty() && offset < progress.low() {
            time.set(time.get().max(at.as_millis()));
        } else {
            self.count_late(progress, offset, at.as_millis(), time);
        }
    }

    #[cold]
    fn count_late(&mut self, progress: &Progress, offset: Offset, at: i64, time: &Cell<i64>) {
        let low = progress.low();
        let range = if offset < low { Offset::MIN..low } else { progress.range(offset) };
        let merged = self.0.extract_if(.., |(at, _)| range.contains(at));
        let newest = merged.map(|(_, time)| time).fold(at, i64::max);
        if offset < low {
            time.set(time.get().max(newest));
        } else {
            self.0.push((offset, newest));
        }
    }
}

/// How many records may be parked behind busy keys.
const PARKED: usize = 1024;
/// How many ranges the commit's metadata has room for; no record further ahead is started.
const RANGES: usize = 64;

impl Reader {
    pub(crate) fn new(
        of: ReaderOf,
        queue: Rc<SourceQueue>,
        progress: Progress,
        time: i64,
        lanes: usize,
    ) -> Self {
        let number = queue.add_agent();
        Self { time: Cell::new(time), ..Self::numbered(of, queue, progress, lanes, number) }
    }

    /// Of a function that reads nothing.
    pub(crate) fn of_closer(agent: usize, queue: Rc<SourceQueue>) -> Self {
        let of = ReaderOf { agent, input: 0, source: usize::MAX };
        Self::numbered(of, queue, Progress::default(), 1, usize::MAX)
    }

    fn numbered(
        of: ReaderOf,
        queue: Rc<SourceQueue>,
        progress: Progress,
        lanes: usize,
        number: usize,
    ) -> Self {
        let state = RefCell::new(State {
            batch: None,
            next_batch: 0,
            index: 0,
            position: progress.low(),
            reached: None,
            progress,
            ahead: Ahead::default(),
            busy: vec![0; if lanes > 1 { lanes } else { 0 }],
            in_flight: 0,
            parked: VecDeque::new(),
            waiting: Vec::new(),
            hasher: foldhash::fast::FixedState::default(),
        });
        let (stopping, time) = (Cell::new(false), Cell::new(0));
        Self { of, queue, number, state, stopping, time, events: Cell::new(0) }
    }

    /// The next record for the lane with this number among the agent's; `None` when it is to stop.
    pub(crate) fn poll_next(&self, lane: usize, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        if self.stopping.get() {
            return Poll::Ready(None);
        }
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if state.busy.is_empty() {
            return match state.take(self, cx) {
                Poll::Ready((delivery, _)) => {
                    state.in_flight += 1;
                    Poll::Ready(Some(delivery))
                }
                Poll::Pending => Poll::Pending,
            };
        }
        let free = state.parked.iter().position(|(key, _)| !state.busy.contains(key));
        if let Some((key, delivery)) = free.and_then(|at| state.parked.remove(at)) {
            state.start(lane, key);
            return Poll::Ready(Some(delivery));
        }
        while state.parked.len() < PARKED && state.progress.ranges() < RANGES {
            let Poll::Ready((delivery, key)) = state.take(self, cx) else { break };
            if state.busy.contains(&key) {
                state.parked.push_back((key, delivery));
            } else {
                state.start(lane, key);
                return Poll::Ready(Some(delivery));
            }
        }
        state.waiting.push(cx.waker().clone());
        Poll::Pending
    }

    /// The lane's record is finished, one way or the other.
    pub(crate) fn finished(&self, lane: usize, delivery: &Delivery) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.progress.finish(delivery.before, delivery.offset);
        state.ahead.count(&state.progress, delivery.offset, delivery.timestamp, &self.time);
        state.in_flight -= 1;
        if let Some(key) = state.busy.get_mut(lane) {
            *key = 0;
        }
        if state.reached.is_some() {
            state.settle_reached();
        }
        if !state.waiting.is_empty() {
            for waker in state.waiting.drain(..) {
                waker.wake();
            }
        }
        self.events.set(self.events.get() + 1);
    }

    /// Whether the agent has taken everything that is in the log, as far as is known.
    pub(crate) fn is_drained(&self) -> bool {
        let state = self.state.borrow();
        let in_batch = state.batch.as_ref().is_some_and(|batch| state.index < batch.messages.len());
        !in_batch && self.queue.is_at_end(state.next_batch)
    }

    /// Whether nothing is left to do of what is in the log, as far as is known.
    pub(crate) fn is_settled(&self) -> bool {
        let state = self.state.borrow();
        self.is_drained() && state.in_flight == 0 && state.parked.is_empty()
    }

    /// What the agent has finished.
    pub(crate) fn progress(&self) -> Progress {
        self.state.borrow().progress.clone()
    }

    /// Whether everything is finished that was read up to here; then the position.
    pub(crate) fn low(&self) -> Offset {
        self.state.borrow().progress.low()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Behind the last record that was given out.
    pub(crate) fn taken(&self) -> Offset {
        self.state.borrow().position
    }

    /// No record is given out any more.
    pub(crate) fn stop(&self) {
        self.stopping.set(true);
        for waker in self.state.borrow_mut().waiting.drain(..) {
            waker.wake();
        }
        self.queue.wake();
    }
}

impl State {
    fn start(&mut self, lane: usize, key: u64) {
        self.in_flight += 1;
        if let Some(busy) = self.busy.get_mut(lane) {
            *busy = key;
        }
    }

    /// Moves over what has no records, once everything before is finished.
    fn settle_reached(&mut self) {
        if self.in_flight == 0
            && self.parked.is_empty()
            && let Some(reached) = self.reached
        {
            self.progress.advance(reached);
            self.position = self.position.max(reached);
        }
    }

    /// The next record that is not finished, with the hash of its key.
    fn take(&mut self, reader: &Reader, cx: &mut Context<'_>) -> Poll<(Delivery, u64)> {
        loop {
            if let Some(batch) = &self.batch {
                while let Some(message) = batch.messages.get(self.index) {
                    let index = self.index;
                    self.index += 1;
                    if self.progress.is_done(message.offset) {
                        let (offset, at) = (message.offset, message.timestamp);
                        self.ahead.count(&self.progress, offset, at, &reader.time);
                        self.position = self.position.max(message.offset + 1);
                        continue;
                    }
                    // 0 stands for "no key is busy"; records without a key are in nobody's way.
                    let key = match (self.busy.is_empty(), message.key) {
                        (true, _) => 1,
                        (false, Some(key)) => self.hasher.hash_one(key) | 1,
                        (false, None) => self.hasher.hash_one(message.offset) | 1,
                    };
                    let delivery = Delivery {
                        batch: batch.clone(),
                        index,
                        before: self.position,
                        offset: message.offset,
                        timestamp: message.timestamp,
                        has_headers: message.has_headers,
                    };
                    self.position = message.offset + 1;
                    self.reached = None;
                    return Poll::Ready((delivery, key));
                }
                if let Some(end) = batch.end {
                    self.reached = Some(end);
                    self.settle_reached();
                }
                self.batch = None;
                reader.queue.taken(reader.number, self.next_batch);
            }
            match reader.queue.poll(self.next_batch, cx.waker()) {
                Poll::Ready(batch) => {
                    self.batch = Some(batch);
                    self.index = 0;
                    self.next_batch += 1;
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
