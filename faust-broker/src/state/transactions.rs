//! The transaction coordinator: what producers may do with their transactions, and in what order
//! it becomes true.
//!
//! The end of a transaction is decided by one entry, `TransactionPrepared`. Markers, offsets and
//! `TransactionEnded` follow; a broker that is killed in between finishes them at its next start.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;

use super::{State, now_ms};
use crate::faults::Moment;
use crate::groups::Committer;
use crate::groups::offsets::OffsetCommit;
use crate::storage::batch::Marker;
use crate::storage::journal::Entry;
use crate::transactions::{MAX_TIMEOUT, Phase};

/// A producer as it names itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

impl State {
    /// A producer id for a producer without transactions.
    pub(crate) fn new_producer(&mut self) -> Result<Producer, ResponseError> {
        let id = self.next_producer_id;
        self.record(Entry::ProducerIdsTaken { next: id + 1 })?;
        Ok(Producer { id, epoch: 0 })
    }

    /// Gives a transactional id to the producer that asks. Whoever had it is fenced, and the
    /// transaction it left open is aborted.
    ///
    /// A producer that had the id itself says so by `former`, to get a new epoch after an error.
    pub(crate) fn init_transactions(
        &mut self,
        id: &str,
        timeout_ms: i32,
        former: Option<Producer>,
    ) -> Result<Producer, ResponseError> {
        if id.is_empty() {
            return Err(ResponseError::InvalidRequest);
        }
        let timeout = u64::try_from(timeout_ms).map(Duration::from_millis).unwrap_or_default();
        if timeout.is_zero() || timeout > MAX_TIMEOUT {
            return Err(ResponseError::InvalidTransactionTimeout);
        }
        let Some(transaction) = self.transactions.get(id) else {
            let producer = self.new_producer()?;
            return self.register(id, producer, timeout_ms);
        };
        let current = Producer { id: transaction.producer_id, epoch: transaction.epoch };
        if let Some(former) = former {
            let last = transaction.last_epoch.map(|epoch| Producer { id: current.id, epoch });
            if Some(former) == last && matches!(transaction.phase, Phase::Empty) {
                // Asked twice: the first answer was lost.
                return Ok(current);
            }
            if former != current {
                return Err(ResponseError::ProducerFenced);
            }
        }
        if matches!(transaction.phase, Phase::Prepared { .. }) {
            self.finish(id, false)?;
        }
        let is_open =
            self.transactions.get(id).is_some_and(|t| matches!(t.phase, Phase::Ongoing { .. }));
        // The last epoch is kept free, so that an open transaction can always be fenced.
        let next_epoch = current.epoch.checked_add(1).filter(|epoch| *epoch < i16::MAX);
        if is_open {
            self.abort(id, current.epoch.saturating_add(1))?;
        }
        match next_epoch {
            Some(epoch) => self.register(id, Producer { id: current.id, epoch }, timeout_ms),
            None => {
                let producer = self.new_producer()?;
                self.register(id, producer, timeout_ms)
            }
        }
    }

    /// Whether there is a partition that a transaction could name.
    pub(crate) fn check_partition(
        &mut self,
        topic: &str,
        partition: i32,
    ) -> Result<(), ResponseError> {
        self.topics.log(topic, partition).map(drop)
    }

    /// Adds partitions that exist to a transaction, which begins with that.
    pub(crate) fn add_partitions(
        &mut self,
        id: &str,
        producer: Producer,
        mut partitions: Vec<(String, i32)>,
    ) -> Result<(), ResponseError> {
        let transaction = self.transactions.owned(id, producer.id, producer.epoch)?;
        match &transaction.phase {
            Phase::Prepared { .. } => return Err(ResponseError::ConcurrentTransactions),
            Phase::Ongoing { touched, .. } => {
                partitions.retain(|p| !touched.partitions.contains(p))
            }
            Phase::Empty | Phase::Ended { .. } => {}
        }
        if partitions.is_empty() {
            return Ok(());
        }
        self.record(Entry::TransactionPartitions { transactional_id: id.to_owned(), partitions })
    }

    /// Adds a group's offsets to a transaction; which offsets follows.
    pub(crate) fn add_group(
        &mut self,
        id: &str,
        producer: Producer,
        group: &str,
    ) -> Result<(), ResponseError> {
        let transaction = self.transactions.owned(id, producer.id, producer.epoch)?;
        match &transaction.phase {
            Phase::Prepared { .. } => return Err(ResponseError::ConcurrentTransactions),
            Phase::Ongoing { touched, .. } if touched.offsets.contains_key(group) => return Ok(()),
            Phase::Ongoing { .. } | Phase::Empty | Phase::Ended { .. } => {}
        }
        let group = group.to_owned();
        self.record(Entry::TransactionGroup { transactional_id: id.to_owned(), group })
    }

    /// Offsets to be committed with the transaction.
    pub(crate) fn add_offsets(
        &mut self,
        id: &str,
        producer: Producer,
        group: &str,
        committer: Committer<'_>,
        offsets: Vec<OffsetCommit>,
    ) -> Result<(), ResponseError> {
        let transaction = self.transactions.owned(id, producer.id, producer.epoch)?;
        match &transaction.phase {
            Phase::Ongoing { touched, .. } if touched.offsets.contains_key(group) => {}
            Phase::Prepared { .. } => return Err(ResponseError::ConcurrentTransactions),
            _ => return Err(ResponseError::InvalidTxnState),
        }
        match self.groups.get_mut(group) {
            Some(group) => group.check_committer(committer, Instant::now())?,
            None if committer.generation < 0 => {}
            None => return Err(ResponseError::IllegalGeneration),
        }
        if offsets.is_empty() {
            return Ok(());
        }
        let (transactional_id, group) = (id.to_owned(), group.to_owned());
        self.record(Entry::TransactionOffsets { transactional_id, group, offsets })
    }

    /// Commits or aborts. Asking again for the same end is no error.
    pub(crate) fn end_transaction(
        &mut self,
        id: &str,
        producer: Producer,
        commit: bool,
    ) -> Result<(), ResponseError> {
        let transaction = self.transactions.owned(id, producer.id, producer.epoch)?;
        match transaction.phase {
            Phase::Ongoing { .. } => {
                let (transactional_id, epoch) = (id.to_owned(), producer.epoch);
                self.record(Entry::TransactionPrepared { transactional_id, epoch, commit })?;
                self.finish(id, false)
            }
            Phase::Prepared { commit: decided, .. } if decided == commit => self.finish(id, false),
            Phase::Ended { committed } if committed == commit => Ok(()),
            Phase::Prepared { .. } | Phase::Ended { .. } | Phase::Empty => {
                Err(ResponseError::InvalidTxnState)
            }
        }
    }

    /// Aborts what has been open for too long, and fences its producer.
    pub(crate) fn expire_transactions(&mut self, now: Instant) {
        for id in self.transactions.overdue(now) {
            let Some(transaction) = self.transactions.get(&id) else { continue };
            tracing::info!(transactional_id = id, "a transaction timed out and is aborted");
            let epoch = transaction.epoch.saturating_add(1);
            if let Err(error) = self.abort(&id, epoch) {
                tracing::error!(transactional_id = id, %error, "cannot abort a transaction yet");
            }
        }
        self.finish_prepared(false);
    }

    /// Finishes every transaction that is decided. `restarted` says that markers may be there.
    pub(super) fn finish_prepared(&mut self, restarted: bool) {
        for id in self.transactions.prepared() {
            if let Err(error) = self.finish(&id, restarted) {
                tracing::error!(transactional_id = id, %error, "cannot finish a transaction yet");
            }
        }
    }

    fn register(
        &mut self,
        id: &str,
        producer: Producer,
        timeout_ms: i32,
    ) -> Result<Producer, ResponseError> {
        let transactional_id = id.to_owned();
        let Producer { id: producer_id, epoch } = producer;
        self.record(Entry::ProducerRegistered {
            transactional_id,
            producer_id,
            epoch,
            timeout_ms,
        })?;
        Ok(producer)
    }

    fn abort(&mut self, id: &str, epoch: i16) -> Result<(), ResponseError> {
        let transactional_id = id.to_owned();
        self.record(Entry::TransactionPrepared { transactional_id, epoch, commit: false })?;
        self.finish(id, false)
    }

    /// Tells every partition how the transaction ended, and the groups their offsets.
    fn finish(&mut self, id: &str, restarted: bool) -> Result<(), ResponseError> {
        let Some(transaction) = self.transactions.get_mut(id) else { return Ok(()) };
        let (producer_id, epoch) = (transaction.producer_id, transaction.epoch);
        let Phase::Prepared { touched, commit } = &mut transaction.phase else { return Ok(()) };
        let marker = if *commit { Marker::Commit } else { Marker::Abort };
        self.faults.reach(Moment::Prepared);
        while let Some((topic, partition)) = touched.partitions.first() {
            // A deleted topic was taken out of the transaction, so the log is there.
            if let Ok(log) = self.topics.log(topic, *partition)
                && (!restarted || log.has_open_transaction(producer_id))
            {
                // What is done already stays done: the next attempt goes on from here.
                let done = log.end_transaction(producer_id, epoch, marker, now_ms());
                done.map_err(|_| ResponseError::CoordinatorNotAvailable)?;
            }
            touched.partitions.pop_first();
            if !touched.partitions.is_empty() {
                self.faults.reach(Moment::BetweenMarkers);
            }
        }
        self.faults.reach(Moment::Marked);
        self.record(Entry::TransactionEnded { transactional_id: id.to_owned() })
    }
}
