//! An agent's own loop over its records. The unit is the turn: everything between two moments at which no event of
//! the loop is alive.

use super::event::{Alive, Event};
use crate::agent::{Agent, AgentInput, Lane, LaneFuture, Verdict, call, poll_guarded};
use crate::define::OwnedRecord;
use crate::partition::Delivery;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::time::sleep;

/// The records of a partition, for an agent with a loop of its own.
///
/// What the loop writes and sends takes effect in turns: a turn lasts while one of its events is alive, and is done
/// when the loop asks for the next one or returns `Ok`. If the function returns `Err` or panics, nothing of the turn
/// remains, the function starts again, and the turn's events come first.
///
/// Its records own what they hold: a record that borrows from its message is read as [`Event`].
///
/// ```
/// use faust::prelude::*;
/// use futures::StreamExt;
///
/// #[topic("readings", key = sensor)]
/// struct Reading { sensor: String, value: f64 }
///
/// #[table("means")]
/// struct Mean { key: String, value: (u64, f64) }
///
/// #[agent]
/// async fn mean(mut readings: Stream<Reading>, means: Table<Mean>) -> Result<()> {
///     while let Some(reading) = readings.next().await {
///         means.update(&reading.sensor, |(n, sum)| { *n += 1; *sum += reading.value; }).await?;
///     }
///     Ok(())
/// }
/// ```
pub struct Stream<T> {
    turn: Rc<Turn>,
    record: PhantomData<fn() -> T>,
}

/// More events than these in one turn are an error: the loop keeps what it should let go.
const MOST: usize = 10_000;

struct Turn {
    lane: Lane,
    /// The events of the turn that is open.
    events: RefCell<Vec<Delivery>>,
    alive: Rc<Cell<usize>>,
    /// Events of failed turns, to come first.
    again: RefCell<VecDeque<Delivery>>,
    /// So many of them come one at a time, a call of the function each.
    single: Cell<usize>,
    /// Whether this call of the function has got its only event.
    single_given: Cell<bool>,
    /// Why the turn could not be settled: it has failed.
    refused: RefCell<Option<crate::Error>>,
}

impl Turn {
    /// Settles the turn if no event of it is alive.
    fn settle(&self) {
        if self.alive.get() > 0 || self.events.borrow().is_empty() {
            return;
        }
        let state = self.lane.state();
        if let Err(error) = state.check_rows() {
            *self.refused.borrow_mut() = Some(error);
            return;
        }
        if let Err(error) = state.settle(&self.events.take()) {
            state.task.worker.fail(error.to_string());
        }
    }

    fn poll_delivery(&self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.settle();
        if self.refused.borrow().is_some() {
            // The function is not called again for this turn: see `run`.
            return Poll::Pending;
        }
        if let Some(delivery) = self.next_again() {
            return Poll::Ready(delivery);
        }
        self.lane.poll_next(cx)
    }

    /// An event of a failed turn; `Some(None)`: the call of the function is to end.
    fn next_again(&self) -> Option<Option<Delivery>> {
        if self.single_given.get() {
            return Some(None);
        }
        let delivery = self.again.borrow_mut().pop_front()?;
        if self.single.get() > 0 {
            self.single.set(self.single.get() - 1);
            self.single_given.set(true);
        }
        Some(Some(delivery))
    }
}

impl<T: OwnedRecord> futures::Stream for Stream<T> {
    type Item = Event<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event<T>>> {
        let turn = &self.turn;
        loop {
            let Some(delivery) = std::task::ready!(turn.poll_delivery(cx)) else {
                return Poll::Ready(None);
            };
            let state = turn.lane.state();
            if turn.events.borrow().len() >= MOST {
                state.task.worker.fail(format!(
                    "agent `{}` keeps more than {MOST} events alive: let go of them, or read in smaller batches",
                    state.agent.name()
                ));
                return Poll::Pending;
            }
            let message = delivery.message();
            match T::decode(message.key, message.value) {
                Ok(record) => {
                    state.begin(&delivery);
                    let event = Event::new(record, &delivery, state.task.id.partition);
                    turn.events.borrow_mut().push(delivery);
                    return Poll::Ready(Some(event.in_turn(Alive::new(&turn.alive))));
                }
                Err(error) => {
                    turn.lane.undecodable(&delivery, &error);
                    turn.events.borrow_mut().push(delivery);
                }
            }
        }
    }
}

/// The loop is the user's own.
impl<T: OwnedRecord> AgentInput for Stream<T> {
    type Records = T;
    type Of<'m> = Self;

    fn run<A: Agent<Input = Self>>(lane: Lane, params: A::Params) -> LaneFuture {
        run::<T, A>(lane, params)
    }
}

/// Calls the function again and again: after a failure with the turn's events first.
fn run<T: OwnedRecord, A: Agent<Input = Stream<T>>>(
    lane: Lane,
    mut params: A::Params,
) -> LaneFuture {
    let turn = Rc::new(Turn {
        lane,
        events: RefCell::default(),
        alive: Rc::default(),
        again: RefCell::default(),
        single: Cell::new(0),
        single_given: Cell::new(false),
        refused: RefCell::default(),
    });
    Box::pin(async move {
        let mut attempt = 0;
        while !turn.lane.stopping() {
            turn.single_given.set(false);
            let before = turn.lane.state().reader.taken();
            let again = turn.again.borrow().len();
            let stream = Stream { turn: turn.clone(), record: PhantomData };
            let done = {
                let mut call = pin!(call::<A>(stream, &mut params));
                poll_fn(|cx| {
                    let polled = poll_guarded(call.as_mut(), cx);
                    turn.refused.take().map_or(polled, |error| Poll::Ready(Err(error)))
                })
                .await
            };
            turn.alive.set(0);
            let done = done.and_then(|_| {
                turn.settle();
                turn.refused.take().map_or(Ok(()), Err)
            });
            match done {
                Ok(()) => {
                    attempt = 0;
                    let idle = before == turn.lane.state().reader.taken()
                        && again == turn.again.borrow().len();
                    if idle && !turn.lane.stopping() {
                        let name = turn.lane.state().agent.name();
                        let what = "returned without reading its stream: loop until it ends";
                        turn.lane.state().task.worker.fail(format!("agent `{name}` {what}"));
                        return;
                    }
                }
                Err(error) => fail(&turn, &error, &mut attempt).await,
            }
        }
    })
}

/// Takes the turn back. A batch whose retries are used up comes again one event at a time; one event whose retries
/// are used up is a dead letter.
async fn fail(turn: &Turn, error: &crate::Error, attempt: &mut u32) {
    let events = turn.events.take();
    let Some(first) = events.first().cloned() else {
        tracing::error!(agent = turn.lane.state().agent.name(), %error, "a loop failed outside of its events; it starts again");
        turn.lane.state().roll_back();
        sleep(std::time::Duration::from_secs(1)).await;
        return;
    };
    let count = events.len();
    match turn.lane.failed(first.offset, error, attempt) {
        Verdict::DeadLetter if count == 1 => {
            turn.lane.dead_letter(&first, &error.to_string(), *attempt);
            turn.lane.settle(&first);
            *attempt = 0;
            return;
        }
        Verdict::DeadLetter => {
            turn.single.set(turn.single.get() + count);
            *attempt = 0;
        }
        Verdict::Again(wait) => {
            if turn.single.get() > 0 || turn.single_given.get() {
                turn.single.set(turn.single.get() + count);
            }
            sleep(wait).await;
        }
    }
    let mut again = turn.again.borrow_mut();
    for event in events.into_iter().rev() {
        again.push_front(event);
    }
}
