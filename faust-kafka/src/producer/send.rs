//! Handing records to librdkafka, and hearing what became of them.

use std::{
    cell::Cell,
    collections::HashMap,
    ffi::{c_char, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rdkafka_sys as sys;

use super::deliveries::Ticket;
use crate::{
    Code, Config, Deliveries, Error, Result, SendError,
    client::Client,
    config::Role,
    native::{NativeError, c_name, text},
};

/// A record to send. Everything is copied when it is.
///
/// ```
/// # use faust_kafka::Record;
/// let tombstone = Record { partition: 3, key: Some(b"gone"), ..Record::default() };
/// assert_eq!(tombstone.value, None);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Record<'a> {
    /// The partition.
    pub partition: i32,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; none for a tombstone.
    pub value: Option<&'a [u8]>,
    /// The time in milliseconds; without one, when it is sent. To librdkafka 0 is no time, so what
    /// is below 1 is sent as 1.
    pub timestamp: Option<i64>,
    /// The headers. They cost more than the rest of a record.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

impl Record<'_> {
    /// The timestamp as librdkafka takes it, to which 0 is none.
    pub(super) fn native_timestamp(&self) -> i64 {
        self.timestamp.map_or(0, |time| time.max(1))
    }
}

/// A topic of one producer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TopicHandle(Arc<Topic>);

#[derive(Debug)]
struct Topic {
    name: String,
    topic: *mut sys::rd_kafka_topic_t,
    /// A topic must go before its client does.
    client: Arc<Client>,
}

// SAFETY: librdkafka's topics may be used from any thread.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

impl TopicHandle {
    /// The topic's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_topic_t {
        self.0.topic
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: our reference, destroyed once; the client is alive.
        unsafe { sys::rd_kafka_topic_destroy(self.topic) };
    }
}

/// What both kinds of producers send with.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) client: Arc<Client>,
    topics: Mutex<HashMap<String, TopicHandle>>,
    /// A record was given up that may be in the log all the same.
    doubt: Arc<AtomicBool>,
}

thread_local! {
    /// Whether this thread is inside `rd_kafka_produceva`.
    static SENDING: Cell<bool> = const { Cell::new(false) };
}

impl Sender {
    pub(super) fn start(config: &Config, role: &Role<'_>) -> Result<Self> {
        let doubt = Arc::new(AtomicBool::new(false));
        let opaque = Arc::as_ptr(&doubt).cast_mut().cast();
        let intercept = |conf| {
            // SAFETY: the configuration is alive; what the callbacks get outlives the client, which keeps a share of it.
            unsafe {
                sys::rd_kafka_conf_interceptor_add_on_new(conf, INTERCEPTOR, Some(on_new), opaque);
            }
        };
        let client = Client::start(config, role, intercept, Box::new(Arc::clone(&doubt)))?;
        Ok(Self { client: Arc::new(client), topics: Mutex::default(), doubt })
    }

    /// Whether a record was given up that may be in the log all the same.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.load(Ordering::Acquire)
    }

    pub(super) fn topic(&self, name: &str) -> Result<TopicHandle> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = topics.get(name) {
            return Ok(known.clone());
        }
        let c_name = c_name("topic", name)?;
        // SAFETY: the client is alive; no configuration means its default.
        let topic =
            unsafe { sys::rd_kafka_topic_new(self.client.ptr(), c_name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() {
            return Err(Error::Argument {
                what: format!("the topic {name:?}"),
                reason: "it is not a topic's name".to_owned(),
            });
        }
        let client = Arc::clone(&self.client);
        let handle = TopicHandle(Arc::new(Topic { name: name.to_owned(), topic, client }));
        topics.insert(name.to_owned(), handle.clone());
        Ok(handle)
    }

    /// Whether a handle is one of this producer's.
    pub(super) fn owns(&self, topic: &TopicHandle) -> bool {
        Arc::ptr_eq(&self.client, &topic.0.client)
    }

    pub(super) fn send(
        &self,
        topic: &TopicHandle,
        record: &Record<'_>,
        deliveries: Option<(&Deliveries, u32)>,
    ) -> Result<(), SendError> {
        if !self.owns(topic) {
            return Err(SendError::ForeignTopic { topic: topic.0.name.clone() });
        }
        let ticket = match deliveries {
            None => ptr::null_mut(),
            Some((deliveries, slot)) => deliveries.tickets(slot, 1)?.opaque(),
        };
        let headers = Headers::of(record.headers);
        let parts = [
            topic_part(topic.ptr()),
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION, |u| u.i32_ = record.partition),
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY, |u| u.mem = memory(record.key)),
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE, |u| u.mem = memory(record.value)),
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP, |u| {
                u.i64_ = record.native_timestamp();
            }),
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE, |u| u.ptr = ticket),
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS, |u| {
                // Never MSG_F_BLOCK: a full queue is the caller's to hear of.
                u.i = sys::RD_KAFKA_MSG_F_COPY;
            }),
            part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS, |u| u.headers = headers.0),
        ];
        // The headers come last, so that they can be left out.
        let count = if headers.0.is_null() { parts.len() - 1 } else { parts.len() };
        SENDING.set(true);
        // SAFETY: client and topic are alive and belong together; what the parts point to lives
        // until the call returns, and is copied. The ticket and, if the call succeeds, the headers
        // are librdkafka's from here on.
        let sent = unsafe {
            NativeError::take(sys::rd_kafka_produceva(self.client.ptr(), parts.as_ptr(), count))
        };
        SENDING.set(false);
        match sent {
            Ok(()) => {
                std::mem::forget(headers);
                Ok(())
            }
            Err(error) => {
                // SAFETY: librdkafka did not take the record, and the interceptor does not touch
                // tickets while we are inside the call: so the ticket is still ours.
                if let Some(ticket) = unsafe { Ticket::from_opaque(ticket) } {
                    ticket.withdraw(1);
                }
                Err(self.refusal(error, topic, record))
            }
        }
    }

    fn refusal(&self, error: NativeError, topic: &TopicHandle, record: &Record<'_>) -> SendError {
        match error.code {
            Code::QUEUE_FULL => SendError::QueueFull,
            Code::MESSAGE_TOO_LARGE => SendError::TooLarge,
            Code::UNKNOWN_PARTITION | Code::UNKNOWN_TOPIC => SendError::UnknownPartition {
                topic: topic.0.name.clone(),
                partition: record.partition,
            },
            code if error.fatal || code == Code::FATAL => {
                let (code, text) = crate::log::fatal_of(self.client.ptr());
                SendError::Fatal { code, text }
            }
            code => SendError::Refused { code, text: error.text },
        }
    }
}

/// Headers for one record; librdkafka's once the record is sent.
struct Headers(*mut sys::rd_kafka_headers_t);

impl Headers {
    fn of(headers: &[(&str, Option<&[u8]>)]) -> Self {
        if headers.is_empty() {
            return Self(ptr::null_mut());
        }
        // SAFETY: the list is ours; names and values are copied, with their lengths.
        unsafe {
            let list = sys::rd_kafka_headers_new(headers.len());
            for (name, value) in headers {
                let (value, len) = value.map_or((ptr::null(), 0), |v| (v.as_ptr(), v.len()));
                sys::rd_kafka_header_add(
                    list,
                    name.as_ptr().cast(),
                    name.len().cast_signed(),
                    value.cast(),
                    len.cast_signed(),
                );
            }
            Self(list)
        }
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: still ours, for the record was not sent.
            unsafe { sys::rd_kafka_headers_destroy(self.0) };
        }
    }
}

type Value = sys::rd_kafka_vu_s__bindgen_ty_1;

fn part(vtype: sys::rd_kafka_vtype_t, set: impl FnOnce(&mut Value)) -> sys::rd_kafka_vu_t {
    // Every variant starts at the front of the union; what it does not cover is never read.
    let mut value = Value { ptr: ptr::null_mut() };
    set(&mut value);
    sys::rd_kafka_vu_t { vtype, u: value }
}

fn topic_part(topic: *mut sys::rd_kafka_topic_t) -> sys::rd_kafka_vu_t {
    part(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT, |u| u.rkt = topic)
}

fn memory(bytes: Option<&[u8]>) -> sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    let (start, size) = bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()));
    sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
        // Only read from, although C does not say so.
        ptr: start.cast_mut().cast(),
        size,
    }
}

const INTERCEPTOR: *const c_char = c"faust".as_ptr();

/// Interceptors of a client can be added only while it is made.
unsafe extern "C" fn on_new(
    rk: *mut sys::rd_kafka_t,
    _: *const sys::rd_kafka_conf_t,
    opaque: *mut c_void,
    _: *mut c_char,
    _: usize,
) -> sys::rd_kafka_resp_err_t {
    // SAFETY: the client is being made; what the callback gets outlives it.
    unsafe {
        sys::rd_kafka_interceptor_add_on_acknowledgement(
            rk,
            INTERCEPTOR,
            Some(on_acknowledgement),
            opaque,
        )
    }
}

/// Runs for every record that is settled, on a broker's thread or on the one that purges.
unsafe extern "C" fn on_acknowledgement(
    _: *mut sys::rd_kafka_t,
    message: *mut sys::rd_kafka_message_t,
    doubt: *mut c_void,
) -> sys::rd_kafka_resp_err_t {
    // A record that is refused inside `rd_kafka_produceva` comes through here too; `send` settles
    // that one. Nothing else is settled on a thread that is inside that call.
    if !SENDING.get() {
        // SAFETY: the message is alive for this call, and its opaque is the ticket that was sent
        // with it, if any; librdkafka settles each record once. The flag outlives the client.
        let _ = catch_unwind(AssertUnwindSafe(|| unsafe {
            settle(message, &*doubt.cast_const().cast());
        }));
    }
    sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// # Safety
/// The message is alive, and this is the only call with it.
unsafe fn settle(message: *mut sys::rd_kafka_message_t, doubt: &AtomicBool) {
    use sys::rd_kafka_msg_status_t::{
        RD_KAFKA_MSG_STATUS_PERSISTED as PERSISTED,
        RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED as POSSIBLY_PERSISTED,
    };
    // SAFETY: as promised. The code is read as an integer: it may be one that the enum in the
    // binding does not know.
    unsafe {
        let code = Code((&raw const (*message).err).cast::<i32>().read());
        let status = sys::rd_kafka_message_status(message);
        if code != Code::NONE && status == POSSIBLY_PERSISTED {
            doubt.store(true, Ordering::Release);
        }
        let Some(ticket) = Ticket::from_opaque((*message)._private) else { return };
        // Of a batch that was refused for several of its records librdkafka reports no error here
        // for some.
        if code == Code::NONE && status == PERSISTED {
            return ticket.delivered((*message).offset);
        }
        ticket.failed(Error::Delivery {
            topic: text(sys::rd_kafka_topic_name((*message).rkt)),
            partition: (*message).partition,
            code,
        });
    }
}
