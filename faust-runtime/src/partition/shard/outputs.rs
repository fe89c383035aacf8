//! Outputs under at-least-once: they leave at once by the plain producer, those of `send_latest` a little later.

use super::*;
use crate::commit::Outbox;

/// How long an output of `send_latest` may wait under at-least-once.
const LATEST: Duration = Duration::from_millis(20);

impl Shard {
    /// Sends to the plain producer, waiting for room.
    pub(crate) async fn send_all(&self, outbox: &Outbox) -> Result<(), SendError> {
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

    /// Under at-least-once: what `send_latest` holds back leaves after a short while.
    pub(super) async fn latest_loop(self: Rc<Self>) {
        loop {
            self.latest_first.notified().await;
            let _ = timeout(LATEST, self.latest_now.notified()).await;
            self.latest_pending.set(false);
            self.flush_latest().await;
        }
    }

    /// Something waits in a `send_latest`.
    pub(crate) fn latest_staged(&self) {
        if !self.latest_pending.replace(true) {
            self.latest_first.notify_one();
        }
    }

    /// A queue has run empty: what `send_latest` holds back need not wait.
    pub(crate) fn queue_empty(&self) {
        if self.latest_pending.get() {
            self.latest_now.notify_one();
        }
    }

    /// Sends what `send_latest` holds back.
    async fn flush_latest(&self) {
        let _sending = self.sending_latest.lock().await;
        let tasks: Vec<Rc<Task>> =
            self.tasks.borrow().values().map(|running| running.task.clone()).collect();
        for task in tasks {
            if let Some(outbox) = task.take_latest()
                && let Err(error) = self.send_all(&outbox).await
            {
                self.worker.fail(error.to_string());
            }
        }
    }
}
