//! A record that an agent is processing.

use crate::agent::{Agent, AgentInput, Lane, LaneFuture, call, poll_guarded};
use crate::define::Records;
use crate::kafka::Offset;
use crate::partition::Delivery;
use crate::rpc;
use crate::time::Timestamp;
use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::rc::Rc;

/// A record with where it comes from; the input of an agent that is called per event.
///
/// ```
/// use faust::prelude::*;
///
/// #[topic("names")]
/// struct Name { name: String }
///
/// #[agent]
/// async fn greet(name: Event<Name>) -> Result<()> {
///     println!("{} at offset {}", name.name, name.offset());
///     let owned: String = name.into_inner().name;
///     assert!(!owned.is_empty());
///     Ok(())
/// }
/// ```
pub struct Event<T> {
    record: T,
    offset: Offset,
    timestamp: Timestamp,
    partition: u32,
    /// In a stream: the turn goes on while this lives.
    _alive: Option<Alive>,
}

/// Counts the events of a stream's turn that are alive.
pub(crate) struct Alive(Rc<Cell<usize>>);

impl Alive {
    pub(crate) fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl<T> Event<T> {
    pub(crate) fn new(record: T, delivery: &Delivery, partition: u32) -> Self {
        Self {
            record,
            offset: delivery.offset,
            timestamp: delivery.timestamp,
            partition,
            _alive: None,
        }
    }

    /// As a part of a stream's turn.
    pub(crate) fn in_turn(self, alive: Alive) -> Self {
        Self { _alive: Some(alive), ..self }
    }

    /// An event without Kafka, for unit tests of an agent's function.
    ///
    /// ```
    /// let event = faust::Event::of("tea", faust::Timestamp::from_millis(1_000));
    /// assert_eq!((event.len(), event.timestamp().as_millis()), (3, 1_000));
    /// ```
    pub fn of(record: T, timestamp: Timestamp) -> Self {
        Self { record, offset: 0, timestamp, partition: 0, _alive: None }
    }

    /// The record's timestamp: event time.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The record's offset in its partition.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// The record's partition.
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// Moves the record out.
    pub fn into_inner(self) -> T {
        self.record
    }
}

impl<T> Deref for Event<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.record
    }
}

impl<T> DerefMut for Event<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.record
    }
}

impl<T: fmt::Debug> fmt::Debug for Event<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("partition", &self.partition)
            .field("offset", &self.offset)
            .field("timestamp", &self.timestamp)
            .field("record", &self.record)
            .finish()
    }
}

/// Called per event.
impl<T: Records + 'static> AgentInput for Event<T> {
    type Records = T;
    type Of<'m> = Event<T::Of<'m>>;

    fn run<A: Agent<Input = Self>>(lane: Lane, mut params: A::Params) -> LaneFuture {
        Box::pin(async move {
            while let Some(delivery) = lane.next().await {
                let mut attempt = 0;
                loop {
                    let message = delivery.message();
                    let record = match T::read(lane.input(), message.key, message.value) {
                        Ok(record) => record,
                        Err(error) => {
                            lane.undecodable(&delivery, &error);
                            break;
                        }
                    };
                    lane.state().begin(&delivery);
                    let event = Event::new(record, &delivery, lane.state().task.id.partition);
                    let done = {
                        let mut call = pin!(call::<A>(event, &mut params));
                        poll_fn(|cx| poll_guarded(call.as_mut(), cx)).await
                    };
                    let done = done.and_then(|reply| rpc::reply(lane.state(), &delivery, &reply));
                    let done = done.and_then(|()| lane.state().check_rows());
                    let Err(error) = done else { break };
                    if !lane.again(&delivery, &error, &mut attempt).await {
                        break;
                    }
                }
                lane.settle(&delivery);
            }
        })
    }
}
