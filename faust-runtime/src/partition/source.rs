//! The queue of one source partition: batches as they were read, shared by the agents that read the topic, bounded in
//! bytes and records. The slowest agent decides how far the fastest may run ahead.

use crate::kafka::{At, Batch, Broker, KafkaError, Offset, Source, TopicPartition};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

/// So long nothing may come before it is asked whether there is something.
const STALLED: Duration = Duration::from_secs(60);
/// Before reading is begun again.
const PAUSE: Duration = Duration::from_secs(1);

/// So many records may wait: enough to go on with, few enough to be in the processor's cache when their turn comes.
/// What was fetched beyond them waits in the client.
const RECORDS: usize = 2_000;

/// One source partition of a task.
pub(crate) struct SourceQueue {
    pub(crate) of: TopicPartition,
    queue: RefCell<Queue>,
    limit: usize,
    room: Notify,
    /// Where it stood when it last moved, and when that was seen.
    moved: Cell<(Offset, Instant)>,
}

#[derive(Default)]
struct Queue {
    /// The number of the first batch.
    first: u64,
    batches: VecDeque<Rc<Batch>>,
    bytes: usize,
    records: usize,
    /// The newest batch ended where the log did.
    at_end: bool,
    /// For each agent that reads: the number of the batch that it is at.
    at: Vec<u64>,
    wakers: Vec<std::task::Waker>,
}

impl Queue {
    fn is_full(&self, limit: usize) -> bool {
        self.bytes >= limit || self.records >= RECORDS
    }
}

impl SourceQueue {
    pub(crate) fn new(of: TopicPartition, limit: usize) -> Self {
        let queue = RefCell::new(Queue::default());
        let moved = Cell::new((0, Instant::now()));
        Self { of, queue, limit, room: Notify::new(), moved }
    }

    /// Adds an agent that reads; its number here.
    pub(crate) fn add_agent(&self) -> usize {
        let mut queue = self.queue.borrow_mut();
        let first = queue.first;
        queue.at.push(first);
        queue.at.len() - 1
    }

    /// Moves what is read from an offset on into the queue, until reading on is of no use. A reader that fails, or from
    /// which nothing comes although there is something, is opened again where it was.
    pub(crate) async fn feed(
        &self,
        broker: &dyn Broker,
        reader: Box<dyn Source>,
        mut at: Offset,
    ) -> KafkaError {
        let mut reader = Some(reader);
        loop {
            while self.queue.borrow().is_full(self.limit) {
                self.room.notified().await;
            }
            let open = match &mut reader {
                Some(open) => open,
                None => match broker.source(&self.of, at) {
                    Ok(opened) => reader.insert(opened),
                    Err(error) => return error,
                },
            };
            match timeout(STALLED, poll_fn(|cx| open.poll_batch(cx))).await {
                Ok(Ok(batch)) => {
                    at = batch.reaches().unwrap_or(at).max(at);
                    self.push(batch);
                    continue;
                }
                Ok(Err(error @ (KafkaError::OutOfRange { .. } | KafkaError::Refused { .. }))) => {
                    return error;
                }
                Ok(Err(error)) => {
                    tracing::warn!(source = %self.of, at, %error, "reading failed; it is begun again");
                    sleep(PAUSE).await;
                }
                Err(_) => match broker.offsets(vec![self.of.clone()], At::End).await.as_deref() {
                    Ok([end]) if *end > at => {
                        tracing::warn!(
                            source = %self.of, at, end,
                            "nothing has come for {} s although there is something (or a transaction is open): reading is begun again",
                            STALLED.as_secs()
                        );
                    }
                    // There is nothing, or an outage, which is said elsewhere.
                    _ => continue,
                },
            }
            reader = None;
        }
    }

    fn push(&self, batch: Batch) {
        let mut queue = self.queue.borrow_mut();
        queue.bytes += batch.messages.bytes();
        queue.records += batch.messages.len();
        queue.at_end = batch.caught_up;
        queue.batches.push_back(Rc::new(batch));
        for waker in queue.wakers.drain(..) {
            waker.wake();
        }
    }

    /// Wakes every agent that waits here, to see that it is to stop.
    pub(crate) fn wake(&self) {
        for waker in self.queue.borrow_mut().wakers.drain(..) {
            waker.wake();
        }
    }

    /// The batch number `number`, when it is there.
    pub(crate) fn poll(&self, number: u64, waker: &std::task::Waker) -> Poll<Rc<Batch>> {
        let mut queue = self.queue.borrow_mut();
        let index = number.saturating_sub(queue.first) as usize;
        match queue.batches.get(index) {
            Some(batch) => Poll::Ready(batch.clone()),
            None => {
                if !queue.wakers.iter().any(|known| known.will_wake(waker)) {
                    queue.wakers.push(waker.clone());
                }
                Poll::Pending
            }
        }
    }

    /// An agent has taken everything before batch `number`; what all have taken goes.
    pub(crate) fn taken(&self, agent: usize, number: u64) {
        let mut queue = self.queue.borrow_mut();
        if let Some(at) = queue.at.get_mut(agent) {
            *at = number;
        }
        let lowest = queue.at.iter().copied().min().unwrap_or(number);
        let was_full = queue.is_full(self.limit);
        while queue.first < lowest
            && let Some(batch) = queue.batches.pop_front()
        {
            queue.bytes = queue.bytes.saturating_sub(batch.messages.bytes());
            queue.records = queue.records.saturating_sub(batch.messages.len());
            queue.first += 1;
        }
        if was_full && !queue.is_full(self.limit) {
            self.room.notify_one();
        }
    }

    /// Whether it has stood at `low` for so long.
    pub(crate) fn is_idle(&self, low: Offset, timeout: Duration) -> bool {
        let (before, since) = self.moved.get();
        if before != low {
            self.moved.set((low, Instant::now()));
            return false;
        }
        since.elapsed() >= timeout
    }

    /// Whether the log has ended with the batches before number `number`, as far as was read.
    pub(crate) fn is_at_end(&self, number: u64) -> bool {
        let queue = self.queue.borrow();
        queue.at_end && queue.first + queue.batches.len() as u64 <= number
    }
}

/// Where an agent is to go on: below every record that it has not finished.
pub(crate) fn lowest(progress: impl Iterator<Item = Offset>) -> Offset {
    progress.min().unwrap_or(0)
}
