//! Committed offsets: what a group has finished, by topic and partition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Longest metadata string of a commit (Kafka's `offset.metadata.max.bytes`).
pub(crate) const MAX_METADATA_BYTES: usize = 4096;

/// One commit, as it travels and as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OffsetCommit {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

/// The offsets of one group.
#[derive(Debug, Default)]
pub(crate) struct Offsets(BTreeMap<String, BTreeMap<i32, OffsetCommit>>);

impl Offsets {
    pub(crate) fn commit(&mut self, commit: OffsetCommit) {
        self.0.entry(commit.topic.clone()).or_default().insert(commit.partition, commit);
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&OffsetCommit> {
        self.0.get(topic)?.get(&partition)
    }

    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.0.remove(topic);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &OffsetCommit> {
        self.0.values().flat_map(BTreeMap::values)
    }
}
