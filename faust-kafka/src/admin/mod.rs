//! Topics, offsets and commits of a group. Every call blocks, at the longest for the timeout that it is given.

use std::time::Duration;

use crate::{Config, Result, TopicPartition};

/// Asks and changes what the cluster holds. All calls block: not for threads that run futures.
///
/// ```no_run
/// # use std::time::Duration;
/// # use faust_kafka::{Admin, Config, Isolation, NewTopic, OffsetSpec, TopicPartition};
/// # fn main() -> Result<(), faust_kafka::Error> {
/// let admin = Admin::new(&Config::new("localhost:9092"))?;
/// let timeout = Duration::from_secs(10);
/// let topic = NewTopic::new("counts-changelog", 4).set("cleanup.policy", "compact");
/// for result in admin.create_topics(&[topic], timeout)? {
///     result?;
/// }
/// let partition = TopicPartition::new("counts-changelog", 0);
/// let ends = admin.list_offsets(&[(partition, OffsetSpec::Latest)], Isolation::ReadUncommitted, timeout)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Admin {}

/// A topic as the brokers describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicInfo {
    /// The topic's name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many of them have no leader at the moment, so that they can be neither read nor written.
    pub leaderless: i32,
}

/// A topic that should be created.
#[derive(Debug, Clone)]
pub struct NewTopic {
    name: String,
    partitions: i32,
    replicas: i32,
    config: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with the brokers' default number of replicas.
    pub fn new(name: impl Into<String>, partitions: i32) -> Self {
        Self { name: name.into(), partitions, replicas: -1, config: Vec::new() }
    }

    /// How many brokers hold each partition.
    pub fn replicas(mut self, replicas: i32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets one of the topic's settings.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((key.into(), value.into()));
        self
    }
}

/// One setting of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// The setting's name.
    pub name: String,
    /// Its value; none where it is secret.
    pub value: Option<String>,
    /// Whether nobody set it for this topic.
    pub is_default: bool,
}

/// Which offset of a partition is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first that the log still holds.
    Earliest,
    /// The next that will be written: the high watermark, or the last stable offset when reading committed.
    Latest,
    /// The first record with this time (milliseconds) or a later one; none if there is no such record.
    Time(i64),
}

/// Whether records of open and aborted transactions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// They do not.
    ReadCommitted,
    /// They do.
    ReadUncommitted,
}

/// An offset that a group has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The next offset to be processed.
    pub offset: i64,
    /// What was stored with it.
    pub metadata: String,
}

/// An offset to commit for a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The partition.
    pub partition: TopicPartition,
    /// The next offset to be processed.
    pub offset: i64,
    /// What to store with it.
    pub metadata: String,
}

impl Admin {
    /// Starts a client. It does not wait for a broker.
    pub fn new(config: &Config) -> Result<Self> {
        let _ = config;
        todo!()
    }

    /// Every topic of the cluster.
    pub fn topics(&self, timeout: Duration) -> Result<Vec<TopicInfo>> {
        let _ = timeout;
        todo!()
    }

    /// One topic; [`Error::UnknownTopic`](crate::Error::UnknownTopic) if there is none of that name. Never creates it.
    pub fn topic(&self, name: &str, timeout: Duration) -> Result<TopicInfo> {
        let _ = (name, timeout);
        todo!()
    }

    /// Creates topics; one result each, [`Error::TopicExists`](crate::Error::TopicExists) among them.
    pub fn create_topics(&self, topics: &[NewTopic], timeout: Duration) -> Result<Vec<Result<()>>> {
        let _ = (topics, timeout);
        todo!()
    }

    /// Deletes topics with all that is in them; one result each.
    pub fn delete_topics(&self, names: &[&str], timeout: Duration) -> Result<Vec<Result<()>>> {
        let _ = (names, timeout);
        todo!()
    }

    /// Deletes the records of each partition before an offset; one result each: the new first offset.
    pub fn delete_records(
        &self,
        before: &[(TopicPartition, i64)],
        timeout: Duration,
    ) -> Result<Vec<Result<i64>>> {
        let _ = (before, timeout);
        todo!()
    }

    /// The settings of a topic.
    pub fn topic_config(&self, topic: &str, timeout: Duration) -> Result<Vec<ConfigEntry>> {
        let _ = (topic, timeout);
        todo!()
    }

    /// Offsets of many partitions in one call, in the order of `specs`.
    pub fn list_offsets(
        &self,
        specs: &[(TopicPartition, OffsetSpec)],
        isolation: Isolation,
        timeout: Duration,
    ) -> Result<Vec<Result<Option<i64>>>> {
        let _ = (specs, isolation, timeout);
        todo!()
    }

    /// What a group has committed for each partition, in the order of `partitions`.
    ///
    /// With `require_stable` an open transaction that commits offsets of these partitions makes this fail with
    /// [`Error::UnstableOffsets`](crate::Error::UnstableOffsets): ask again.
    pub fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        require_stable: bool,
        timeout: Duration,
    ) -> Result<Vec<Option<Committed>>> {
        let _ = (group, partitions, require_stable, timeout);
        todo!()
    }

    /// Commits offsets for a group that has no members (brokers refuse it for one that has).
    pub fn commit(&self, group: &str, commits: &[Commit], timeout: Duration) -> Result<()> {
        let _ = (group, commits, timeout);
        todo!()
    }
}
