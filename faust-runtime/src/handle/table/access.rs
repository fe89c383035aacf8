//! What a table gives: at once, or when another event lets go of a row.

use crate::define::Row;
use crate::error::HandleError;
use crate::partition::LaneState;
use crate::table::Claim;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What came of a try.
pub enum Tried<R> {
    Done(R),
    Wait(Waits),
}

/// That a lane's event waits for another's; over when the event lets go of the future, awaited or not.
pub struct Waits(Rc<LaneState>);

impl Waits {
    /// For whom holds the row, if somebody does.
    pub(super) fn on<T: Row>(lane: &Rc<LaneState>, claim: Claim) -> crate::Result<Option<Self>> {
        let Claim::Held(holder) = claim else { return Ok(None) };
        if lane.task.would_deadlock(lane.id, holder) {
            return Err(HandleError::Conflict { table: T::TABLE.name }.into());
        }
        lane.waits_for.set(holder);
        Ok(Some(Self(lane.clone())))
    }

    /// Completes when the row may be free.
    pub(super) async fn released(self) {
        self.0.task.row_release().await;
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.waits_for.set(0);
    }
}

/// What a table gives, to be awaited. It happens at once, unless another event holds the row.
#[must_use = "a table's methods are awaited"]
pub struct Access<'t, R>(State<'t, R>);

/// What is done is given once. A result in one piece would be moved in one, through memory.
enum State<'t, R> {
    Done(Option<R>),
    Failed(Option<crate::Error>),
    Waiting(Waiting<'t, R>),
}

type Waiting<'t, R> = Pin<Box<dyn Future<Output = crate::Result<R>> + 't>>;

impl<R> Access<'_, R> {
    pub(in crate::handle) fn ready(result: crate::Result<R>) -> Self {
        match result {
            Ok(done) => Self(State::Done(Some(done))),
            Err(error) => Self(State::Failed(Some(error))),
        }
    }
}

impl<'t, R: 't> Access<'t, R> {
    /// What a first try gave; where that has to wait, `again` makes the tries that follow.
    #[inline]
    pub(super) fn tried<A>(first: crate::Result<Tried<R>>, again: impl FnOnce() -> A) -> Self
    where
        A: FnMut() -> crate::Result<Tried<R>> + 't,
    {
        let waits = match first {
            Ok(Tried::Done(result)) => return Self::ready(Ok(result)),
            Ok(Tried::Wait(waits)) => waits,
            Err(error) => return Self::ready(Err(error)),
        };
        Self(State::Waiting(wait(waits, again())))
    }
}

/// Apart from what is done at once, which then is small enough to be a part of its caller, and goes by registers.
#[cold]
fn wait<'t, R: 't>(
    mut waits: Waits,
    mut again: impl FnMut() -> crate::Result<Tried<R>> + 't,
) -> Waiting<'t, R> {
    Box::pin(async move {
        loop {
            waits.released().await;
            match again()? {
                Tried::Done(result) => return Ok(result),
                Tried::Wait(more) => waits = more,
            }
        }
    })
}

/// Nothing of it is pinned in place.
impl<R> Unpin for Access<'_, R> {}

impl<R> Future for Access<'_, R> {
    type Output = crate::Result<R>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<crate::Result<R>> {
        match &mut self.0 {
            State::Done(done) => done.take().map_or(Poll::Pending, |done| Poll::Ready(Ok(done))),
            State::Failed(error) => {
                error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error)))
            }
            State::Waiting(future) => future.as_mut().poll(cx),
        }
    }
}
