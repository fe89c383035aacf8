//! All that a broker knows, and the one way to change it: write an entry, then apply it.
//!
//! Records are the exception: they go straight to their partition's log.

mod replay;
mod transactions;

pub(crate) use transactions::Producer;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kafka_protocol::ResponseError;
use uuid::Uuid;

use crate::Config;
use crate::faults::Faults;
use crate::groups::Groups;
use crate::log::Log;
use crate::storage::batch::Batch;
use crate::storage::folder::Folder;
use crate::storage::journal::{Entry, Journal};
use crate::topics::settings::Settings;
use crate::topics::{Topic, Topics};
use crate::transactions::{Phase, Transactions};

/// The broker's state. One lock guards it.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) cluster_id: String,
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    /// What goes wrong on purpose.
    pub(crate) faults: Faults,
    next_producer_id: i64,
    lives: i32,
    segment_bytes: u64,
    /// `None` in memory.
    disk: Option<Disk>,
}

#[derive(Debug)]
struct Disk {
    folder: Folder,
    journal: Journal,
}

/// What an append tells the producer.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    /// The broker's time, where the topic has the broker's time.
    pub(crate) log_append_time: i64,
    pub(crate) log_start: i64,
}

impl State {
    /// The state of a broker without files.
    pub(crate) fn in_memory(config: &Config) -> Self {
        let cluster_id = Uuid::new_v4().to_string();
        Self { cluster_id, segment_bytes: config.segment_bytes, ..Self::default() }
    }

    /// Makes an entry true: on disk first, then here.
    pub(crate) fn record(&mut self, entry: Entry) -> Result<(), ResponseError> {
        if let Some(disk) = &mut self.disk
            && let Err(error) = disk.journal.append(&entry)
        {
            tracing::error!(%error, ?entry, "cannot write the journal; the request is refused");
            return Err(entry.failure());
        }
        self.apply(entry);
        let outgrown = self.disk.as_ref().filter(|disk| disk.journal.has_outgrown());
        if let Some(path) = outgrown.map(|disk| disk.journal.path().to_owned()) {
            match (Journal::rewrite(&path, &self.entries()), &mut self.disk) {
                (Ok(journal), Some(disk)) => disk.journal = journal,
                (Ok(_), None) => {}
                // The old journal is whole and still grows.
                (Err(error), _) => tracing::error!(%error, "cannot rewrite the journal"),
            }
        }
        Ok(())
    }

    /// Takes in what a producer sent for one partition.
    pub(crate) fn produce(
        &mut self,
        topic_name: &str,
        partition: i32,
        mut batch: Batch,
    ) -> Result<Appended, ResponseError> {
        let topic =
            self.topics.get_mut(topic_name).ok_or(ResponseError::UnknownTopicOrPartition)?;
        let settings = &topic.settings;
        if batch.header.size > settings.max_message_bytes {
            return Err(ResponseError::MessageTooLarge);
        }
        let log_append_time = if settings.log_append_time {
            let now = now_ms();
            batch.stamp(now);
            now
        } else {
            -1
        };
        let log = topic.partition(partition).ok_or(ResponseError::UnknownTopicOrPartition)?;
        if batch.header.is_transactional() {
            let (producer_id, epoch) = (batch.header.producer_id, batch.header.producer_epoch);
            self.transactions.check_batch(producer_id, epoch, topic_name, partition)?;
        }
        let base_offset = log.append(batch)?;
        Ok(Appended { base_offset, log_append_time, log_start: log.bounds().start })
    }

    /// Deletes what is behind the retention of its topic.
    pub(crate) fn retain(&mut self, now: i64) {
        let mut deletions = Vec::new();
        for (name, topic) in self.topics.iter() {
            let settings = &topic.settings;
            let age = settings.retention("retention.ms").and_then(|age| i64::try_from(age).ok());
            let bytes = settings.retention("retention.bytes");
            for (partition, log) in (0..).zip(&topic.partitions) {
                let before = log.retained_from(age.map(|age| now.saturating_sub(age)), bytes);
                if before > log.bounds().start {
                    let topic = name.clone();
                    deletions.push(Entry::RecordsDeleted { topic, partition, before });
                }
            }
        }
        for entry in deletions {
            // It says so if it cannot be written, and is tried again.
            let _ = self.record(entry);
        }
    }

    /// Removes a topic and its files.
    pub(crate) fn delete_topic(&mut self, name: &str) -> Result<(), ResponseError> {
        let topic = self.topics.get(name).ok_or(ResponseError::UnknownTopicOrPartition)?;
        let id = topic.id;
        topic.partitions.iter().for_each(Log::wake);
        self.record(Entry::TopicDeleted { name: name.to_owned() })?;
        if let Some(disk) = &self.disk {
            disk.folder.remove_topic(name, id);
        }
        Ok(())
    }

    /// Adds what an entry says to the state. Only entries that were checked get here.
    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::ClusterNamed { id } => self.cluster_id = id,
            Entry::Started { lives } => {
                self.lives = lives.saturating_add(1);
                self.groups = Groups::in_life(self.lives);
            }
            Entry::TopicCreated { name, id, partitions, configs } => {
                let settings = Settings::new(configs);
                self.topics.insert(name.clone(), Topic { id, settings, partitions: Vec::new() });
                self.grow(&name, partitions);
            }
            Entry::TopicGrown { name, partitions } => self.grow(&name, partitions),
            Entry::TopicConfigured { name, configs } => {
                if let Some(topic) = self.topics.get_mut(&name) {
                    topic.settings = Settings::new(configs);
                    let roll = topic.settings.roll(self.segment_bytes);
                    topic.partitions.iter_mut().for_each(|log| log.set_roll(roll));
                }
            }
            Entry::TopicDeleted { name } => {
                self.topics.remove(&name);
                self.transactions.forget_topic(&name);
                self.groups.iter_mut().for_each(|(_, group)| group.offsets.forget_topic(&name));
            }
            Entry::RecordsDeleted { topic, partition, before } => {
                if let Ok(log) = self.topics.log(&topic, partition) {
                    log.delete_before(before);
                }
            }
            Entry::OffsetsCommitted { group, offsets } => {
                let group = self.groups.get_or_create(&group);
                offsets.into_iter().for_each(|offset| group.offsets.commit(offset));
            }
            Entry::GroupDeleted { group } => self.groups.remove(&group),
            Entry::ProducerIdsTaken { next } => self.next_producer_id = next,
            Entry::ProducerRegistered { transactional_id, producer_id, epoch, timeout_ms } => {
                let timeout = Duration::from_millis(timeout_ms.max(0).unsigned_abs().into());
                self.transactions.register(&transactional_id, producer_id, epoch, timeout);
            }
            Entry::TransactionPartitions { transactional_id, partitions } => {
                let transaction = self.transactions.get_mut(&transactional_id);
                if let Some(touched) = transaction.and_then(|transaction| transaction.touch()) {
                    touched.partitions.extend(partitions);
                }
            }
            Entry::TransactionGroup { transactional_id, group } => {
                let transaction = self.transactions.get_mut(&transactional_id);
                if let Some(touched) = transaction.and_then(|transaction| transaction.touch()) {
                    touched.offsets.entry(group).or_default();
                }
            }
            Entry::TransactionOffsets { transactional_id, group, offsets } => {
                let transaction = self.transactions.get_mut(&transactional_id);
                if let Some(touched) = transaction.and_then(|transaction| transaction.touch()) {
                    touched.offsets.entry(group).or_default().extend(offsets);
                }
            }
            Entry::TransactionPrepared { transactional_id, epoch, commit } => {
                if let Some(transaction) = self.transactions.get_mut(&transactional_id) {
                    transaction.epoch = epoch;
                    let phase = std::mem::replace(&mut transaction.phase, Phase::Empty);
                    let touched = match phase {
                        Phase::Ongoing { touched, .. } | Phase::Prepared { touched, .. } => touched,
                        Phase::Empty | Phase::Ended { .. } => Default::default(),
                    };
                    transaction.phase = Phase::Prepared { touched, commit };
                }
            }
            Entry::TransactionEnded { transactional_id } => self.end(&transactional_id),
        }
    }

    fn grow(&mut self, name: &str, partitions: i32) {
        let Some(topic) = self.topics.get_mut(name) else { return };
        let home = self.disk.as_ref().map(|disk| disk.folder.topic(name, topic.id));
        for partition in topic.partition_count()..partitions {
            let folder = home.as_ref().map(|home| home.join(partition.to_string()));
            topic.partitions.push(Log::new(folder, topic.settings.roll(self.segment_bytes)));
        }
    }

    /// Ends a transaction: its offsets become those of their groups, or nobody's.
    fn end(&mut self, transactional_id: &str) {
        let Some(transaction) = self.transactions.get_mut(transactional_id) else { return };
        let phase = std::mem::replace(&mut transaction.phase, Phase::Empty);
        let Phase::Prepared { touched, commit } = phase else { return };
        transaction.phase = Phase::Ended { committed: commit };
        for (group, offsets) in
            touched.offsets.into_iter().filter(|(_, offsets)| commit && !offsets.is_empty())
        {
            let group = self.groups.get_or_create(&group);
            offsets.into_iter().for_each(|offset| group.offsets.commit(offset));
        }
    }
}

/// The time as record timestamps have it.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
