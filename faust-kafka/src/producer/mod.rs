//! Sending records, plainly or in transactions.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use crate::{Config, GroupMetadata, Result, SendError, TopicPartition, TxnError};

/// An idempotent producer: every record arrives once and in order, or its delivery is reported as failed.
#[derive(Debug)]
pub struct Producer {}

/// A topic of one producer.
#[derive(Debug, Clone)]
pub struct TopicHandle {}

impl Producer {
    /// Starts a producer. It does not wait for a broker.
    pub fn new(config: &Config) -> Result<Self> {
        let _ = config;
        todo!()
    }

    /// A handle for sending to a topic; the same one each time.
    pub fn topic(&self, name: &str) -> Result<TopicHandle> {
        let _ = name;
        todo!()
    }

    /// Queues a record; key, value and headers are copied. Never blocks.
    ///
    /// Its fate is counted in `deliveries`, its offset kept in their `slot`. Without a `timestamp` (milliseconds) it is now.
    #[expect(clippy::too_many_arguments, reason = "a record has as many parts")]
    pub fn send(
        &self,
        topic: &TopicHandle,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Option<i64>,
        headers: &[(&str, Option<&[u8]>)],
        deliveries: Option<&Deliveries>,
        slot: u32,
    ) -> Result<(), SendError> {
        let _ = (topic, partition, key, value, timestamp, headers, deliveries, slot);
        todo!()
    }

    /// Sends all that is queued without lingering and waits until its fate is known. Blocks.
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        let _ = timeout;
        todo!()
    }
}

/// A producer whose records and offsets take effect together. All calls but `topic`, `send` and `begin` block: they
/// belong on a thread of their own.
#[derive(Debug)]
pub struct TransactionalProducer {}

impl TransactionalProducer {
    /// Starts a producer with a transactional id. Nothing can be sent before [`init`](Self::init).
    pub fn new(config: &Config, transactional_id: &str) -> Result<Self> {
        let _ = (config, transactional_id);
        todo!()
    }

    /// See [`Producer::topic`].
    pub fn topic(&self, name: &str) -> Result<TopicHandle> {
        let _ = name;
        todo!()
    }

    /// See [`Producer::send`].
    #[expect(clippy::too_many_arguments, reason = "a record has as many parts")]
    pub fn send(
        &self,
        topic: &TopicHandle,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Option<i64>,
        headers: &[(&str, Option<&[u8]>)],
        deliveries: Option<&Deliveries>,
        slot: u32,
    ) -> Result<(), SendError> {
        let _ = (topic, partition, key, value, timestamp, headers, deliveries, slot);
        todo!()
    }

    /// Takes over the transactional id: whoever used it is fenced, and its open transaction is aborted.
    pub fn init(&self, timeout: Duration) -> Result<(), TxnError> {
        let _ = timeout;
        todo!()
    }

    /// Begins a transaction.
    pub fn begin(&self) -> Result<(), TxnError> {
        todo!()
    }

    /// Commits offsets `(partition, next offset, metadata)` of the group as part of the transaction.
    ///
    /// Take `group` right before: the brokers refuse it (abortable) when the member has lost its place since.
    pub fn send_offsets(
        &self,
        offsets: &[(TopicPartition, i64, &str)],
        group: &GroupMetadata,
        timeout: Duration,
    ) -> Result<(), TxnError> {
        let _ = (offsets, group, timeout);
        todo!()
    }

    /// Waits for all deliveries and commits.
    pub fn commit(&self, timeout: Duration) -> Result<(), TxnError> {
        let _ = timeout;
        todo!()
    }

    /// Drops what is queued and aborts.
    pub fn abort(&self, timeout: Duration) -> Result<(), TxnError> {
        let _ = timeout;
        todo!()
    }
}

/// Counts what became of records. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Deliveries {}

/// The highest offset at which a record of a slot was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotOffset {
    /// No record of the slot was delivered yet.
    None,
    /// This one.
    Known(i64),
    /// A record was delivered by a retry, and the broker did not say where: nothing is known but that it is there.
    Unknown,
}

impl Deliveries {
    /// Deliveries with `slots` offsets (one for each changelog partition, for instance).
    pub fn new(slots: u32) -> Self {
        let _ = slots;
        todo!()
    }

    /// How many records were handed over.
    pub fn sent(&self) -> u64 {
        todo!()
    }

    /// How many arrived.
    pub fn delivered(&self) -> u64 {
        todo!()
    }

    /// How many did not.
    pub fn failed(&self) -> u64 {
        todo!()
    }

    /// The highest offset of a slot.
    pub fn offset(&self, slot: u32) -> SlotOffset {
        let _ = slot;
        todo!()
    }

    /// Ready when the fate of all records is known; an error if one failed (the first).
    pub fn poll_settled(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let _ = cx;
        todo!()
    }

    /// Like [`poll_settled`](Self::poll_settled), as a future.
    pub async fn settled(&self) -> Result<()> {
        std::future::poll_fn(|cx| self.poll_settled(cx)).await
    }

    /// Waits for it. Blocks.
    pub fn wait(&self, timeout: Duration) -> Result<()> {
        let _ = timeout;
        todo!()
    }
}

/// The partition of a key, as Kafka's Java client chooses it: murmur2.
///
/// ```no_run
/// assert_eq!(faust_kafka::partition_for(b"21", 8), 3);
/// ```
pub fn partition_for(key: &[u8], partitions: i32) -> i32 {
    let _ = (key, partitions);
    todo!()
}
