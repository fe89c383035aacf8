//! Transactional producers: who they are, what their open transaction touches, how it ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;

use crate::groups::offsets::OffsetCommit;

/// The longest transaction timeout a producer may ask for (Kafka's default).
pub(crate) const MAX_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// What an open transaction touches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched {
    pub(crate) partitions: BTreeSet<(String, i32)>,
    /// Offsets by group, to be committed with the transaction.
    pub(crate) offsets: BTreeMap<String, Vec<OffsetCommit>>,
}

/// Where a transactional id stands.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nothing since the producer registered.
    Empty,
    Ongoing {
        touched: Touched,
        since: Instant,
    },
    /// Decided, but not all partitions know yet.
    Prepared {
        touched: Touched,
        commit: bool,
    },
    Ended {
        committed: bool,
    },
}

/// One transactional id.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// The epoch before this one, if its owner is the same producer.
    pub(crate) last_epoch: Option<i16>,
    pub(crate) timeout: Duration,
    pub(crate) phase: Phase,
}

impl Transaction {
    /// Whether a request comes from the producer that owns the id now.
    pub(crate) fn check_owner(&self, producer_id: i64, epoch: i16) -> Result<(), ResponseError> {
        if producer_id != self.producer_id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        // Handlers tell clients that are too old for this error INVALID_PRODUCER_EPOCH instead.
        if epoch != self.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        Ok(())
    }

    /// What the open transaction touches, to add to it. A new one begins if none is open.
    pub(crate) fn touch(&mut self) -> Option<&mut Touched> {
        if matches!(self.phase, Phase::Empty | Phase::Ended { .. }) {
            self.phase = Phase::Ongoing { touched: Touched::default(), since: Instant::now() };
        }
        match &mut self.phase {
            Phase::Ongoing { touched, .. } => Some(touched),
            _ => None,
        }
    }

    fn touched(&self) -> Option<&Touched> {
        match &self.phase {
            Phase::Ongoing { touched, .. } | Phase::Prepared { touched, .. } => Some(touched),
            Phase::Empty | Phase::Ended { .. } => None,
        }
    }

    fn touched_mut(&mut self) -> Option<&mut Touched> {
        match &mut self.phase {
            Phase::Ongoing { touched, .. } | Phase::Prepared { touched, .. } => Some(touched),
            Phase::Empty | Phase::Ended { .. } => None,
        }
    }
}

/// All transactional ids.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    by_id: HashMap<String, Transaction>,
    by_producer: HashMap<i64, String>,
}

impl Transactions {
    pub(crate) fn get(&self, id: &str) -> Option<&Transaction> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Transaction> {
        self.by_id.get_mut(id)
    }

    /// The transaction of a request, if its sender owns the id.
    pub(crate) fn owned(
        &self,
        id: &str,
        producer_id: i64,
        epoch: i16,
    ) -> Result<&Transaction, ResponseError> {
        let transaction = self.by_id.get(id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        transaction.check_owner(producer_id, epoch)?;
        Ok(transaction)
    }

    /// Gives the id to a producer, or the producer a new epoch.
    pub(crate) fn register(&mut self, id: &str, producer_id: i64, epoch: i16, timeout: Duration) {
        let former = self.by_id.get(id);
        if let Some(former) = former.filter(|former| former.producer_id != producer_id) {
            self.by_producer.remove(&former.producer_id);
        }
        let last_epoch =
            former.filter(|former| former.producer_id == producer_id).map(|former| former.epoch);
        self.by_producer.insert(producer_id, id.to_owned());
        let transaction =
            Transaction { producer_id, epoch, last_epoch, timeout, phase: Phase::Empty };
        self.by_id.insert(id.to_owned(), transaction);
    }

    /// Whether a transactional batch belongs to an open transaction that named its partition.
    pub(crate) fn check_batch(
        &self,
        producer_id: i64,
        epoch: i16,
        topic: &str,
        partition: i32,
    ) -> Result<(), ResponseError> {
        let transaction = self.by_producer.get(&producer_id).and_then(|id| self.by_id.get(id));
        let transaction = transaction.ok_or(ResponseError::InvalidProducerIdMapping)?;
        if epoch != transaction.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        let named = |touched: &Touched| touched.partitions.contains(&(topic.to_owned(), partition));
        match &transaction.phase {
            Phase::Ongoing { touched, .. } if named(touched) => Ok(()),
            _ => Err(ResponseError::InvalidTxnState),
        }
    }

    /// Whether an undecided transaction holds an offset of this partition for this group.
    pub(crate) fn holds_offset(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.by_id.values().filter_map(Transaction::touched).any(|touched| {
            let offsets = touched.offsets.get(group).into_iter().flatten();
            offsets.into_iter().any(|held| held.topic == topic && held.partition == partition)
        })
    }

    /// Whether an undecided transaction holds any offset for this group.
    pub(crate) fn holds_group(&self, group: &str) -> bool {
        let mut touched = self.by_id.values().filter_map(Transaction::touched);
        touched.any(|touched| touched.offsets.get(group).is_some_and(|offsets| !offsets.is_empty()))
    }

    /// The ids whose open transaction has lasted too long.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<String> {
        let overdue = |transaction: &Transaction| match &transaction.phase {
            Phase::Ongoing { since, .. } => {
                now.saturating_duration_since(*since) >= transaction.timeout
            }
            _ => false,
        };
        self.by_id.iter().filter(|(_, t)| overdue(t)).map(|(id, _)| id.clone()).collect()
    }

    /// The ids whose transaction is decided but not finished.
    pub(crate) fn prepared(&self) -> Vec<String> {
        let prepared =
            |transaction: &Transaction| matches!(transaction.phase, Phase::Prepared { .. });
        self.by_id.iter().filter(|(_, t)| prepared(t)).map(|(id, _)| id.clone()).collect()
    }

    /// A deleted topic takes its part of every open transaction with it.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        for touched in self.by_id.values_mut().filter_map(Transaction::touched_mut) {
            touched.partitions.retain(|(name, _)| name != topic);
            touched
                .offsets
                .values_mut()
                .for_each(|offsets| offsets.retain(|held| held.topic != topic));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Transaction)> {
        self.by_id.iter()
    }
}
