//! Frames in, answers out: the listener, a thread for each connection, and a timer.

mod cleaner;
pub(crate) mod connection;
mod connections;
mod timer;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

use crate::Config;
use crate::faults::Faults;
use crate::state::State;
pub(crate) use cleaner::clean;
pub(crate) use connections::{Connections, accept};
pub(crate) use timer::tick;

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) address: SocketAddr,
    pub(crate) faults: Faults,
    pub(crate) stopping: AtomicBool,
    /// Rung once, when the broker stops; the timer sleeps on it.
    pub(crate) stopped: Condvar,
    state: Mutex<State>,
}

/// A connection that has to end, and why.
#[derive(Debug)]
pub(crate) struct Hangup(pub(crate) String);

impl Shared {
    pub(crate) fn new(config: Config, address: SocketAddr, state: State) -> Self {
        Self {
            config,
            address,
            faults: state.faults.clone(),
            stopping: AtomicBool::new(false),
            stopped: Condvar::new(),
            state: Mutex::new(state),
        }
    }

    /// The state, unless the broker stops. A request that panicked may have left it half changed:
    /// then nobody gets it any more, and clients see the broker go away.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, State>, Hangup> {
        if self.is_stopping() {
            return Err(Hangup("the broker stops".to_owned()));
        }
        self.state.lock().map_err(|_| Hangup("an earlier request panicked".to_owned()))
    }

    /// The state of a broker that stops.
    pub(crate) fn lock_to_stop(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}
