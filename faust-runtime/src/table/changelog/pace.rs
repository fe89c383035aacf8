//! What all recoveries of a worker have together, and all its standbys: how fast changelogs are read, and how much is
//! kept in memory until it is written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

/// Shared by all recoveries, or by all standbys.
pub(crate) struct Pace {
    /// Bytes a second; `None`: no limit.
    rate: Option<usize>,
    /// When what was taken so far is paid for.
    paid: Mutex<Option<Instant>>,
    running: AtomicUsize,
}

/// So much may come at once, so that small batches do not wait.
const BURST: Duration = Duration::from_millis(100);
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

    /// Takes so many bytes; waits until they are paid for but for a burst, and lets others run.
    pub(super) async fn take(&self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        let now = Instant::now();
        let until = {
            let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
            let cost = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
            let until = paid.map_or(now, |paid| paid.max(now)) + cost;
            *paid.insert(until)
        };
        match until.checked_sub(BURST) {
            Some(until) if until > now => sleep_until(until).await,
            _ => yield_now().await,
        }
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
                pace.take(240).await;
            }
        };
        tokio::join!(take, also);
        assert_eq!(started.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_little_comes_at_once_and_idle_time_is_not_saved_up() {
        let pace = Pace::new(Some(1000));
        pace.take(5000).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let started = Instant::now();
        pace.take(50).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        pace.take(1000).await;
        assert!(started.elapsed() > Duration::from_millis(900));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nobody_waits() {
        let started = Instant::now();
        Pace::new(None).take(usize::MAX).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
