//! Outputs under at-least-once leave by the plain producer: at once when there is nothing more to read, else some
//! together, because each parcel costs the producer and the broker as much as a hundred records.

use super::*;
use crate::commit::Outbox;

/// How long a plain output may wait while there is more to read.
const PLAIN: Duration = Duration::from_millis(20);
/// How many bytes of outputs leave without waiting for more.
const PARCEL: usize = 4 << 20;
/// How long an output of `send_latest` may wait while there is more to read: twice as long each time, up to this.
const LATEST: Duration = Duration::from_millis(20);
/// And how long at first: after a pause of the broker's, nothing waits for all that has come meanwhile.
const FIRST: Duration = Duration::from_micros(2_500);
/// The time that an output of `send_latest` holds the next ones back, so that agents that are busy merge more, and
/// sending takes no more than a part of their time.
const PACE: Duration = Duration::from_nanos(500);

/// What waits under at-least-once.
#[derive(Default)]
pub(super) struct Outputs {
    /// When plain outputs leave.
    plain: Cell<Option<Instant>>,
    /// When what waits in `send_latest` leaves; plain outputs go with it.
    latest: Cell<Option<Instant>>,
    /// Not before this.
    not_before: Cell<Option<Instant>>,
    /// How long the next output of `send_latest` may wait, if it is more than [`FIRST`].
    patience: Cell<Duration>,
    /// As much waits as may: no event is begun before it was taken.
    pub(super) crowd: Cell<bool>,
    /// Something of this has changed.
    changed: Notify,
    /// Held while records of finished events are on their way to the producer: no cut may cover them before.
    pub(super) sending: tokio::sync::Mutex<()>,
}

/// Sets a time unless it is set to an earlier one.
fn hasten(time: &Cell<Option<Instant>>, to: Instant) -> bool {
    let sooner = time.get().is_none_or(|time| to < time);
    if sooner {
        time.set(Some(to));
    }
    sooner
}

impl Shard {
    /// An event is done whose outputs wait.
    pub(crate) fn outputs_wait(&self, bytes: usize) {
        let waiting = self.waiting.get() + bytes;
        self.waiting.set(waiting);
        if self.exactly_once {
            return;
        }
        let first = self.outputs.plain.get().is_none();
        let full = waiting >= PARCEL && waiting - bytes < PARCEL;
        if first || full {
            let wait = if full { Duration::ZERO } else { PLAIN };
            hasten(&self.outputs.plain, Instant::now() + wait);
            self.outputs.changed.notify_one();
        }
    }

    /// An event is done of which so many more bytes wait in `send_latest`.
    pub(crate) fn latest_waits(&self, bytes: usize) {
        self.waiting.set(self.waiting.get() + bytes);
        if !self.exactly_once && self.outputs.latest.get().is_none() {
            let wait = self.outputs.patience.get().max(FIRST);
            self.outputs.latest.set(Some(Instant::now() + wait));
            self.outputs.changed.notify_one();
        }
    }

    /// An agent waits for records. When all do, and have read everything that there is, what waits leaves: only who is
    /// behind gains by sending more at a time.
    pub(crate) fn waits_for_records(&self) {
        let (plain, latest) = (self.outputs.plain.get(), self.outputs.latest.get());
        if plain.is_none() && latest.is_none() {
            return;
        }
        if !self.tasks.borrow().values().all(|running| running.task.is_drained()) {
            return;
        }
        self.outputs.patience.set(Duration::ZERO);
        let now = Instant::now();
        let sooner = plain.is_some() && hasten(&self.outputs.plain, now);
        let soon = self.outputs.not_before.get().map_or(now, |time| time.max(now));
        if (latest.is_some() && hasten(&self.outputs.latest, soon)) || sooner {
            self.outputs.changed.notify_one();
        }
    }

    /// As much waits as may.
    pub(super) fn outputs_crowd(&self) {
        self.outputs.crowd.set(true);
        let now = Instant::now();
        for time in [&self.outputs.plain, &self.outputs.latest] {
            time.set(time.get().map(|_| now));
        }
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
            let times = [self.outputs.plain.get(), self.outputs.latest.get()];
            let Some(next) = times.into_iter().flatten().min() else {
                self.outputs.changed.notified().await;
                continue;
            };
            if next > Instant::now() {
                let _ = timeout_at(next, self.outputs.changed.notified()).await;
                continue;
            }
            let _sending = self.outputs.sending.lock().await;
            let tasks: Vec<Rc<Task>> =
                self.tasks.borrow().values().map(|running| running.task.clone()).collect();
            let latest = self.outputs.latest.get().is_some_and(|time| time <= Instant::now());
            self.outputs.plain.set(None);
            if latest {
                self.outputs.latest.set(None);
                self.outputs.patience.update(|last| (last * 2).clamp(FIRST, LATEST));
            }
            self.outputs_taken();
            let mut sent = 0;
            for task in tasks {
                task.take_outputs(latest, &mut outbox);
                sent += outbox.len();
                if let Err(error) = self.send_all(&outbox).await {
                    self.worker.fail(error.to_string());
                }
                outbox.clear();
            }
            if latest {
                let pace = PACE * u32::try_from(sent).unwrap_or(u32::MAX);
                self.outputs.not_before.set(Some(Instant::now() + pace.min(LATEST)));
            }
        }
    }

    /// Sends to the plain producer, waiting for room.
    pub(super) async fn send_all(&self, outbox: &Outbox) -> Result<(), SendError> {
        let mut sent = 0;
        loop {
            let more = self.producer.borrow_mut().send_all(&mut outbox.records().skip(sent));
            match more {
                Ok(()) => return Ok(()),
                Err((taken, SendError::Full)) => {
                    sent += taken;
                    let room = self.producer.borrow_mut().room();
                    room.await;
                }
                Err((_, error)) => return Err(error),
            }
        }
    }
}
