//! The port to Kafka: what the engine needs of a broker. `client` speaks to real brokers, `memory` is a broker in
//! memory under the same trait, with the test's clock; nothing else names either.

pub(crate) mod client;
pub(crate) mod memory;
mod murmur2;

#[cfg(feature = "mimalloc")]
pub(crate) use client::keep_freed_memory;
pub(crate) use murmur2::partition_for;

use crate::time::Timestamp;
use futures::future::BoxFuture;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A position in a partition: the offset of the next record.
pub(crate) type Offset = i64;

/// One partition of a topic.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TopicPartition {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: u32,
}

impl TopicPartition {
    pub(crate) fn new(topic: impl Into<Arc<str>>, partition: u32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a broker can answer instead of doing it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum KafkaError {
    /// Nobody answers: start the broker, or correct the address.
    #[error("no Kafka broker answers at {address}: {cause}")]
    Unreachable { address: String, cause: String },
    /// Another transaction is still open on these offsets: ask again shortly.
    #[error("the committed offsets of {group} are not stable yet")]
    Unstable { group: String },
    /// The position is not in the log any more: retention or compaction removed it.
    #[error("{partition}: offset {offset} is not in the log")]
    OutOfRange { partition: TopicPartition, offset: Offset },
    /// It is not allowed or not possible, and asking again is of no use: the cause says what to correct.
    #[error("{what}: {cause}")]
    Refused { what: String, cause: String },
    /// Anything else; the cause says what.
    #[error("{what}: {cause}")]
    Failed { what: String, cause: String },
}

impl KafkaError {
    pub(crate) fn failed(what: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self::Failed { what: what.to_string(), cause: cause.to_string() }
    }
}

/// The broker, as the engine sees it; one value a worker.
pub(crate) trait Broker: Send + Sync {
    /// Where it is, for people.
    fn address(&self) -> String;
    /// The wall clock, which tests advance.
    fn now(&self) -> Timestamp;
    /// Every topic with its partition count.
    fn topics(&self) -> BoxFuture<'_, Result<Vec<(Arc<str>, u32)>, KafkaError>>;
    /// Creates topics; one that exists already is left as it is.
    fn create_topics(&self, topics: Vec<NewTopic>) -> BoxFuture<'_, Result<(), KafkaError>>;
    /// The id of a topic, which one that is made anew does not keep; `None` where it cannot be known.
    fn topic_uuid(&self, topic: &str) -> BoxFuture<'_, Result<Option<String>, KafkaError>>;
    /// A setting of a topic; `None` where it cannot be known.
    fn topic_setting(
        &self,
        topic: &str,
        name: &'static str,
    ) -> BoxFuture<'_, Result<Option<String>, KafkaError>>;
    /// Offsets of partitions, in their order.
    fn offsets(
        &self,
        of: Vec<TopicPartition>,
        at: At,
    ) -> BoxFuture<'_, Result<Vec<Offset>, KafkaError>>;
    /// What the app's group has committed, in the order of `of`. `stable`: fails with [`KafkaError::Unstable`] while a
    /// transaction has offsets pending.
    fn committed(
        &self,
        of: Vec<TopicPartition>,
        stable: bool,
    ) -> BoxFuture<'_, Result<Vec<Option<Committed>>, KafkaError>>;
    /// Removes records before an offset.
    fn delete_records(
        &self,
        before: Vec<(TopicPartition, Offset)>,
    ) -> BoxFuture<'_, Result<(), KafkaError>>;
    /// Joins the app's group; once a worker.
    fn join(&self, config: MemberConfig) -> Result<Box<dyn Member>, KafkaError>;
    /// Reads a partition of a source topic from an offset.
    fn source(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError>;
    /// Reads a changelog partition from an offset, apart from the sources.
    fn restore(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError>;
    /// Follows a changelog partition from an offset, apart from both: for standbys.
    fn follow(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError>;
    /// The largest record that can be sent, key and value together.
    fn record_limit(&self) -> usize;
    /// Reads a changelog partition from an offset for a copy of its table, apart from both: the same partition may be
    /// restored meanwhile.
    fn copy(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError>;
    /// A small number for a topic's name, which records to send carry.
    fn topic_id(&self, name: &str) -> TopicId;
    /// A handle of the worker's plain idempotent producer.
    fn producer(&self) -> Result<Box<dyn Producer>, KafkaError>;
    /// A transactional producer, initialised: an open transaction under the id is aborted, its producer fenced.
    fn transactional(&self, id: &str) -> BoxFuture<'_, Result<Box<dyn Transactional>, KafkaError>>;
}

/// Which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// The first record that is there.
    Start,
    /// Behind the last record, open transactions included.
    End,
    /// The first record at or after a moment; the end where there is none.
    Time(Timestamp),
}

/// A topic to be created.
#[derive(Clone, Debug)]
pub(crate) struct NewTopic {
    pub(crate) name: Arc<str>,
    pub(crate) partitions: u32,
    pub(crate) replicas: u16,
    pub(crate) config: Vec<(String, String)>,
}

/// An offset that the group has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: Offset,
    pub(crate) metadata: String,
}

/// An offset to be committed.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) partition: TopicPartition,
    pub(crate) offset: Offset,
    pub(crate) metadata: String,
}

/// How a worker joins its group.
#[derive(Clone)]
pub(crate) struct MemberConfig {
    pub(crate) topics: Vec<Arc<str>>,
    pub(crate) instance_id: Option<String>,
    pub(crate) assignor: Arc<dyn Assignor>,
}

/// Membership of the app's group. It never fetches.
pub(crate) trait Member: Send {
    /// The next change; each must be answered.
    fn next(&mut self) -> BoxFuture<'_, MemberEvent>;
    /// Answers the change: what was assigned is taken, what was revoked is handed over.
    fn answer(&mut self);
    /// Asks for another assignment.
    fn rejoin(&mut self);
    /// Leaves the group, so that others take over at once.
    fn leave(&mut self) -> BoxFuture<'_, ()>;
}

/// A change of the group's assignment.
#[derive(Debug)]
pub(crate) enum MemberEvent {
    /// These partitions came; they are added to what there is.
    Assigned(Vec<TopicPartition>),
    /// These partitions go. `lost`: they have gone already, and nothing of them can be committed.
    Revoked { partitions: Vec<TopicPartition>, lost: bool },
    /// The group had put this worker out and took it in anew: others may have had its partitions, and nothing that was
    /// done before can be committed. What it has still or again follows. It wants no answer.
    Expelled,
    /// Membership failed; the client goes on trying unless the worker stops.
    Failed(KafkaError),
    /// This member is done for, such as one whose name another has taken: what it had is lost. Join again.
    Dead(KafkaError),
}

/// Who gets which partition, decided by one member for all.
pub(crate) trait Assignor: Send + Sync {
    /// What this member tells the deciding one.
    fn user_data(&self) -> Vec<u8>;
    /// Decides.
    fn assign(&self, members: Vec<MemberInfo>, topics: &[(Arc<str>, u32)]) -> Vec<MemberPlan>;
    /// What was decided for this member.
    fn assigned(&self, user_data: &[u8]);
}

/// A member, as the deciding one sees it.
#[derive(Clone, Debug)]
pub(crate) struct MemberInfo {
    pub(crate) id: String,
    pub(crate) owned: Vec<TopicPartition>,
    pub(crate) user_data: Vec<u8>,
}

/// What one member gets.
#[derive(Clone, Debug)]
pub(crate) struct MemberPlan {
    pub(crate) id: String,
    pub(crate) partitions: Vec<TopicPartition>,
    pub(crate) user_data: Vec<u8>,
}

/// Records of one partition, in order, from one reader. Dropping it ends the reading.
pub(crate) trait Source: Send {
    /// The next batch; wakes the task when there is one.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch, KafkaError>>;
}

/// Records that were read at once, undecoded.
pub(crate) struct Batch {
    pub(crate) messages: Box<dyn Messages>,
    /// Where reading stands if there was nothing further at that moment: behind control records and gaps too.
    pub(crate) end: Option<Offset>,
    /// Whether the log ended with it, as far as was known: a hint that there is time to send what waits.
    pub(crate) caught_up: bool,
}

impl Batch {
    /// Where the next record can be, as far as this one tells.
    pub(crate) fn reaches(&self) -> Option<Offset> {
        let last = self.messages.len().checked_sub(1).and_then(|last| self.messages.get(last));
        self.end.max(last.map(|message| message.offset + 1))
    }
}

/// The records of a batch.
pub(crate) trait Messages: Send {
    /// How many.
    fn len(&self) -> usize;
    /// How many bytes they keep in memory.
    fn bytes(&self) -> usize;
    /// One of them.
    fn get(&self, index: usize) -> Option<Message<'_>>;
    /// Its headers; empty where it has none.
    fn headers(&self, index: usize) -> Vec<(&str, Option<&[u8]>)>;
}

/// A record as it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) offset: Offset,
    pub(crate) timestamp: Timestamp,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) has_headers: bool,
}

/// A topic's number in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TopicId(pub(crate) u32);

/// A record to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: TopicId,
    pub(crate) partition: u32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) headers: &'a [(String, Vec<u8>)],
}

/// Why a record was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum SendError {
    /// The queue is full: wait for room and send it again.
    #[error("the producer's queue is full")]
    Full,
    /// It can never be sent; the cause says why.
    #[error("{0}")]
    Refused(String),
    /// The transaction has failed; see [`TxnError`] for what to do.
    #[error(transparent)]
    Failed(#[from] TxnError),
}

/// A plain idempotent producer.
pub(crate) trait Producer: Send {
    /// Hands records over in their order, until one is not taken; then how many were, and why no more. They are copied.
    /// Quickest for records of one destination next to each other.
    fn send_all<'a>(
        &mut self,
        records: &mut dyn Iterator<Item = Outgoing<'a>>,
    ) -> Result<(), (usize, SendError)>;
    /// Hands a record over.
    fn send(&mut self, record: &Outgoing<'_>) -> Result<(), SendError> {
        self.send_all(&mut std::iter::once(*record)).map_err(|(_, error)| error)
    }
    /// Waits until there may be room again.
    fn room(&mut self) -> BoxFuture<'static, ()>;
    /// Completes when everything that was sent through this handle before the call is acknowledged.
    fn settle(&mut self) -> BoxFuture<'static, Result<(), KafkaError>>;
    /// Sends a record and tells where it went: its offset, where the broker says.
    fn deliver(
        &mut self,
        record: &Outgoing<'_>,
    ) -> Result<BoxFuture<'static, Result<Option<Offset>, KafkaError>>, SendError>;
}

/// A transactional producer. Its futures may block: it lives on a committer's thread.
pub(crate) trait Transactional: Send {
    /// Begins a transaction in which the offsets of `slots` kinds of records are wanted.
    fn begin(&mut self, slots: u32) -> Result<(), TxnError>;
    /// Adds records to the transaction, as [`Producer::send_all`] does. `slot`: where their offsets are wanted.
    fn send_all<'a>(
        &mut self,
        records: &mut dyn Iterator<Item = Outgoing<'a>>,
        slot: Option<u32>,
    ) -> Result<(), (usize, SendError)>;
    /// Adds a record to the transaction.
    #[cfg(test)]
    fn send(&mut self, record: &Outgoing<'_>, slot: Option<u32>) -> Result<(), SendError> {
        self.send_all(&mut std::iter::once(*record), slot).map_err(|(_, error)| error)
    }
    /// Waits until there may be room again.
    fn room(&mut self) -> BoxFuture<'_, ()>;
    /// Commits the transaction with these offsets of the app's group; the highest offset of each slot, where known.
    fn commit(
        &mut self,
        offsets: &[Commit],
    ) -> BoxFuture<'_, Result<Vec<Option<Offset>>, TxnError>>;
    /// Aborts the transaction.
    fn abort(&mut self) -> BoxFuture<'_, Result<(), TxnError>>;
}

/// Why a transaction was not committed, by what to do next.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum TxnError {
    /// Nothing of it is visible: abort, and send again what is still owned.
    #[error("{0}")]
    Abortable(String),
    /// The outcome is unknown, or this producer is done for: make a new one and look at the committed offsets.
    #[error("{0}")]
    Unknown(String),
    /// The brokers take no record as large as one of these.
    #[error("{0}")]
    TooLarge(String),
    /// It will fail again until somebody changes what the text names: a permission, a limit, a setting.
    #[error("{0}")]
    Lasting(String),
}
