//! A place for one waker, taken by callbacks on librdkafka's threads.

use std::{
    sync::{Mutex, PoisonError},
    task::{Context, Waker},
};

/// Holds the waker of the task that waits. Callbacks may come while librdkafka holds a lock of its
/// own, so nothing but a waker is ever called from here, and never with ours held.
#[derive(Debug, Default)]
pub(crate) struct WakerCell(Mutex<Option<Waker>>);

impl WakerCell {
    /// The task of `cx` waits from now on.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let replaced = {
            let mut waker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return;
            }
            waker.replace(cx.waker().clone())
        };
        drop(replaced);
    }

    /// Wakes the task that waits, if there is one.
    pub(crate) fn wake(&self) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}
