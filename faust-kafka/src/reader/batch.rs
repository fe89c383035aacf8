//! Messages that were read together: pointers into what was fetched, freed with the batch.

use std::{marker::PhantomData, slice, sync::Arc};

use rdkafka_sys as sys;

use super::Fetcher;
use crate::{Code, Headers, native::text};

/// Messages that were read together. They live as long as the batch, whatever becomes of the
/// reader; nothing is copied. One batch that is kept keeps the whole fetch that it came with in
/// memory.
#[derive(Debug)]
pub struct Batch {
    messages: Vec<*mut sys::rd_kafka_message_t>,
    bytes: usize,
    eof: Option<i64>,
    /// Messages must go before their client does.
    _fetcher: Arc<Fetcher>,
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
        mut messages: Vec<*mut sys::rd_kafka_message_t>,
        fetcher: &Arc<Fetcher>,
    ) -> (Self, Option<(Code, String)>) {
        let (mut bytes, mut eof, mut failed) = (0, None, None);
        messages.retain(|&message| {
            // SAFETY: a message of ours. The code is read as an integer: it may be one that the
            // enum in the binding does not know.
            unsafe {
                match Code((&raw const (*message).err).cast::<i32>().read()) {
                    Code::NONE => {
                        bytes += (*message).len + (*message).key_len;
                        eof = None;
                        return true;
                    }
                    Code::PARTITION_EOF => eof = Some((*message).offset),
                    code => {
                        let said = text(sys::rd_kafka_message_errstr(message));
                        failed.get_or_insert((code, said));
                    }
                }
                sys::rd_kafka_message_destroy(message);
            }
            false
        });
        (Self { messages, bytes, eof, _fetcher: Arc::clone(fetcher) }, failed)
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none (then there is an [`eof`](Self::eof)).
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The end of the partition, if it was reached behind the last message of this batch: what
    /// comes next has at least this offset. Reported each time an end was reached; a reader of
    /// committed records ends before the first open transaction.
    pub fn eof(&self) -> Option<i64> {
        self.eof
    }

    /// A message.
    pub fn get(&self, index: usize) -> Option<Message<'_>> {
        self.messages.get(index).map(|&raw| Message { raw, batch: PhantomData })
    }

    /// All messages.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Message<'_>> + DoubleEndedIterator {
        self.messages.iter().map(|&raw| Message { raw, batch: PhantomData })
    }

    /// The offset behind what was read.
    pub(super) fn next_offset(&self) -> Option<i64> {
        let last = self.messages.len().checked_sub(1).and_then(|last| self.get(last));
        self.eof.or(last.map(|message| message.offset() + 1))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        for &message in &self.messages {
            // SAFETY: ours, destroyed once; its client is alive.
            unsafe { sys::rd_kafka_message_destroy(message) };
        }
    }
}

/// One message of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    raw: *mut sys::rd_kafka_message_t,
    batch: PhantomData<&'a Batch>,
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
    pub fn offset(self) -> i64 {
        // SAFETY: the batch is alive, and so is the message.
        unsafe { (*self.raw).offset }
    }

    /// The time.
    pub fn timestamp(self) -> Timestamp {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the batch is alive, and so is the message; librdkafka sets one of the three
        // kinds.
        let time = unsafe { sys::rd_kafka_message_timestamp(self.raw, &mut kind) };
        match kind {
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => {
                Timestamp::Created(time)
            }
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => {
                Timestamp::Appended(time)
            }
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => Timestamp::None,
        }
    }

    /// The key.
    pub fn key(self) -> Option<&'a [u8]> {
        // SAFETY: the batch is alive, and key and length belong together.
        unsafe { bytes((*self.raw).key, (*self.raw).key_len) }
    }

    /// The value; none for a tombstone.
    pub fn value(self) -> Option<&'a [u8]> {
        // SAFETY: the batch is alive, and value and length belong together.
        unsafe { bytes((*self.raw).payload, (*self.raw).len) }
    }

    /// The headers, in order. They are parsed when first asked for; unread headers cost nothing.
    pub fn headers(self) -> Headers<'a> {
        // SAFETY: the message is alive for 'a, and on this thread alone, for a batch is not `Sync`.
        unsafe { Headers::of(self.raw) }
    }
}

/// # Safety
/// `data` is NULL or points to `len` bytes that live for 'a.
pub(super) unsafe fn bytes<'a>(data: *const std::ffi::c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast::<u8>(), len) })
}
