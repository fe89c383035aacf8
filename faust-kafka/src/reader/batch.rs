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
    messages: Vec<*mut sys::rd_kafka_message_t>,
    /// What is in each of them, in the same order.
    contents: Vec<Contents>,
    bytes: usize,
    eof: Option<i64>,
    caught_up: bool,
    /// Messages must go before their client does.
    fetcher: Arc<Fetcher>,
}

/// What librdkafka and a batch keep for a message beside its key and value: its `rd_kafka_op_t` (some 380 bytes), its
/// entry and its pointer.
const KEPT: usize = 384 + size_of::<Contents>() + size_of::<*mut sys::rd_kafka_message_t>();

/// The memory of a batch, which the next ones use again.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) messages: Vec<*mut sys::rd_kafka_message_t>,
    contents: Vec<Contents>,
}

// SAFETY: both are empty except in a batch and while one is filled; pointers to messages may go to
// any thread.
unsafe impl Send for Buffers {}

/// `struct faust_message` of `shim/messages.c`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Contents {
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
    fn faust_messages(
        messages: *const *mut sys::rd_kafka_message_t,
        count: usize,
        out: *mut Contents,
    );
}

// SAFETY: the messages are ours alone, and librdkafka frees them from any thread. Not `Sync`: the
// first look at a message's headers writes to it.
unsafe impl Send for Batch {}

impl Batch {
    /// Sorts out what was read; the first error comes beside the messages.
    ///
    /// # Safety
    /// The messages belong to `fetcher`'s client and are ours.
    pub(super) unsafe fn new(
        Buffers { mut messages, mut contents }: Buffers,
        caught_up: bool,
        fetcher: &Arc<Fetcher>,
    ) -> (Self, Option<(Code, String)>) {
        contents.clear();
        contents.reserve(messages.len());
        // SAFETY: messages of ours; there is room for as many, and all of them are filled in.
        unsafe {
            faust_messages(messages.as_ptr(), messages.len(), contents.as_mut_ptr());
            contents.set_len(messages.len());
        }
        let (mut eof, mut failed) = (None, None);
        if contents.iter().any(|message| message.code != Code::NONE.0) {
            let mut codes = contents.iter().map(|message| Code(message.code));
            messages.retain(|&message| {
                let code = codes.next().unwrap_or(Code::NONE);
                if code == Code::NONE {
                    eof = None;
                    return true;
                }
                // SAFETY: a message of ours, looked at for the last time.
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
        let bytes = contents.iter().map(|message| message.key_len + message.value_len + KEPT).sum();
        let fetcher = Arc::clone(fetcher);
        (Self { messages, contents, bytes, eof, caught_up, fetcher }, failed)
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none (then there is an [`eof`](Self::eof)).
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
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
        self.contents.get(index).map(|contents| Message { contents, index, batch: self })
    }

    /// All messages.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Message<'_>> + DoubleEndedIterator {
        let all = self.contents.iter().enumerate();
        all.map(|(index, contents)| Message { contents, index, batch: self })
    }

    /// The offset behind what was read.
    pub(super) fn next_offset(&self) -> Option<i64> {
        self.eof.or(self.contents.last().map(|message| message.offset + 1))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for message in self.messages.drain(..) {
            // SAFETY: ours, destroyed once; its client is alive.
            unsafe { sys::rd_kafka_message_destroy(message) };
        }
        let (messages, contents) =
            (std::mem::take(&mut self.messages), std::mem::take(&mut self.contents));
        self.fetcher.give_back(Buffers { messages, contents });
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
        let message = self.batch.messages.get(self.index).filter(|_| self.has_headers());
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
