//! What became of the records that were sent, counted as the brokers answer.

use std::{
    ffi::c_void,
    fmt,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::{Error, Result, SendError, wake::WakerCell};

/// Counts what became of records. Clones count together.
///
/// A producer never waits for a single record: a whole cut is sent with one of these, and is
/// through when all of it is settled.
///
/// ```no_run
/// # use faust_kafka::{Config, Deliveries, Producer, Record};
/// # async fn example(producer: Producer) -> Result<(), Box<dyn std::error::Error>> {
/// let topic = producer.topic("words")?;
/// let deliveries = Deliveries::new(1);
/// for word in ["to", "be"] {
///     let record = Record { value: Some(word.as_bytes()), ..Record::default() };
///     producer.send(&topic, &record, Some((&deliveries, 0)))?;
/// }
/// deliveries.settled().await?;
/// println!("the log reaches {:?}", deliveries.offset(0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Deliveries(Arc<Counts>);

/// The highest offset at which a record of a slot was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotOffset {
    /// No record of the slot has arrived yet.
    None,
    /// Records have arrived, but only in answers to retries, in which the brokers do not say where.
    Unknown,
    /// This one is the highest that a broker named. It is exact unless later records were settled
    /// by retries.
    Known(i64),
}

struct Counts {
    /// How many were sent (the upper half) and how many of them are not settled (the lower half). As long as some are
    /// not, they hold one share of these counts together.
    sent: AtomicU64,
    failed: AtomicU64,
    first_failure: Mutex<Option<Error>>,
    waiting: WakerCell,
    lock: Mutex<()>,
    zero: Condvar,
    slots: Box<[Slot]>,
}

/// What a record carries through librdkafka: a pointer to one of these stands for the slot and for
/// being counted as under way.
struct Slot {
    /// `NONE`, `UNKNOWN` or an offset: in this order, so that the highest wins.
    offset: AtomicI64,
    counts: *const Counts,
}

// SAFETY: the pointer is only followed while the counts that it points to are kept alive by a share.
unsafe impl Send for Slot {}
// SAFETY: as above; all else is atomic.
unsafe impl Sync for Slot {}

/// One record that was sent and is not settled, as [`Counts::sent`] counts it.
const ONE_SENT: u64 = (1 << 32) + 1;
/// The part of it that is not settled.
const PENDING: u64 = u32::MAX as u64;

const NONE: i64 = -2;
const UNKNOWN: i64 = -1;

impl Deliveries {
    /// Counts for records of `slots` kinds (one for each changelog partition, for instance), whose
    /// offsets are kept apart. At least one.
    pub fn new(slots: u32) -> Self {
        Self(Arc::new_cyclic(|counts| Counts {
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            first_failure: Mutex::new(None),
            waiting: WakerCell::default(),
            lock: Mutex::new(()),
            zero: Condvar::new(),
            slots: (0..slots.max(1))
                .map(|_| Slot { offset: AtomicI64::new(NONE), counts: counts.as_ptr() })
                .collect(),
        }))
    }

    /// How many records were sent, at most 2³² - 1.
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Acquire) >> 32
    }

    /// How many are still under way.
    pub fn pending(&self) -> u64 {
        self.0.sent.load(Ordering::Acquire) & PENDING
    }

    /// How many arrived.
    pub fn delivered(&self) -> u64 {
        let sent = self.0.sent.load(Ordering::Acquire);
        (sent >> 32).saturating_sub((sent & PENDING) + self.failed())
    }

    /// How many did not arrive, or perhaps not.
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Acquire)
    }

    /// The highest offset of a slot; `None` also for a slot that there is not.
    pub fn offset(&self, slot: u32) -> SlotOffset {
        let slot = self.0.slots.get(slot as usize);
        match slot.map_or(NONE, |slot| slot.offset.load(Ordering::Acquire)) {
            NONE => SlotOffset::None,
            UNKNOWN => SlotOffset::Unknown,
            offset => SlotOffset::Known(offset),
        }
    }

    /// Ready when nothing is under way; an error if a record failed (the first that did). Only the
    /// task that polled last is woken.
    pub fn poll_settled(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.pending() > 0 {
            self.0.waiting.register(cx);
            // The last one may have been settled between the two.
            if self.pending() > 0 {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.outcome())
    }

    /// Waits until nothing is under way; an error if a record failed (the first that did).
    pub async fn settled(&self) -> Result<()> {
        std::future::poll_fn(|cx| self.poll_settled(cx)).await
    }

    /// Like [`settled`](Self::settled), but blocks the thread.
    pub fn wait(&self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let mut guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.pending() > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let what = format!("{} deliveries are under way", self.pending());
                return Err(Error::TimedOut { what, after: timeout });
            }
            let waited = self.0.zero.wait_timeout(guard, left);
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        self.outcome()
    }

    /// Why the first record that failed has failed.
    pub fn failure(&self) -> Option<Error> {
        self.0.first_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn outcome(&self) -> Result<()> {
        self.failure().map_or(Ok(()), Err)
    }

    /// Counts records as sent; what is returned goes with each of them. At least one.
    pub(super) fn tickets(&self, slot: u32, records: u32) -> Result<Ticket, SendError> {
        let slots = &self.0.slots;
        let Some(place) = slots.get(slot as usize) else {
            return Err(SendError::UnknownSlot { slot, slots: slots.len() as u32 });
        };
        let count = ONE_SENT * u64::from(records);
        if self.0.sent.fetch_add(count, Ordering::AcqRel) & PENDING == 0 {
            // The share of all that are under way; whoever settles the last of them gives it back. That cannot have
            // happened yet, for these are under way.
            let _ = Arc::into_raw(Arc::clone(&self.0));
        }
        Ok(Ticket(place))
    }
}

/// What stands for a record that is counted as under way; the same for all of a slot.
pub(super) struct Ticket(*const Slot);

impl Ticket {
    /// For librdkafka, which hands it back for each record that is settled.
    pub(super) fn opaque(&self) -> *mut c_void {
        self.0.cast_mut().cast()
    }

    /// # Safety
    /// `opaque` came from [`opaque`](Self::opaque), and this is the only call with it for that record.
    pub(super) unsafe fn from_opaque(opaque: *mut c_void) -> Option<Self> {
        (!opaque.is_null()).then(|| Self(opaque.cast_const().cast()))
    }

    /// So many records were not taken after all.
    pub(super) fn withdraw(self, records: u32) {
        if records > 0 {
            self.settle(ONE_SENT, records);
        }
    }

    /// The record arrived at an offset, or at one that the broker did not name.
    pub(super) fn delivered(self, offset: i64) {
        // SAFETY: this record is under way, so the counts are alive, and the slot with them.
        unsafe { &*self.0 }.offset.fetch_max(offset.max(UNKNOWN), Ordering::Relaxed);
        self.settle(1, 1);
    }

    /// The record did not arrive.
    pub(super) fn failed(self, error: Error) {
        // SAFETY: this record is under way, so the counts are alive, and the slot with them.
        let counts = unsafe { &*(*self.0).counts };
        counts.first_failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        counts.failed.fetch_add(1, Ordering::Relaxed);
        self.settle(1, 1);
    }

    /// Takes records out of what is under way, each of which counts `each`.
    fn settle(self, each: u64, records: u32) {
        let records = u64::from(records);
        // SAFETY: these records are under way, so the counts are alive, and the slot with them.
        let counts = unsafe { (*self.0).counts };
        // Releases what was written about the records to whoever then finds nothing under way. Behind this line the
        // counts may be gone, except for the last records, to which the share falls.
        //
        // SAFETY: as above.
        let before = unsafe { &*counts }.sent.fetch_sub(each * records, Ordering::AcqRel);
        if before & PENDING == records {
            // SAFETY: the share that the first of those under way took by `Arc::into_raw`; it is taken back once, for
            // only one call can settle the last.
            let counts = unsafe { Arc::from_raw(counts) };
            drop(counts.lock.lock().unwrap_or_else(PoisonError::into_inner));
            counts.zero.notify_all();
            counts.waiting.wake();
        }
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries")
            .field("pending", &self.pending())
            .field("delivered", &self.delivered())
            .field("failed", &self.failed())
            .finish_non_exhaustive()
    }
}
