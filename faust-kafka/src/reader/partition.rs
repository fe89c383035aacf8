//! One partition: its own queue, emptied in batches, and a waker for when there is something in it.

use std::{
    ffi::c_void,
    panic::catch_unwind,
    ptr,
    sync::Arc,
    task::{Context, Poll},
};

use rdkafka_sys as sys;

use crate::{
    Batch, Code, Error, Result, TopicPartition,
    client::Client,
    native::{NativeError, Partitions, Queue, c_name},
    wake::WakerCell,
};

/// The records of one partition, in order. Dropping it stops the fetching.
///
/// It is never paused: what is not read stays in its queue, and a full queue stops the fetching by itself.
#[derive(Debug)]
pub struct PartitionReader {
    /// Emptied by us, filled by the client. `None` only while it is dropped.
    queue: Option<Queue>,
    waker: Arc<WakerCell>,
    client: Arc<Client>,
    place: TopicPartition,
    position: i64,
    /// An error that was read behind messages; it is returned once those were.
    failed: Option<Error>,
    /// Where messages are read to, kept from call to call.
    buffer: Vec<*mut sys::rd_kafka_message_t>,
}

// SAFETY: the queue, the client and the waker may be used from any thread; the buffer holds no message between calls.
unsafe impl Send for PartitionReader {}

impl PartitionReader {
    pub(super) fn open(
        client: &Arc<Client>,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<Self> {
        if offset < 0 {
            return Err(Error::Argument {
                what: format!("the offset {offset}"),
                reason: "reading starts at a real offset".to_owned(),
            });
        }
        let name = c_name("topic", topic)?;
        let mut list = Partitions::new();
        list.add(topic, partition, offset, None)?;
        let waker = Arc::new(WakerCell::default());

        // The queue is split off before the partition is assigned. The other way round, what is fetched in between
        // ends up in the queue of all partitions, where nobody looks.
        // SAFETY: the client is alive, the queue is ours.
        let queue = unsafe {
            Queue::own(sys::rd_kafka_queue_get_partition(client.ptr(), name.as_ptr(), partition))
        }
        .ok_or_else(|| Error::Argument {
            what: format!("{topic}[{partition}]"),
            reason: "no partition has that number".to_owned(),
        })?;
        // SAFETY: the queue is alive. The callback's state is kept by this reader, which disables the callback before
        // it lets go of it.
        unsafe {
            sys::rd_kafka_queue_forward(queue.ptr(), ptr::null_mut());
            let state = Arc::as_ptr(&waker).cast_mut().cast::<c_void>();
            sys::rd_kafka_queue_cb_event_enable(queue.ptr(), Some(wake), state);
        }
        let reader = Self {
            queue: Some(queue),
            waker,
            client: Arc::clone(client),
            place: TopicPartition::new(topic, partition),
            position: offset,
            failed: None,
            buffer: Vec::new(),
        };
        // SAFETY: client and list are alive.
        let assigned = unsafe {
            NativeError::take(sys::rd_kafka_incremental_assign(client.ptr(), list.ptr()))
        };
        if let Err(error) = assigned {
            let error = error.about(format!("opening {}", reader.place));
            reader.close_queue_only();
            return Err(error);
        }
        Ok(reader)
    }

    /// The next records, at most `max`. Wakes the task when there are some.
    ///
    /// A batch can be without messages; then it carries [`Batch::eof`]. Only the task that polled last is woken.
    pub fn poll_batch(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Result<Batch>> {
        if let Some(batch) = self.read(max) {
            return Poll::Ready(batch);
        }
        self.waker.register(cx);
        // What came between the two is in the queue already and wakes nobody.
        match self.read(max) {
            Some(batch) => Poll::Ready(batch),
            None => Poll::Pending,
        }
    }

    /// The next offset that a batch can hold. It moves over control records and gaps once the end of the partition
    /// was read behind them.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.place.topic
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.place.partition
    }

    fn read(&mut self, max: usize) -> Option<Result<Batch>> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        let queue = self.queue.as_ref()?;
        self.buffer.reserve(max);
        // SAFETY: queue and client are alive, the buffer has room for `max` pointers, and librdkafka fills the first
        // `count` of them with messages that are ours.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(queue.ptr(), 0, self.buffer.as_mut_ptr(), max)
        };
        let count = usize::try_from(count).ok().filter(|count| *count > 0)?;
        // SAFETY: as above; the buffer was empty, and from here on it holds `count` messages.
        unsafe { self.buffer.set_len(count) };
        let messages = std::mem::take(&mut self.buffer);
        // SAFETY: the messages are ours, and the batch keeps their client alive.
        let (batch, failed) = unsafe { Batch::new(messages, &self.client) };
        self.position = batch.next_offset().unwrap_or(self.position).max(self.position);
        self.failed = failed.map(|(code, text)| self.error(code, text));
        if batch.is_empty() && batch.eof().is_none() {
            return self.failed.take().map(Err);
        }
        Some(Ok(batch))
    }

    fn error(&self, code: Code, text: String) -> Error {
        let TopicPartition { topic, partition } = self.place.clone();
        match code {
            Code::AUTO_OFFSET_RESET | Code::OFFSET_OUT_OF_RANGE => {
                Error::OffsetOutOfRange { topic, partition, offset: self.position }
            }
            Code::UNKNOWN_TOPIC | Code::UNKNOWN_PARTITION | Code::UNKNOWN_TOPIC_OR_PARTITION => {
                Error::UnknownTopic { topic }
            }
            code => Error::Partition { topic, partition, code, text },
        }
    }

    /// For a partition that was not assigned: nothing to unassign.
    fn close_queue_only(mut self) {
        self.disable();
    }

    /// Stops the callback and lets go of the queue; whether there was one.
    fn disable(&mut self) -> bool {
        let Some(queue) = self.queue.take() else { return false };
        // SAFETY: the queue is alive. The call takes the queue's lock, under which callbacks run: none runs when it
        // returns, and none comes later, so the waker can go.
        unsafe { sys::rd_kafka_queue_cb_event_enable(queue.ptr(), None, ptr::null_mut()) };
        true
    }
}

impl Drop for PartitionReader {
    fn drop(&mut self) {
        if !self.disable() {
            return;
        }
        let mut list = Partitions::new();
        let listed = list.add(&self.place.topic, self.place.partition, 0, None);
        // SAFETY: client and list are alive.
        let unassigned = listed.and_then(|()| unsafe {
            let error = sys::rd_kafka_incremental_unassign(self.client.ptr(), list.ptr());
            NativeError::take(error).map_err(|error| error.about(format!("closing {}", self.place)))
        });
        if let Err(error) = unassigned {
            tracing::warn!("{error}");
        }
    }
}

/// Runs on a thread of librdkafka's, with the queue locked, when something came into the empty queue.
unsafe extern "C" fn wake(_: *mut sys::rd_kafka_t, waker: *mut c_void) {
    // SAFETY: points to the cell of a reader that disables this callback before it lets go of the cell.
    let waker = unsafe { &*waker.cast::<WakerCell>() };
    // A waker of the application's may panic; that must not unwind into C.
    let _ = catch_unwind(std::panic::AssertUnwindSafe(|| waker.wake()));
}
