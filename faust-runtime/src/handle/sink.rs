//! Sending records to a topic: inside an event as a part of it, elsewhere at once.

use crate::agent::{AgentParam, Bind, Param, Use};
use crate::codec::CodecError;
use crate::commit::Outbox;
use crate::define::{Record, TopicUse};
use crate::error::HandleError;
use crate::kafka::{At, Outgoing, SendError, TopicId, TopicPartition};
use crate::partition::{Latest, with_current};
use crate::time::Timestamp;
use crate::worker::Worker;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::marker::PhantomData;

/// Sends records to a topic.
///
/// In an agent a record is a part of the event: it leaves when the event is done, and under exactly-once becomes
/// visible together with the event's table writes. It carries its event's timestamp. In timers, tasks, pages and
/// commands it leaves at once.
///
/// ```
/// use faust::prelude::*;
///
/// #[topic("lines")]
/// struct Line { text: String }
///
/// #[topic("words", key = word)]
/// struct Word { word: String }
///
/// #[agent]
/// async fn split(line: Event<Line>, words: Sink<Word>) -> Result<()> {
///     for word in line.text.split_whitespace() {
///         words.send(Word { word: word.to_lowercase() }).await?;
///     }
///     Ok(())
/// }
/// ```
pub struct Sink<T> {
    topic: TopicId,
    partitions: u32,
    /// Outside of events.
    worker: Option<Worker>,
    record: PhantomData<fn() -> T>,
}

impl<T> Clone for Sink<T> {
    fn clone(&self) -> Self {
        let worker = self.worker.clone();
        Self { topic: self.topic, partitions: self.partitions, worker, record: PhantomData }
    }
}

/// Where a delivered record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The partition.
    pub partition: u32,
    /// The offset, where the broker says: it does not after a retry that it recognised.
    pub offset: Option<i64>,
}

impl<T: Record> Sink<T> {
    fn new(worker: &Worker, outside: bool) -> crate::Result<Self> {
        let name = worker.topic_name(T::TOPIC.name);
        let topic = worker.broker.topic_id(&name);
        let partitions = worker.partitions_of(topic).unwrap_or(1);
        Ok(Self { topic, partitions, worker: outside.then(|| worker.clone()), record: PhantomData })
    }

    /// Sends a record. In an agent: when the event is done. Elsewhere: at once, without waiting for its delivery.
    pub async fn send(&self, record: T) -> crate::Result<()> {
        match &self.worker {
            Some(worker) => {
                let encoded = Encoded::new(&record, self.partitions)?;
                self.send_outside(worker, encoded).await
            }
            None => self.stage(&record),
        }
    }

    /// Like [`send`](Self::send), but of several records of one key only the newest leaves: when the task's queue runs
    /// empty, after 20 ms at the latest, always before the commit that covers its event (under exactly-once, with
    /// it). A plain `send` of that key lets the one that waits leave first. In agents only; elsewhere it is `send`.
    pub async fn send_latest(&self, record: T) -> crate::Result<()> {
        if let Some(worker) = &self.worker {
            let encoded = Encoded::new(&record, self.partitions)?;
            return self.send_outside(worker, encoded).await;
        }
        with_current(name::<T>, |lane, event| {
            let make =
                || Box::new(Newest::<T>::new(self.topic, self.partitions)) as Box<dyn Latest>;
            let sink = lane.task.latest(self.topic, make);
            lane.touch_latest(sink);
            let staged = lane.task.with_latest(sink, |latest| {
                let newest = latest.as_any().downcast_ref::<Newest<T>>();
                newest.map(|newest| newest.stage(lane.id, record, event.timestamp))
            });
            staged
                .flatten()
                .ok_or_else(|| format!("{}: two types for one topic", name::<T>()).into())
        })
    }

    /// Sends a record and waits until Kafka has it. Not in agents, whose records leave when the event is done.
    pub async fn deliver(&self, record: T) -> crate::Result<Delivered> {
        let Some(worker) = &self.worker else {
            return Err(format!(
                "{}: `deliver` waits for Kafka, but in an agent a record leaves when the event is done: use `send`",
                name::<T>()
            )
            .into());
        };
        let encoded = Encoded::new(&record, self.partitions)?;
        loop {
            let sent = worker.outside().deliver(&encoded.outgoing(self.topic));
            match sent {
                Ok(delivery) => {
                    let offset = delivery.await?;
                    return Ok(Delivered { partition: encoded.partition, offset });
                }
                Err(SendError::Full) => worker.room().await,
                Err(error) => return Err(send_error::<T>(&error).into()),
            }
        }
    }

    /// Whether the topic holds no record at all. Not in agents.
    pub async fn is_empty(&self) -> crate::Result<bool> {
        let Some(worker) = &self.worker else {
            return Err(format!("{}: an agent's own records are not sent yet", name::<T>()).into());
        };
        let topic = worker.topic_name(T::TOPIC.name);
        let partitions = 0..self.partitions;
        let all: Vec<_> = partitions.map(|n| TopicPartition::new(topic.clone(), n)).collect();
        let starts = worker.broker.offsets(all.clone(), At::Start).await?;
        Ok(starts == worker.broker.offsets(all, At::End).await?)
    }

    async fn send_outside(&self, worker: &Worker, encoded: Encoded) -> crate::Result<()> {
        loop {
            let sent = worker.outside().send(&encoded.outgoing(self.topic));
            match sent {
                Ok(()) => return Ok(()),
                Err(SendError::Full) => worker.room().await,
                Err(error) => return Err(send_error::<T>(&error).into()),
            }
        }
    }

    fn stage(&self, record: &T) -> crate::Result<()> {
        with_current(name::<T>, |lane, event| {
            lane.task.with_latest_of(self.topic, |latest, pushed| {
                if let Some(newest) = latest.as_any().downcast_ref::<Newest<T>>() {
                    newest.push_out(record, pushed);
                }
            });
            lane.stage(|outbox| {
                outbox.push(
                    self.topic,
                    Some(event.timestamp),
                    Vec::new(),
                    |out| record.encode_key(out),
                    |out| record.encode_value(out),
                    |key| partition_of(key, self.partitions),
                )
            })
        })
    }
}

fn name<T: Record>() -> String {
    format!("a sink of topic `{}`", T::TOPIC.name)
}

fn send_error<T: Record>(error: &SendError) -> HandleError {
    HandleError::Send { topic: T::TOPIC.name.into(), cause: error.to_string() }
}

thread_local! {
    static ROUND_ROBIN: Cell<u32> = const { Cell::new(0) };
}

/// The partition of a record: its key's, or without a key each in turn.
pub(crate) fn partition_of(key: Option<&[u8]>, partitions: u32) -> u32 {
    match key {
        Some(key) => crate::kafka::partition_for(key, partitions),
        None => ROUND_ROBIN.with(|next| {
            next.set(next.get().wrapping_add(1));
            next.get() % partitions.max(1)
        }),
    }
}

/// A record as bytes, outside of events.
struct Encoded {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    partition: u32,
}

impl Encoded {
    fn new<T: Record>(record: &T, partitions: u32) -> Result<Self, CodecError> {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let key = record.encode_key(&mut key)?.then_some(key);
        let value = record.encode_value(&mut value)?.then_some(value);
        let partition = partition_of(key.as_deref(), partitions);
        Ok(Self { key, value, partition })
    }

    fn outgoing(&self, topic: TopicId) -> Outgoing<'_> {
        Outgoing {
            topic,
            partition: self.partition,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            timestamp: None,
            headers: &[],
        }
    }
}

impl<T: Record> AgentParam for Sink<T> {
    const USES: &'static [Use] = &[Use::Sink(TopicUse::of::<T>())];

    fn bind(bind: &Bind<'_>) -> crate::Result<Self> {
        Self::new(bind.worker, false)
    }
}

impl<T: Record> Param for Sink<T> {
    const USES: &'static [Use] = &[Use::Sink(TopicUse::of::<T>())];

    fn bind(worker: &Worker) -> crate::Result<Self> {
        Self::new(worker, true)
    }
}

/// The newest record of each key that has not left. Records are kept as they are and encoded when they leave.
struct Newest<T> {
    topic: TopicId,
    partitions: u32,
    inner: RefCell<NewestInner<T>>,
}

struct NewestInner<T> {
    waiting: HashMap<Box<[u8]>, (T, Timestamp), foldhash::fast::FixedState>,
    /// What events have staged that are not done.
    staged: Vec<(u32, T, Timestamp)>,
    scratch: Vec<u8>,
}

impl<T: Record> Newest<T> {
    fn new(topic: TopicId, partitions: u32) -> Self {
        let waiting = HashMap::default();
        let inner = NewestInner { waiting, staged: Vec::new(), scratch: Vec::new() };
        Self { topic, partitions, inner: RefCell::new(inner) }
    }

    fn stage(&self, lane: u32, record: T, time: Timestamp) {
        self.inner.borrow_mut().staged.push((lane, record, time));
    }

    fn encode(&self, record: &T, time: Timestamp, out: &mut Outbox) -> Result<(), CodecError> {
        out.push(
            self.topic,
            Some(time),
            Vec::new(),
            |out| record.encode_key(out),
            |out| record.encode_value(out),
            |key| partition_of(key, self.partitions),
        )
    }

    fn push_encoded(&self, record: &T, time: Timestamp, out: &mut Outbox) {
        if let Err(error) = self.encode(record, time, out) {
            tracing::error!(topic = T::TOPIC.name, %error, "a record of `send_latest` cannot be encoded and is dropped");
        }
    }

    /// Lets the waiting record of this record's key leave first.
    fn push_out(&self, record: &T, out: &mut Outbox) {
        let mut inner = self.inner.borrow_mut();
        let mut key = std::mem::take(&mut inner.scratch);
        key.clear();
        if let Ok(true) = record.encode_key(&mut key)
            && let Some((waiting, time)) = inner.waiting.remove(&key[..])
        {
            self.push_encoded(&waiting, time, out);
        }
        inner.scratch = key;
    }
}

impl<T: Record> Latest for Newest<T> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn settle(&self, lane: u32, done: bool) {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let mut key = std::mem::take(&mut inner.scratch);
        let mine = inner.staged.extract_if(.., |(by, _, _)| *by == lane);
        for (_, record, time) in mine.filter(|_| done) {
            key.clear();
            if let Err(error) = record.encode_key(&mut key) {
                tracing::error!(topic = T::TOPIC.name, %error, "a key of `send_latest` cannot be encoded: the record is dropped");
                continue;
            }
            match inner.waiting.get_mut(&key[..]) {
                Some(waiting) => *waiting = (record, time),
                None => {
                    inner.waiting.insert(key.as_slice().into(), (record, time));
                }
            }
        }
        inner.scratch = key;
    }

    fn take(&self, out: &mut Outbox) {
        for (_, (record, time)) in self.inner.borrow_mut().waiting.drain() {
            self.push_encoded(&record, time, out);
        }
    }
}
