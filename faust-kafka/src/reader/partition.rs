//! One partition: its own queue, emptied in batches, and a waker for when there is something in it.

use std::{
    cell::RefCell,
    ffi::{c_char, c_int, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
};

use rdkafka_sys as sys;

use super::{
    Fetcher,
    batch::{Buffers, Contents, Response},
};
use crate::{
    Batch, Code, Error, Result, TopicPartition,
    native::{NativeError, Partitions, Queue, c_name, text},
    wake::WakerCell,
};

/// The records of one partition, in order. Dropping it stops the fetching (and waits for the
/// client's own thread, some tenths of a millisecond).
///
/// It is never paused: what is not read stays in its queue, and a full queue stops the fetching by
/// itself.
#[derive(Debug)]
pub struct PartitionReader {
    /// Emptied by us, filled by the client. `None` only while it is dropped.
    queue: Option<Queue>,
    waker: Arc<WakerCell>,
    fetcher: Arc<Fetcher>,
    place: TopicPartition,
    position: i64,
    /// An error that was read behind messages; it is returned once those were.
    failed: Option<Error>,
    /// Where messages are read to, kept until there are some.
    buffers: Buffers,
    /// Whether the client was told to fetch.
    assigned: bool,
}

unsafe extern "C" {
    /// In `shim/messages.c`, as the next one.
    fn faust_take(
        queue: *mut sys::rd_kafka_queue_t,
        messages: *mut *mut sys::rd_kafka_message_t,
        contents: *mut Contents,
        max: usize,
        responses: *mut *mut Response,
        response_count: *mut usize,
        caught_up: *mut c_int,
    ) -> usize;
    fn faust_messages(
        messages: *const *mut sys::rd_kafka_message_t,
        count: usize,
        contents: *mut Contents,
    );
}

thread_local! {
    /// What failed inside `rd_kafka_consume_batch_queue` on this thread.
    static FAILED: RefCell<Option<(Code, String)>> = const { RefCell::new(None) };
}

// SAFETY: the queue, the client and the waker may be used from any thread; the buffer holds no
// message between calls.
unsafe impl Send for PartitionReader {}

impl PartitionReader {
    pub(super) fn open(
        fetcher: &Arc<Fetcher>,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<Self> {
        let refused = |reason: &str| Error::Argument {
            what: format!("{topic}[{partition}] at offset {offset}"),
            reason: reason.to_owned(),
        };
        if offset < 0 {
            return Err(refused("reading starts at a real offset"));
        }
        let place = TopicPartition::new(topic, partition);
        let name = c_name("topic", topic)?;
        let mut list = Partitions::new();
        list.add(topic, partition, offset, None)?;
        let rk = fetcher.client.ptr();

        // Asked before the queue is touched: it would be the queue of the reader that has it, with
        // its waker.
        if !fetcher.open.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone()) {
            return Err(Error::OpenAlready { topic: topic.to_owned(), partition });
        }
        // From here on dropping the reader undoes what was done.
        let mut reader = Self {
            queue: None,
            waker: Arc::new(WakerCell::default()),
            fetcher: Arc::clone(fetcher),
            place,
            position: offset,
            failed: None,
            buffers: fetcher.spare(),
            assigned: false,
        };
        // The queue is split off before the partition is assigned. The other way round, what is
        // fetched in between ends up in the queue of all partitions, where nobody looks.
        //
        // A topic that is new to the client is named before that: only then librdkafka asks at once who leads its
        // partitions, and not within a second.
        //
        // SAFETY: the client is alive, the queue and the reference to the topic are ours.
        let queue = unsafe {
            let topic = sys::rd_kafka_topic_new(rk, name.as_ptr(), ptr::null_mut());
            let queue = sys::rd_kafka_queue_get_partition(rk, name.as_ptr(), partition);
            if !topic.is_null() {
                sys::rd_kafka_topic_destroy(topic);
            }
            Queue::own(queue)
        };
        let queue = queue.ok_or_else(|| refused("no partition has that number"))?;
        // SAFETY: the queue is alive. The callback's state is kept by this reader, which disables
        // the callback before it lets go of it.
        unsafe {
            sys::rd_kafka_queue_forward(queue.ptr(), ptr::null_mut());
            let state = Arc::as_ptr(&reader.waker).cast_mut().cast::<c_void>();
            sys::rd_kafka_queue_cb_event_enable(queue.ptr(), Some(wake), state);
        }
        reader.queue = Some(queue);
        // SAFETY: client and list are alive.
        unsafe { NativeError::take(sys::rd_kafka_incremental_assign(rk, list.ptr())) }
            .map_err(|error| error.about(format!("opening {}", reader.place)))?;
        reader.assigned = true;
        Ok(reader)
    }

    /// The next records, at most `max`. Wakes the task when there are some.
    ///
    /// A batch can be without messages; then it carries [`Batch::eof`]. Only the task that polled
    /// last is woken.
    pub fn poll_batch(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<Result<Batch>> {
        let max = max.max(1);
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

    /// The next offset that a batch can hold. It moves over control records and gaps once the end
    /// of the partition was read behind them.
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
        let mut caught_up = 0;
        let Buffers { messages, contents, responses } = &mut self.buffers;
        messages.reserve(max);
        contents.reserve(max);
        responses.reserve(max);
        // SAFETY: queue and client are alive, and each of the buffers has room for `max`. The calls fill as many messages
        // as they return, one behind the other, with what is in them, and at most as many responses, all of it ours. The
        // buffers were empty, and hold them from here on.
        unsafe {
            let (to, into) = (messages.as_mut_ptr(), contents.as_mut_ptr());
            let (lie_in, mut in_all) = (responses.as_mut_ptr(), 0);
            let mut count =
                faust_take(queue.ptr(), to, into, max, lie_in, &mut in_all, &mut caught_up);
            responses.set_len(in_all);
            if count < max {
                // Whatever is no record: ends, errors, things that librdkafka does itself.
                let (rest, room) = (to.add(count), max - count);
                let more = sys::rd_kafka_consume_batch_queue(queue.ptr(), 0, rest, room);
                let more = usize::try_from(more).unwrap_or(0);
                faust_messages(rest, more, into.add(count));
                count += more;
            }
            messages.set_len(count);
            contents.set_len(count);
        }
        // Some errors come as messages; that the topic is gone comes through the error callback.
        let beside = FAILED.take();
        if messages.is_empty() {
            return beside.map(|(code, text)| Err(self.error(code, text)));
        }
        let filled = std::mem::replace(&mut self.buffers, self.fetcher.spare());
        // SAFETY: all of it is ours, as was said, and the batch keeps the client alive.
        let (batch, among) = unsafe { Batch::new(filled, caught_up != 0, &self.fetcher) };
        self.position = batch.next_offset().unwrap_or(self.position).max(self.position);
        self.failed = among.or(beside).map(|(code, text)| self.error(code, text));
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
}

impl Drop for PartitionReader {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            // SAFETY: the queue is alive. The call takes the queue's lock, under which callbacks
            // run: none runs when it returns, and none comes later, so the waker can go.
            unsafe { sys::rd_kafka_queue_cb_event_enable(queue.ptr(), None, ptr::null_mut()) };
        }
        if self.assigned {
            let mut list = Partitions::new();
            let listed = list.add(&self.place.topic, self.place.partition, 0, None);
            // SAFETY: client and list are alive.
            let unassigned = listed.and_then(|()| unsafe {
                let rk = self.fetcher.client.ptr();
                NativeError::take(sys::rd_kafka_incremental_unassign(rk, list.ptr()))
                    .map_err(|error| error.about(format!("closing {}", self.place)))
            });
            if let Err(error) = unassigned {
                tracing::warn!("{error}");
            }
        }
        let mut open = self.fetcher.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&self.place);
    }
}

/// Runs on a thread of librdkafka's, with the queue locked, when something came into the empty
/// queue.
unsafe extern "C" fn wake(_: *mut sys::rd_kafka_t, waker: *mut c_void) {
    // SAFETY: points to the cell of a reader that disables this callback before it lets go of the
    // cell.
    let waker = unsafe { &*waker.cast::<WakerCell>() };
    // A waker of the application's may panic; that must not unwind into C.
    let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
}

/// The client's error callback. All else is reported by events; this one only runs inside a batch
/// read, for errors that came through the partition's queue but are no messages.
pub(super) unsafe extern "C" fn while_reading(
    _: *mut sys::rd_kafka_t,
    code: c_int,
    reason: *const c_char,
    _: *mut c_void,
) {
    // SAFETY: a C string that is alive for this call.
    let reason = unsafe { text(reason) };
    let _ = catch_unwind(AssertUnwindSafe(|| FAILED.set(Some((Code(code), reason)))));
}
