//! State and disk: reading it back at the start, and writing it down compactly.

use std::path::Path;

use uuid::Uuid;

use super::{Disk, State};
use crate::storage::folder::Folder;
use crate::storage::journal::{Entry, Journal};
use crate::transactions::{Phase, Touched};
use crate::{Config, Error};

impl State {
    /// The state that a data folder holds. What a killed broker left half done is finished.
    pub(crate) fn open(config: &Config, path: &Path) -> Result<Self, Error> {
        let folder = Folder::open(path)?;
        let journal_path = folder.journal();
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Data { path, source }
        };
        let entries = Journal::read(&journal_path)?;
        let mut state = Self::in_memory(config);
        // Topics ask the disk for their place, so it has to be there before the first entry.
        let journal = Journal::resume(&journal_path).map_err(fail(&journal_path))?;
        state.disk = Some(Disk { folder, journal });
        entries.into_iter().for_each(|entry| state.apply(entry));
        for (name, topic) in state.topics.iter_mut() {
            for log in &mut topic.partitions {
                log.recover().map_err(fail(&path.join("topics").join(name)))?;
            }
        }
        let journal =
            Journal::rewrite(&journal_path, &state.entries()).map_err(fail(&journal_path))?;
        if let Some(disk) = &mut state.disk {
            disk.journal = journal;
            let known =
                |name: &str, id: Uuid| state.topics.get(name).is_some_and(|topic| topic.id == id);
            disk.folder.remove_strangers(known).map_err(fail(path))?;
        }
        state.finish_prepared(true);
        Ok(state)
    }

    /// The shortest list of entries that leads here.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::ClusterNamed { id: self.cluster_id.clone() },
            Entry::Started { lives: self.lives },
            Entry::ProducerIdsTaken { next: self.next_producer_id },
        ];
        for (name, topic) in self.topics.iter() {
            entries.push(Entry::TopicCreated {
                name: name.clone(),
                id: topic.id,
                partitions: topic.partition_count(),
                configs: topic.settings.configs().clone(),
            });
            for (partition, log) in (0..).zip(&topic.partitions) {
                let before = log.bounds().start;
                if before > 0 {
                    entries.push(Entry::RecordsDeleted { topic: name.clone(), partition, before });
                }
            }
        }
        for (group, members_and_offsets) in self.groups.iter() {
            let offsets: Vec<_> = members_and_offsets.offsets.iter().cloned().collect();
            if !offsets.is_empty() {
                entries.push(Entry::OffsetsCommitted { group: group.clone(), offsets });
            }
        }
        for (id, transaction) in self.transactions.iter() {
            let transactional_id = id.clone();
            let epoch = transaction.epoch;
            entries.push(Entry::ProducerRegistered {
                transactional_id: transactional_id.clone(),
                producer_id: transaction.producer_id,
                epoch,
                timeout_ms: i32::try_from(transaction.timeout.as_millis()).unwrap_or(i32::MAX),
            });
            let prepared =
                |commit| Entry::TransactionPrepared { transactional_id: id.clone(), epoch, commit };
            match &transaction.phase {
                Phase::Empty => {}
                Phase::Ongoing { touched, .. } => touched_entries(id, touched, &mut entries),
                Phase::Prepared { touched, commit } => {
                    touched_entries(id, touched, &mut entries);
                    entries.push(prepared(*commit));
                }
                // Kept for a producer that asks again because the answer was lost.
                Phase::Ended { committed } => {
                    entries.push(prepared(*committed));
                    entries.push(Entry::TransactionEnded { transactional_id });
                }
            }
        }
        entries
    }
}

fn touched_entries(id: &str, touched: &Touched, entries: &mut Vec<Entry>) {
    entries.push(Entry::TransactionPartitions {
        transactional_id: id.to_owned(),
        partitions: touched.partitions.iter().cloned().collect(),
    });
    for (group, offsets) in &touched.offsets {
        entries.push(Entry::TransactionOffsets {
            transactional_id: id.to_owned(),
            group: group.clone(),
            offsets: offsets.clone(),
        });
    }
}
