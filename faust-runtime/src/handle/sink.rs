//! Sending records to a topic: inside an event as a part of it, elsewhere at once.

use crate::agent::{AgentParam, Bind, Param, Use};
use crate::codec::CodecError;
use crate::define::{AnyKey, Record, TopicUse};
use crate::error::HandleError;
use crate::kafka::{At, Outgoing, SendError, TopicId, TopicPartition};
use crate::partition::with_current;
use crate::worker::Worker;
use std::cell::Cell;
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
        let (topic, partitions) = topic(worker, T::TOPIC.name);
        Ok(Self { topic, partitions, worker: outside.then(|| worker.clone()), record: PhantomData })
    }

    /// Sends a record. In an agent: when the event is done. Elsewhere: at once, without waiting for its delivery.
    pub async fn send(&self, record: T) -> crate::Result<()> {
        match &self.worker {
            Some(worker) => {
                let encoded = Encoded::new(&record, self.partitions)?;
                Box::pin(self.send_outside(worker, encoded)).await
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
            return Box::pin(self.send_outside(worker, encoded)).await;
        }
        let keyed = with_current(name::<T>, |lane, event| {
            let sink = lane.task.latest(self.topic, self.partitions);
            let key = |out: &mut Vec<u8>| record.encode_key(out);
            lane.stage_latest(sink, event.timestamp, key, |out| record.encode_value(out))
        })?;
        // There is no newest of records without a key.
        if keyed { Ok(()) } else { self.stage(&record) }
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

    /// Boxed by its callers, so that their futures are small inside of events.
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
            if lane.task.has_latest(self.topic) {
                let mut key = Vec::new();
                if record.encode_key(&mut key)? {
                    lane.push_out(self.topic, &key);
                }
            }
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

/// A topic as it is here, and how many partitions it has.
fn topic(worker: &Worker, declared: &str) -> (TopicId, u32) {
    let topic = worker.broker.topic_id(&worker.topic_name(declared));
    (topic, worker.partitions_of(topic).unwrap_or(1))
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

impl<T: Record + 'static> AgentParam for Sink<T> {
    type PartitionKey = AnyKey;
    const USES: &'static [Use] = &[Use::Sink(TopicUse::of::<T>())];

    fn bind(bind: &Bind<'_>) -> crate::Result<Self> {
        Self::new(bind.worker, false)
    }
}

impl<T: Record + 'static> Param for Sink<T> {
    const USES: &'static [Use] = &[Use::Sink(TopicUse::of::<T>())];

    fn bind(worker: &Worker) -> crate::Result<Self> {
        Self::new(worker, true)
    }
}
