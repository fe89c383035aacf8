//! Outputs under at-least-once leave by the plain producer: plain ones when the agents give way, those of
//! `send_latest` when there is nothing more to read, or a little later.

use super::*;
use crate::commit::Outbox;

/// How long an output of `send_latest` may wait under at-least-once.
const LATEST: Duration = Duration::from_millis(20);
/// The time that an output of `send_latest` holds the next ones back: agents that are behind merge more, and sending
/// takes no more than a small part of their time.
const PACE: Duration = Duration::from_micros(2);

/// What waits under at-least-once.
#[derive(Default)]
pub(super) struct Outputs {
    /// Plain outputs wait.
    plain: Cell<bool>,
    /// What waits in `send_latest` leaves at the latest then.
    latest: Cell<Option<Instant>>,
    /// Not before this.
    not_before: Cell<Option<Instant>>,
    /// As much waits as may: no event is begun before it was taken.
    pub(super) crowd: Cell<bool>,
    /// Something of this has changed.
    changed: Notify,
    /// Held while records of finished events are on their way to the producer: no cut may cover them before.
    pub(super) sending: tokio::sync::Mutex<()>,
}

impl Shard {
    /// An event is done whose outputs wait.
    pub(crate) fn outputs_wait(&self, bytes: usize) {
        self.waiting.set(self.waiting.get() + bytes);
        if !self.exactly_once && !self.outputs.plain.replace(true) {
            self.outputs.changed.notify_one();
        }
    }

    /// An event is done of which so many more bytes wait in `send_latest`.
    pub(crate) fn latest_waits(&self, bytes: usize) {
        self.waiting.set(self.waiting.get() + bytes);
        if !self.exactly_once && self.outputs.latest.get().is_none() {
            self.outputs.latest.set(Some(Instant::now() + LATEST));
            self.outputs.changed.notify_one();
        }
    }

    /// An agent waits for records. When all do, and have read everything that there is, what `send_latest` holds back
    /// need not wait: only who is behind gains by merging more.
    pub(crate) fn waits_for_records(&self) {
        let Some(due) = self.outputs.latest.get() else { return };
        let soon = self.outputs.not_before.get().unwrap_or(due - LATEST);
        if soon < due && self.tasks.borrow().values().all(|running| running.task.is_drained()) {
            self.outputs.latest.set(Some(soon));
            self.outputs.changed.notify_one();
        }
    }

    /// As much waits as may.
    pub(super) fn outputs_crowd(&self) {
        self.outputs.crowd.set(true);
        self.outputs.latest.set(self.outputs.latest.get().map(|_| Instant::now()));
        self.outputs.changed.notify_one();
    }

    /// What waited was taken.
    pub(super) fn outputs_taken(&self) {
        self.waiting.set(0);
        self.outputs.crowd.set(false);
        for waker in self.held_back.borrow_mut().drain(..) {
            waker.wake();
        }
    }

    /// Sends what waits, when it is time.
    pub(super) async fn outputs_loop(self: Rc<Self>) {
        let mut outbox = Outbox::default();
        loop {
            match self.outputs.latest.get() {
                _ if self.outputs.plain.get() => {}
                Some(due) if due <= Instant::now() => {}
                Some(due) => {
                    let _ = timeout_at(due, self.outputs.changed.notified()).await;
                    continue;
                }
                None => {
                    self.outputs.changed.notified().await;
                    continue;
                }
            }
            let _sending = self.outputs.sending.lock().await;
            let tasks: Vec<Rc<Task>> =
                self.tasks.borrow().values().map(|running| running.task.clone()).collect();
            let latest = self.outputs_leave();
            for task in tasks {
                task.take_outputs(latest, &mut outbox);
                if let Err(error) = self.send_all(&outbox).await {
                    self.worker.fail(error.to_string());
                }
                if latest {
                    let pace = PACE * u32::try_from(outbox.len()).unwrap_or(u32::MAX);
                    self.outputs.not_before.set(Some(Instant::now() + pace.min(LATEST)));
                }
                outbox.clear();
            }
        }
    }

    /// What waits is about to be taken; whether that of `send_latest` too.
    fn outputs_leave(&self) -> bool {
        let latest = self.outputs.latest.get().is_some_and(|due| due <= Instant::now());
        if latest {
            self.outputs.latest.set(None);
        }
        self.outputs.plain.set(false);
        self.outputs_taken();
        latest
    }

    /// Sends to the plain producer, waiting for room.
    pub(super) async fn send_all(&self, outbox: &Outbox) -> Result<(), SendError> {
        let mut from = 0;
        loop {
            let sent = outbox.each(from, |record| self.producer.borrow_mut().send(record));
            match sent {
                Ok(()) => return Ok(()),
                Err((at, SendError::Full)) => {
                    let room = self.producer.borrow_mut().room();
                    room.await;
                    from = at;
                }
                Err((_, error)) => return Err(error),
            }
        }
    }
}
