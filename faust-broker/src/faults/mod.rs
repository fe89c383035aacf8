//! Faults on purpose, for tests: requests that fail, come late or are never answered, and a broker that dies in the
//! middle of a transaction. A broker without any pays one relaxed load per request.

mod fault;
mod refusal;

use std::io::BufRead;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use fault::{Fault, FaultError};
pub use refusal::refusal;

/// The faults of one broker. Clones are the same faults.
///
/// ```
/// use faust_broker::{Broker, Config};
///
/// let broker = Broker::start(Config::default())?;
/// // The third end of a transaction is refused with COORDINATOR_NOT_AVAILABLE …
/// broker.faults().add("EndTxn error=15 nth=3".parse()?);
/// // … and for two seconds from now, every other produce is carried out but not answered.
/// broker.faults().add("Produce lose-answer every=2 for=2s".parse()?);
/// assert_eq!(broker.faults().strikes(), 0);
/// broker.faults().clear();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    armed: AtomicBool,
    strikes: AtomicU64,
    faults: Mutex<Vec<Fault>>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is not carried out, and answered with this code of Kafka's.
    Error(i16),
    /// It waits before it is carried out.
    Delay(Duration),
    /// It is not carried out; the connection is closed.
    Drop,
    /// It is carried out; the connection is closed instead of an answer.
    LoseAnswer,
    /// It is not carried out, and from here on the connection is open but silent.
    Silence,
}

/// Moments within the end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The decision is durable, no marker is written.
    Prepared,
    /// Some partitions have their marker, some do not.
    BetweenMarkers,
    /// All markers are written; offsets are not committed, and the end is not recorded.
    Marked,
}

impl Faults {
    /// Adds a fault. It begins to count requests, and its time begins, now.
    pub fn add(&self, fault: Fault) {
        self.lock().push(fault.begun());
        self.0.armed.store(true, Ordering::Release);
    }

    /// Adds the faults that a reader has, one a line; an empty line removes all. It ends where the reader ends.
    pub fn follow(&self, lines: impl BufRead) {
        for line in lines.lines().map_while(Result::ok) {
            match line.parse() {
                _ if line.is_empty() => self.clear(),
                Ok(fault) => self.add(fault),
                Err(error) => eprintln!("error: {error}"),
            }
        }
    }

    /// Removes all.
    pub fn clear(&self) {
        self.0.armed.store(false, Ordering::Release);
        self.lock().clear();
    }

    /// How many requests were struck so far.
    #[must_use]
    pub fn strikes(&self) -> u64 {
        self.0.strikes.load(Ordering::Relaxed)
    }

    /// What becomes of the request in a frame. The first fault that applies decides; all of them count it.
    #[doc(hidden)]
    #[must_use]
    pub fn strike(&self, frame: &[u8]) -> Option<Effect> {
        if !self.0.armed.load(Ordering::Relaxed) {
            return None;
        }
        let api = frame.first_chunk().map(|api| i16::from_be_bytes(*api))?;
        let mut faults = self.lock();
        let mut effect = None;
        for fault in faults.iter_mut() {
            let struck = fault.strike(api);
            effect = effect.or(struck);
        }
        self.0.strikes.fetch_add(u64::from(effect.is_some()), Ordering::Relaxed);
        faults.retain(Fault::is_live);
        effect
    }

    /// Ends the process, if a fault says so.
    pub(crate) fn reach(&self, moment: Moment) {
        if !self.0.armed.load(Ordering::Relaxed) {
            return;
        }
        if self.lock().iter_mut().any(|fault| fault.kills(moment)) {
            tracing::error!(?moment, "the broker dies, as a test wants it");
            std::process::abort();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        // Nothing here can be left half done.
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
