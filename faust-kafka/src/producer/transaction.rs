//! Records and offsets that take effect together.

use std::time::Duration;

use rdkafka_sys as sys;

use super::{class, send::Sender};
use crate::{
    Code, Config, Deliveries, GroupMetadata, Record, Result, SendError, TopicHandle,
    TopicPartition, TxnError, TxnErrorKind,
    config::Role,
    native::{NativeError, Partitions, millis},
};

/// A producer whose records and offsets take effect together.
///
/// All calls but [`topic`](Self::topic), [`send`](Self::send) and [`begin`](Self::begin) block:
/// they belong on a thread of their own. While `send_offsets`, `commit` or `abort` runs, nothing
/// may be sent.
///
/// Dropped with an open transaction, it leaves that to the brokers: until `transaction.timeout.ms`
/// is over, or another producer with the same id calls `init`, readers of committed records wait.
///
/// After a call that [timed out](TxnErrorKind::TimedOut) its outcome is unknown, and a late answer
/// to it could end the *next* transaction of this producer: drop it, start a new one with the same
/// id, `init`, and look at what is committed.
///
/// ```no_run
/// # use std::time::Duration;
/// # use faust_kafka::{Config, Member, Record, TopicPartition, TransactionalProducer, TxnErrorKind};
/// # fn example(config: &Config, member: &Member) -> Result<(), Box<dyn std::error::Error>> {
/// let timeout = Duration::from_secs(10);
/// let producer = TransactionalProducer::new(config, "my-app-1")?;
/// let counts = producer.topic("counts")?;
/// producer.init(timeout)?;
/// producer.begin()?;
/// producer.send(&counts, &Record { value: Some(b"7"), ..Record::default() }, None)?;
/// let offsets = [(TopicPartition::new("words", 0), 42, "")];
/// let group = member.group_metadata()?;
/// let done = producer.send_offsets(&offsets, &group, timeout).and_then(|()| producer.commit(timeout));
/// match done {
///     Err(error) if error.kind == TxnErrorKind::Abortable => producer.abort(timeout)?,
///     other => other?,
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TransactionalProducer(Sender);

impl TransactionalProducer {
    /// Starts a producer with a transactional id. Nothing can be sent before [`init`](Self::init)
    /// and [`begin`](Self::begin).
    pub fn new(config: &Config, transactional_id: &str) -> Result<Self> {
        Ok(Self(Sender::start(config, &Role::Transactional { id: transactional_id })?))
    }

    /// See [`Producer::topic`](crate::Producer::topic).
    pub fn topic(&self, name: &str) -> Result<TopicHandle> {
        self.0.topic(name)
    }

    /// See [`Producer::send`](crate::Producer::send).
    pub fn send(
        &self,
        topic: &TopicHandle,
        record: &Record<'_>,
        deliveries: Option<(&Deliveries, u32)>,
    ) -> Result<(), SendError> {
        self.0.send(topic, record, deliveries)
    }

    /// See [`Producer::send_all`](crate::Producer::send_all).
    pub fn send_all(
        &self,
        topic: &TopicHandle,
        records: &[Record<'_>],
        deliveries: Option<(&Deliveries, u32)>,
    ) -> Result<(), (usize, SendError)> {
        self.0.send_all(topic, records, deliveries)
    }

    /// Takes over the transactional id: whoever used it before is fenced, and its open transaction
    /// is aborted.
    ///
    /// Retriable when the time was too short.
    pub fn init(&self, timeout: Duration) -> Result<(), TxnError> {
        // SAFETY: the client is alive.
        let error =
            unsafe { sys::rd_kafka_init_transactions(self.0.client.ptr(), millis(timeout)) };
        outcome(INIT, error)
    }

    /// Begins a transaction.
    pub fn begin(&self) -> Result<(), TxnError> {
        // SAFETY: the client is alive.
        outcome("begin", unsafe { sys::rd_kafka_begin_transaction(self.0.client.ptr()) })
    }

    /// Commits offsets of the group (partition, next offset, metadata) as part of the transaction.
    ///
    /// Take `group` right before: the brokers refuse it (abortable) when the member has lost its
    /// place since.
    pub fn send_offsets(
        &self,
        offsets: &[(TopicPartition, i64, &str)],
        group: &GroupMetadata,
        timeout: Duration,
    ) -> Result<(), TxnError> {
        const CALL: &str = "send_offsets";
        let mut list = Partitions::new();
        for (partition, offset, metadata) in offsets {
            list.add(&partition.topic, partition.partition, *offset, Some(metadata)).map_err(
                |error| TxnError {
                    kind: TxnErrorKind::Abortable,
                    call: CALL,
                    code: Code::INVALID_ARGUMENT,
                    text: error.to_string(),
                },
            )?;
        }
        // SAFETY: client, list and metadata are alive.
        let error = unsafe {
            sys::rd_kafka_send_offsets_to_transaction(
                self.0.client.ptr(),
                list.ptr(),
                group.ptr(),
                millis(timeout),
            )
        };
        outcome(CALL, error)
    }

    /// Waits for all deliveries and commits.
    pub fn commit(&self, timeout: Duration) -> Result<(), TxnError> {
        // SAFETY: the client is alive.
        let error =
            unsafe { sys::rd_kafka_commit_transaction(self.0.client.ptr(), millis(timeout)) };
        outcome("commit", error)
    }

    /// Drops what is queued and aborts. Deliveries of what is dropped fail.
    ///
    /// [Fatal](TxnErrorKind::Fatal) where a record is dropped that may be in the log, because the
    /// answer to it was lost. librdkafka (2.12) gives the sequence number of such a record to the
    /// next one; the brokers take that for the same record sent again (KIP-98), and do not write
    /// it, although they report success. A new producer has a new epoch, and numbers of its own.
    pub fn abort(&self, timeout: Duration) -> Result<(), TxnError> {
        const CALL: &str = "abort";
        // SAFETY: the client is alive.
        let error =
            unsafe { sys::rd_kafka_abort_transaction(self.0.client.ptr(), millis(timeout)) };
        let aborted = outcome(CALL, error);
        if self.0.is_in_doubt() {
            return Err(TxnError {
                kind: TxnErrorKind::Fatal,
                call: CALL,
                code: Code::PURGE_QUEUE,
                text: "records were dropped that may be in the log".to_owned(),
            });
        }
        aborted
    }
}

const INIT: &str = "init";

fn outcome(call: &'static str, error: *mut sys::rd_kafka_error_t) -> Result<(), TxnError> {
    // SAFETY: what a call returned, taken once.
    unsafe { NativeError::take(error) }.map_err(|error| {
        let client = if error.fatal {
            Some(TxnErrorKind::Fatal)
        } else if error.abortable {
            Some(TxnErrorKind::Abortable)
        } else {
            error.retriable.then_some(TxnErrorKind::Retriable)
        };
        let kind = match class::kind(error.code, client) {
            // Before a transaction there is nothing whose outcome could be unknown.
            TxnErrorKind::TimedOut if call == INIT => TxnErrorKind::Retriable,
            kind => kind,
        };
        TxnError { kind, call, code: error.code, text: error.text }
    })
}
