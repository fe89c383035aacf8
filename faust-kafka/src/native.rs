//! librdkafka's objects with owners: whoever holds one of these frees it, once.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    ptr::NonNull,
    time::Duration,
};

use rdkafka_sys as sys;

use crate::{Code, Error, Result, TopicPartition};

unsafe extern "C" {
    fn faust_error_code(error: *const sys::rd_kafka_error_t) -> c_int;
    fn faust_event_code(event: *mut sys::rd_kafka_event_t) -> c_int;
}

/// A timeout as librdkafka takes it. Never "forever": a longer one than its integer holds is the
/// longest it holds.
pub(crate) fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX)
}

/// A name for C; refused if it holds a zero byte.
pub(crate) fn c_name(what: &str, name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| Error::Argument {
        what: format!("the {what} {name:?}"),
        reason: "it holds a zero byte".to_owned(),
    })
}

/// Copies a C string; empty for NULL.
///
/// # Safety
/// `text` is NULL or points to a string that ends with a zero byte.
pub(crate) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not NULL, so a C string by the contract of this function.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// An error object of librdkafka, taken apart.
#[derive(Debug)]
pub(crate) struct NativeError {
    pub(crate) code: Code,
    pub(crate) text: String,
    pub(crate) fatal: bool,
    pub(crate) retriable: bool,
    pub(crate) abortable: bool,
}

impl NativeError {
    /// Reads and frees the error that a call returned; NULL means that it succeeded.
    ///
    /// # Safety
    /// `error` is NULL or an error object that nobody else frees.
    pub(crate) unsafe fn take(error: *mut sys::rd_kafka_error_t) -> Result<(), Self> {
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: an error object, ours; its string is copied before it is destroyed.
        unsafe {
            let taken = Self {
                code: Code(faust_error_code(error)),
                text: text(sys::rd_kafka_error_string(error)),
                fatal: sys::rd_kafka_error_is_fatal(error) != 0,
                retriable: sys::rd_kafka_error_is_retriable(error) != 0,
                abortable: sys::rd_kafka_error_txn_requires_abort(error) != 0,
            };
            sys::rd_kafka_error_destroy(error);
            Err(taken)
        }
    }

    /// The code of an error that stays where it is.
    ///
    /// # Safety
    /// The error is alive.
    pub(crate) unsafe fn code(error: *const sys::rd_kafka_error_t) -> Code {
        // SAFETY: as promised.
        Code(unsafe { faust_error_code(error) })
    }

    /// As an error about what was asked.
    pub(crate) fn about(self, what: impl Into<String>) -> Error {
        if self.fatal {
            return Error::Fatal { code: self.code, text: self.text };
        }
        Error::Request { what: what.into(), code: self.code, text: self.text }
    }
}

/// A queue of a client. It must not outlive the client.
#[derive(Debug)]
pub(crate) struct Queue(NonNull<sys::rd_kafka_queue_t>);

// SAFETY: librdkafka's queues are locked inside and may be used from any thread.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    /// Owns a queue.
    ///
    /// # Safety
    /// `queue` is NULL or a queue reference that nobody else destroys.
    pub(crate) unsafe fn own(queue: *mut sys::rd_kafka_queue_t) -> Option<Self> {
        NonNull::new(queue).map(Self)
    }

    pub(crate) fn ptr(&self) -> *mut sys::rd_kafka_queue_t {
        self.0.as_ptr()
    }

    /// The next event, waiting for it at most `timeout`.
    pub(crate) fn poll(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: the queue is alive; the event that comes out is ours.
        let event = unsafe { sys::rd_kafka_queue_poll(self.ptr(), millis(timeout)) };
        NonNull::new(event).map(Event)
    }

    /// Makes a thread that waits in [`poll`](Self::poll) return.
    pub(crate) fn wake(&self) {
        // SAFETY: the queue is alive.
        unsafe { sys::rd_kafka_queue_yield(self.ptr()) };
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: our reference, destroyed once.
        unsafe { sys::rd_kafka_queue_destroy(self.ptr()) };
    }
}

/// Something that came out of a queue.
#[derive(Debug)]
pub(crate) struct Event(NonNull<sys::rd_kafka_event_t>);

impl Event {
    pub(crate) fn ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.0.as_ptr()
    }

    pub(crate) fn kind(&self) -> c_int {
        // SAFETY: the event is alive.
        unsafe { sys::rd_kafka_event_type(self.ptr()) }
    }

    pub(crate) fn code(&self) -> Code {
        // SAFETY: the event is alive.
        Code(unsafe { faust_event_code(self.ptr()) })
    }

    pub(crate) fn is_fatal(&self) -> bool {
        // SAFETY: the event is alive.
        unsafe { sys::rd_kafka_event_error_is_fatal(self.ptr()) != 0 }
    }

    pub(crate) fn text(&self) -> String {
        // SAFETY: the event is alive, and so is its string.
        unsafe { text(sys::rd_kafka_event_error_string(self.ptr())) }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { sys::rd_kafka_event_destroy(self.ptr()) };
    }
}

/// A list of partitions, with offsets and metadata.
#[derive(Debug)]
pub(crate) struct Partitions(*mut sys::rd_kafka_topic_partition_list_t);

/// One entry of such a list.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) partition: TopicPartition,
    pub(crate) offset: i64,
    pub(crate) metadata: Option<String>,
    pub(crate) code: Code,
}

impl Partitions {
    pub(crate) fn new() -> Self {
        // SAFETY: has no preconditions; never NULL, for librdkafka aborts the process when memory
        // runs out.
        Self(unsafe { sys::rd_kafka_topic_partition_list_new(1) })
    }

    pub(crate) fn ptr(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.0
    }

    /// Adds a partition with an offset, and with metadata for a commit.
    pub(crate) fn add(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        metadata: Option<&str>,
    ) -> Result<()> {
        let topic = c_name("topic", topic)?;
        // SAFETY: the list is alive and ours alone; the entry that is returned stays where it is
        // until the next one is added. Metadata is freed by librdkafka, so it is copied with its
        // allocator.
        unsafe {
            let entry =
                sys::rd_kafka_topic_partition_list_add(self.ptr(), topic.as_ptr(), partition);
            (*entry).offset = offset;
            if let Some(metadata) = metadata.filter(|text| !text.is_empty()) {
                let copy = sys::rd_kafka_mem_malloc(std::ptr::null_mut(), metadata.len());
                std::ptr::copy_nonoverlapping(metadata.as_ptr(), copy.cast::<u8>(), metadata.len());
                (*entry).metadata = copy;
                (*entry).metadata_size = metadata.len();
            }
        }
        Ok(())
    }
}

impl Drop for Partitions {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.ptr()) };
    }
}

/// Copies what a list of librdkafka's holds; nothing for NULL.
///
/// # Safety
/// `list` is NULL or a list that nobody changes meanwhile.
pub(crate) unsafe fn entries(list: *const sys::rd_kafka_topic_partition_list_t) -> Vec<Entry> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: not NULL, so a list with `cnt` entries.
    unsafe {
        let count = usize::try_from((*list).cnt).unwrap_or(0);
        (0..count).map(|i| Entry::read((*list).elems.add(i))).collect()
    }
}

impl Entry {
    /// # Safety
    /// The entry is alive, and nobody changes it meanwhile.
    pub(crate) unsafe fn read(entry: *const sys::rd_kafka_topic_partition_t) -> Self {
        // SAFETY: as promised. The code is read as an integer: it may be one that the enum in the
        // binding does not know.
        unsafe {
            let metadata = (*entry).metadata.cast_const().cast::<u8>();
            Self {
                partition: TopicPartition::new(text((*entry).topic), (*entry).partition),
                offset: (*entry).offset,
                metadata: (!metadata.is_null()).then(|| {
                    let bytes = std::slice::from_raw_parts(metadata, (*entry).metadata_size);
                    String::from_utf8_lossy(bytes).into_owned()
                }),
                code: Code((&raw const (*entry).err).cast::<i32>().read()),
            }
        }
    }
}
