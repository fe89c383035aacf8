//! A worker as something that can be killed: every call to the outside is a step, and at a chosen step it stops for
//! ever, as after `kill -9`.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// One run of a worker.
#[derive(Clone, Default)]
pub(crate) struct Process(Arc<Inner>);

#[derive(Default)]
struct Inner {
    killed: AtomicBool,
    death: watch::Sender<bool>,
    steps: AtomicU64,
    /// The step at which it dies; 0: never.
    die_at: AtomicU64,
    last: Mutex<&'static str>,
}

impl Process {
    /// A worker that dies before its `step`-th step from now on.
    #[cfg(test)]
    pub(crate) fn dying_at(step: u64) -> Self {
        let this = Self::default();
        this.0.die_at.store(step, Ordering::Relaxed);
        this
    }

    /// Whether two handles are of one run.
    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn alive(&self) -> bool {
        !self.0.killed.load(Ordering::Relaxed)
    }

    /// Kills it: nothing that it calls from now on has an effect, or returns.
    pub(crate) fn kill(&self) {
        self.0.killed.store(true, Ordering::Relaxed);
        self.0.death.send_replace(true);
    }

    /// Completes when it was killed.
    pub(crate) async fn death(&self) {
        let _ = self.0.death.subscribe().wait_for(|dead| *dead).await;
    }

    /// How many steps it has taken, and the name of the last.
    #[cfg(test)]
    pub(crate) fn steps(&self) -> (u64, &'static str) {
        let last = *self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        (self.0.steps.load(Ordering::Relaxed), last)
    }

    /// True if the step may be taken; a synchronous call that gets false must have no effect.
    pub(crate) fn may(&self, name: &'static str) -> bool {
        if !self.alive() {
            return false;
        }
        let step = self.0.steps.fetch_add(1, Ordering::Relaxed) + 1;
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = name;
        if step == self.0.die_at.load(Ordering::Relaxed) {
            self.kill();
        }
        self.alive()
    }

    /// Takes a step, or never returns.
    pub(crate) async fn step(&self, name: &'static str) {
        if !self.may(name) {
            pending::<()>().await;
        }
    }
}
