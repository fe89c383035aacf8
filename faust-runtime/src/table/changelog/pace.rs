//! What all recoveries of a worker have together: how fast changelogs are read back, and how much is kept in memory
//! until it is written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Shared by all recoveries.
pub(crate) struct Pace {
    /// Bytes a second; `None`: no limit.
    rate: Option<usize>,
    /// When what was taken so far is paid for.
    paid: Mutex<Option<Instant>>,
    running: AtomicUsize,
}

/// How much all recoveries keep: the more is written at once, the less the store has to merge.
const KEPT: usize = 128 << 20;

/// One recovery that runs.
pub(super) struct Turn<'a>(&'a Pace);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pace {
    pub(crate) fn new(rate: Option<usize>) -> Self {
        Self { rate, paid: Mutex::new(None), running: AtomicUsize::new(0) }
    }

    /// A recovery begins.
    pub(super) fn begin(&self) -> Turn<'_> {
        self.running.fetch_add(1, Ordering::Relaxed);
        Turn(self)
    }

    /// How many bytes one recovery may keep now.
    pub(super) fn share(&self) -> usize {
        KEPT / self.running.load(Ordering::Relaxed).max(1)
    }

    /// Takes so many bytes; waits until they are paid for.
    pub(super) async fn take(&self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        let until = {
            let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let cost = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
            let until = paid.map_or(now, |paid| paid.max(now)) + cost;
            *paid.insert(until)
        };
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn recoveries_share_one_rate() {
        let pace = Pace::new(Some(1000));
        let started = Instant::now();
        let take = async {
            for _ in 0..10 {
                pace.take(100).await;
            }
        };
        let also = async {
            for _ in 0..5 {
                pace.take(200).await;
            }
        };
        tokio::join!(take, also);
        assert_eq!(started.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nobody_waits() {
        let started = Instant::now();
        Pace::new(None).take(usize::MAX).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
