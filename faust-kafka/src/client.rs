//! A running client of librdkafka, and the thread that serves what it reports.

use std::{
    any::Any,
    ffi::{c_char, c_int},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rdkafka_sys as sys;

use crate::{
    Config, Error, Result,
    config::Role,
    log,
    native::{Event, Queue, millis, text},
};

unsafe extern "C" {
    fn faust_meet(rk: *mut sys::rd_kafka_t, timeout_ms: c_int) -> c_int;
}

/// A client that serves itself. The last user only says so when it goes; the client's own thread
/// then takes it down, which can take a while and so must not happen on a thread that runs futures.
#[derive(Debug)]
pub(crate) struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    raw: RawClient,
    retired: AtomicBool,
}

impl Client {
    /// Starts a client and its thread. `prepare` can add callbacks; `callbacks` is what they point to.
    pub(crate) fn start(
        config: &Config,
        role: &Role<'_>,
        prepare: impl FnOnce(*mut sys::rd_kafka_conf_t),
        callbacks: Box<dyn Any + Send + Sync>,
    ) -> Result<Self> {
        let raw = RawClient::start(config, role, prepare, callbacks)?;
        let shared = Arc::new(Shared { raw, retired: AtomicBool::new(false) });
        let served = Arc::clone(&shared);
        let name = format!("kafka-{}", role.name());
        thread::Builder::new()
            .name(name)
            .spawn(move || serve(served))
            .map_err(|error| Error::Client { reason: error.to_string() })?;
        Ok(Self(shared))
    }

    pub(crate) fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.0.raw.ptr()
    }

    /// A new queue, for answers.
    pub(crate) fn queue(&self) -> Result<Queue> {
        // SAFETY: the client is alive; the queue is ours.
        unsafe { Queue::own(sys::rd_kafka_queue_new(self.ptr())) }
            .ok_or_else(|| Error::Client { reason: "it has no queue".to_owned() })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.0.retired.store(true, Ordering::Release);
        self.0.raw.main.wake();
    }
}

/// How long one try to meet a broker waits: so much later than asked a client without one ends.
const MEETING: Duration = Duration::from_millis(100);
/// After so many it does without.
const MEETINGS: u32 = 100;

fn serve(mut shared: Arc<Shared>) {
    // Otherwise a producer that asks for its id at the wrong moment asks again after half a second.
    for _ in 0..MEETINGS {
        if shared.retired.load(Ordering::Acquire) || shared.raw.has_met(MEETING) {
            break;
        }
        while let Some(event) = shared.raw.main.poll(Duration::ZERO) {
            shared.raw.report(&event);
        }
    }
    while !shared.retired.load(Ordering::Acquire) {
        // Deliveries that failed arrive here too: they were counted by the interceptor and only
        // need to be freed, but freed they must be, or an abort waits for them in vain.
        if let Some(event) = shared.raw.main.poll(Duration::from_secs(30)) {
            shared.raw.report(&event);
        }
    }
    // The last user may still be inside `wake`.
    let raw = loop {
        match Arc::try_unwrap(shared) {
            Ok(last) => break last.raw,
            Err(again) => shared = again,
        }
        thread::yield_now();
    };
    drop(raw);
}

/// A client without a thread: its main queue is polled by whoever owns it.
#[derive(Debug)]
pub(crate) struct RawClient {
    /// Where errors, rebalances and failed deliveries come out. Dropped by hand, before the client.
    pub(crate) main: std::mem::ManuallyDrop<Queue>,
    rk: *mut sys::rd_kafka_t,
    config: Config,
    name: String,
    is_producer: bool,
    /// Outlives the client, whose callbacks point to it.
    _callbacks: Box<dyn Any + Send + Sync>,
}

// SAFETY: librdkafka's client may be used from any thread; the callbacks' state is Send and Sync by
// its type.
unsafe impl Send for RawClient {}
// SAFETY: as above.
unsafe impl Sync for RawClient {}

impl RawClient {
    /// Starts a client. `callbacks` is what the client's callbacks point to.
    pub(crate) fn start(
        config: &Config,
        role: &Role<'_>,
        prepare: impl FnOnce(*mut sys::rd_kafka_conf_t),
        callbacks: Box<dyn Any + Send + Sync>,
    ) -> Result<Self> {
        let native = config.native(role)?;
        let is_producer = role.is_producer();
        let kind = if is_producer {
            sys::rd_kafka_type_t::RD_KAFKA_PRODUCER
        } else {
            sys::rd_kafka_type_t::RD_KAFKA_CONSUMER
        };
        let events = sys::RD_KAFKA_EVENT_ERROR
            | if is_producer { sys::RD_KAFKA_EVENT_DR } else { sys::RD_KAFKA_EVENT_REBALANCE };
        let mut reason: [c_char; 512] = [0; 512];
        // SAFETY: the configuration is a copy of ours; `rd_kafka_new` takes it over if it succeeds,
        // and we destroy it if it does not. `reason` is a buffer of the given size, and a C string
        // afterwards.
        unsafe {
            let conf = sys::rd_kafka_conf_dup(native.ptr());
            // Deliveries as events: only then does `rd_kafka_flush`, which a commit calls too,
            // sleep until the last one is settled. In the other modes it looks every 10 ms, and
            // takes our events away.
            sys::rd_kafka_conf_set_events(conf, events);
            sys::rd_kafka_conf_set_log_cb(conf, Some(log::log));
            prepare(conf);
            let rk = sys::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len());
            if rk.is_null() {
                sys::rd_kafka_conf_destroy(conf);
                return Err(Error::Client { reason: text(reason.as_ptr()) });
            }
            let main = if role.has_group() {
                // One queue for all: what a consumer reports, and what any client does.
                sys::rd_kafka_poll_set_consumer(rk);
                sys::rd_kafka_queue_get_consumer(rk)
            } else {
                sys::rd_kafka_queue_get_main(rk)
            };
            let Some(main) = Queue::own(main) else {
                sys::rd_kafka_destroy(rk);
                return Err(Error::Client { reason: "it has no queue".to_owned() });
            };
            Ok(Self {
                main: std::mem::ManuallyDrop::new(main),
                rk,
                config: config.clone(),
                name: text(sys::rd_kafka_name(rk)),
                is_producer,
                _callbacks: callbacks,
            })
        }
    }

    pub(crate) fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.rk
    }

    /// Whether there is a connection to a broker within a time.
    fn has_met(&self, patience: Duration) -> bool {
        // SAFETY: the client is alive.
        unsafe { faust_meet(self.rk, millis(patience)) != 0 }
    }

    /// Hands an error event on, and returns what it said.
    pub(crate) fn report(&self, event: &Event) -> Option<Error> {
        if event.kind() != sys::RD_KAFKA_EVENT_ERROR {
            return None;
        }
        let error = log::error_of(self.rk, event)?;
        self.config.report(&self.name, error.clone());
        Some(error)
    }
}

impl Drop for RawClient {
    fn drop(&mut self) {
        // SAFETY: nobody else has the client any more; its queue goes first, and is not used again.
        unsafe {
            if self.is_producer {
                // Whatever is still queued is lost: say so to whoever counts it.
                sys::rd_kafka_purge(
                    self.rk,
                    sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT,
                );
                while let Some(event) = self.main.poll(Duration::ZERO) {
                    drop(event);
                }
            }
            std::mem::ManuallyDrop::drop(&mut self.main);
            // A consumer's close would wait for answers to rebalances that nobody gives any more.
            sys::rd_kafka_destroy_flags(self.rk, sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        }
    }
}
