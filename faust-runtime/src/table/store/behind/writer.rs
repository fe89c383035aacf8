//! The thread that writes what waits, and its orders.

use super::Behind;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a row waits.
const DELAY: Duration = Duration::from_secs(1);
/// How much may wait in all stores of a worker before it is written at once; at twice as much commits wait.
const LIMIT: usize = 16 << 20;

/// The thread that writes, and what it shares with the stores.
#[derive(Default)]
pub(super) struct Writer {
    orders: Mutex<Orders>,
    pub(super) changed: Condvar,
    pub(super) room: Condvar,
}

#[derive(Default)]
pub(super) struct Orders {
    /// Stores with rows that wait, and when they are to be written.
    due: VecDeque<(Instant, Arc<Behind>)>,
    /// Bytes that wait in all stores.
    pub(super) bytes: usize,
    /// No more orders come.
    pub(super) closed: bool,
}

impl Writer {
    pub(super) fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes each store when its time has come, all of them when there is no room; at the end what is left.
    pub(super) fn run(&self) {
        let mut orders = self.lock();
        loop {
            let now = Instant::now();
            let hurry = orders.closed || orders.bytes > LIMIT;
            match orders.due.front() {
                Some((at, _)) if hurry || *at <= now => {
                    let next = orders.due.pop_front();
                    drop(orders);
                    if let Some((_, store)) = next
                        && let Err(error) = store.flush()
                    {
                        // The next commit tries again, and fails with it.
                        tracing::error!(%error, "rows cannot be written");
                        self.room.notify_all();
                    }
                    orders = self.lock();
                }
                Some((at, _)) => {
                    let wait = *at - now;
                    let waited = self.changed.wait_timeout(orders, wait);
                    orders = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None if orders.closed => return,
                None => {
                    orders = self.changed.wait(orders).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// So many more bytes wait; `first`: the first of their store, which is to be written in a while.
    pub(super) fn wait(&self, bytes: usize, first: Option<Arc<Behind>>) {
        let mut orders = self.lock();
        orders.bytes += bytes;
        if let Some(store) = first {
            orders.due.push_back((Instant::now() + DELAY, store));
            self.changed.notify_all();
        }
        if orders.bytes > LIMIT {
            self.changed.notify_all();
        }
        while orders.bytes > 2 * LIMIT && !orders.closed && !orders.due.is_empty() {
            orders = self.room.wait(orders).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn written(&self, bytes: usize) {
        let mut orders = self.lock();
        orders.bytes = orders.bytes.saturating_sub(bytes);
        self.room.notify_all();
    }
}
