//! Messages that were read together: pointers into what was fetched, freed with the batch.

use std::{
    ffi::{c_int, c_void},
    slice,
    sync::Arc,
};

use rdkafka_sys as sys;

use super::Fetcher;
use crate::{Code, Headers, native::text};

/// Messages that were read together. They live as long as the batch, whatever becomes of the
/// reader; nothing is copied. One batch that is kept keeps the whole fetch that it came with in
/// memory.
#[derive(Debug)]
pub struct Batch {
    filled: Buffers,
    bytes: usize,
    eof: Option<i64>,
    caught_up: bool,
    /// Messages must go before their client does.
    fetcher: Arc<Fetcher>,
}

/// What a batch keeps for a message beside its key and value.
const KEPT: usize = size_of::<Contents>() + size_of::<*mut sys::rd_kafka_message_t>();
/// And for one that librdkafka keeps as well, in its `rd_kafka_op_t`.
const KEPT_BOTH: usize = KEPT + 384;

/// What was read, in memory that the next batches use again.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Messages as librdkafka has them, where there is more to know of one than its contents; else null.
    pub(super) messages: Vec<*mut sys::rd_kafka_message_t>,
    /// What is in each of them, in the same order.
    pub(super) contents: Vec<Contents>,
    /// What contents lie in, a reference to each.
    pub(super) responses: Vec<*mut Response>,
}

/// `rd_kafka_buf_t`: what was fetched at once.
#[repr(C)]
pub(super) struct Response {
    _private: [u8; 0],
}

// SAFETY: pointers to messages and to responses may go to any thread, and nothing here is changed but through `&mut`.
unsafe impl Send for Buffers {}

/// `struct faust_message` of `shim/messages.c`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Contents {
    offset: i64,
    timestamp: i64,
    key: *const c_void,
    value: *const c_void,
    key_len: usize,
    value_len: usize,
    code: c_int,
    timestamp_type: i8,
    has_headers: i8,
}

unsafe extern "C" {
    /// In `shim/messages.c`.
    fn faust_release(
        messages: *const *mut sys::rd_kafka_message_t,
        count: usize,
        responses: *const *mut Response,
        response_count: usize,
    );
}

// SAFETY: the messages are ours alone, and librdkafka frees them from any thread. Not `Sync`: the
// first look at a message's headers writes to it.
unsafe impl Send for Batch {}

impl Batch {
    /// Sorts out what was read; the first error comes beside the messages.
    ///
    /// # Safety
    /// The messages and responses belong to `fetcher`'s client and are ours; contents lie in one of them.
    pub(super) unsafe fn new(
        mut filled: Buffers,
        caught_up: bool,
        fetcher: &Arc<Fetcher>,
    ) -> (Self, Option<(Code, String)>) {
        let Buffers { messages, contents, .. } = &mut filled;
        let (mut eof, mut failed) = (None, None);
        if contents.iter().any(|message| message.code != Code::NONE.0) {
            let mut codes = contents.iter().map(|message| Code(message.code));
            messages.retain(|&message| {
                let code = codes.next().unwrap_or(Code::NONE);
                if code == Code::NONE {
                    eof = None;
                    return true;
                }
                // SAFETY: a message of ours, which is there, for only records come without; looked at for the last time.
                unsafe {
                    if code == Code::PARTITION_EOF {
                        eof = Some((*message).offset);
                    } else {
                        let said = text(sys::rd_kafka_message_errstr(message));
                        failed.get_or_insert((code, said));
                    }
                    sys::rd_kafka_message_destroy(message);
                }
                false
            });
            contents.retain(|message| message.code == Code::NONE.0);
        }
        let kept = messages.iter().map(|message| if message.is_null() { KEPT } else { KEPT_BOTH });
        let sizes = contents.iter().map(|message| message.key_len + message.value_len);
        let bytes = kept.chain(sizes).sum();
        let fetcher = Arc::clone(fetcher);
        (Self { filled, bytes, eof, caught_up, fetcher }, failed)
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.filled.contents.len()
    }

    /// Whether there are none (then there is an [`eof`](Self::eof)).
    pub fn is_empty(&self) -> bool {
        self.filled.contents.is_empty()
    }

    /// About how many bytes of memory it keeps: keys, values, and what librdkafka has around each message, which is
    /// most of it where they are small.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The end of the partition, if it was reached behind the last message of this batch: what
    /// comes next has at least this offset. Reported each time an end was reached; a reader of
    /// committed records ends before the first open transaction.
    pub fn eof(&self) -> Option<i64> {
        self.eof
    }

    /// Whether the batch ends where the log did when it was last fetched. Unlike
    /// [`eof`](Self::eof), which takes a fetch that finds nothing, this holds under load too; but
    /// nothing must depend on it.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up || self.eof.is_some()
    }

    /// A message.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Message<'_>> {
        self.filled.contents.get(index).map(|contents| Message { contents, index, batch: self })
    }

    /// All messages.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Message<'_>> + DoubleEndedIterator {
        let all = self.filled.contents.iter().enumerate();
        all.map(|(index, contents)| Message { contents, index, batch: self })
    }

    /// The offset behind what was read.
    pub(super) fn next_offset(&self) -> Option<i64> {
        self.eof.or(self.filled.contents.last().map(|message| message.offset + 1))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let mut filled = std::mem::take(&mut self.filled);
        let Buffers { messages, contents, responses } = &mut filled;
        // SAFETY: all ours, let go of once; their client is alive.
        unsafe {
            faust_release(messages.as_ptr(), messages.len(), responses.as_ptr(), responses.len());
        }
        messages.clear();
        contents.clear();
        responses.clear();
        self.fetcher.give_back(filled);
    }
}

/// One message of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    contents: &'a Contents,
    index: usize,
    batch: &'a Batch,
}

/// When a record was made, or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamp {
    /// The record has none.
    None,
    /// The producer's time, in milliseconds.
    Created(i64),
    /// The broker's time, in milliseconds.
    Appended(i64),
}

impl Timestamp {
    /// The milliseconds, whoever set them.
    pub fn millis(self) -> Option<i64> {
        match self {
            Self::None => None,
            Self::Created(time) | Self::Appended(time) => Some(time),
        }
    }
}

impl<'a> Message<'a> {
    /// The offset.
    #[inline]
    pub fn offset(self) -> i64 {
        self.contents.offset
    }

    /// The time.
    #[inline]
    pub fn timestamp(self) -> Timestamp {
        // As `rd_kafka_timestamp_type_t` numbers them.
        match self.contents.timestamp_type {
            1 => Timestamp::Created(self.contents.timestamp),
            2 => Timestamp::Appended(self.contents.timestamp),
            _ => Timestamp::None,
        }
    }

    /// The key.
    #[inline]
    pub fn key(self) -> Option<&'a [u8]> {
        // SAFETY: the batch is alive, and key and length belong together.
        unsafe { bytes(self.contents.key, self.contents.key_len) }
    }

    /// The value; none for a tombstone.
    #[inline]
    pub fn value(self) -> Option<&'a [u8]> {
        // SAFETY: the batch is alive, and value and length belong together.
        unsafe { bytes(self.contents.value, self.contents.value_len) }
    }

    /// Whether it has headers. Costs nothing; [`headers`](Self::headers) parses them.
    #[inline]
    pub fn has_headers(self) -> bool {
        self.contents.has_headers != 0
    }

    /// The headers, in order. They are parsed when first asked for; unread headers cost nothing.
    pub fn headers(self) -> Headers<'a> {
        let message = self.batch.filled.messages.get(self.index);
        let message = message.filter(|message| self.has_headers() && !message.is_null());
        // SAFETY: the message is alive for 'a, and on this thread alone, for a batch is not `Sync`.
        message.map_or(Headers::NONE, |&message| unsafe { Headers::of(message) })
    }
}

/// # Safety
/// `data` is NULL or points to `len` bytes that live for 'a.
pub(super) unsafe fn bytes<'a>(data: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast::<u8>(), len) })
}
