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
pub struct Access<'t, R>(pub(super) State<'t, R>);

pub(super) enum State<'t, R> {
    /// Until it is taken.
    Ready(Option<crate::Result<R>>),
    Waiting(Pin<Box<dyn Future<Output = crate::Result<R>> + 't>>),
}

impl<R> Access<'_, R> {
    pub(in crate::handle) fn ready(result: crate::Result<R>) -> Self {
        Self(State::Ready(Some(result)))
    }
}

/// Nothing of it is pinned in place.
impl<R> Unpin for Access<'_, R> {}

impl<R> Future for Access<'_, R> {
    type Output = crate::Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<crate::Result<R>> {
        match &mut self.0 {
            State::Ready(result) => result.take().map_or(Poll::Pending, Poll::Ready),
            State::Waiting(future) => future.as_mut().poll(cx),
        }
    }
}
