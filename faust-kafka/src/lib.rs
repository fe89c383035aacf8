//! The data plane of Faust: a thin, safe layer over librdkafka.
//!
//! Kafka's C client decides how fast a stream processor can be, and its defaults and its usual
//! wrappers are not made for one. This crate offers exactly what an engine needs, with every trap
//! of the client handled in one place:
//!
//! - [`Admin`]: topics, offsets, commits of a group; blocking calls for start-up and recovery;
//! - [`Member`]: membership of a consumer group, and nothing else: it is never assigned a
//!   partition, so a rebalance never disturbs a fetcher; [`Assignor`] decides who gets what;
//! - [`Reader`]: fetches partitions from given offsets, one queue each, in batches of owned
//!   messages;
//! - [`Producer`] and [`TransactionalProducer`]: sends by topic handle and partition;
//!   [`Deliveries`] counts what arrived.
//!
//! Blocking calls say so; they belong on a thread of their own, never on a thread that runs
//! futures.
//!
//! ```no_run
//! use std::{future::poll_fn, time::Duration};
//!
//! use faust_kafka::{Config, Deliveries, Producer, Reader, Record};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new("localhost:9092");
//!
//! let producer = Producer::new(&config)?;
//! let words = producer.topic("words")?;
//! let deliveries = Deliveries::new(1);
//! let record = Record { key: Some(b"key"), value: Some(b"value"), ..Record::default() };
//! producer.send(&words, &record, Some((&deliveries, 0)))?;
//! deliveries.wait(Duration::from_secs(10))?;
//!
//! let reader = Reader::data(&config, "my-app")?;
//! let mut partition = reader.partition("words", 0, 0)?;
//! let batch = poll_fn(|cx| partition.poll_batch(cx, 500)).await?;
//! for message in batch.iter() {
//!     println!("{} {:?}", message.offset(), message.value());
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "mimalloc")]
mod allocator;
mod code;
mod config;
mod error;

mod admin;
mod member;
mod producer;
mod reader;

mod client;
mod log;
mod native;
mod wake;

pub use admin::{
    Admin, Commit, Committed, ConfigEntry, Isolation, NewTopic, OffsetSpec, TopicInfo,
};
#[cfg(feature = "mimalloc")]
pub use allocator::keep_freed_memory;
pub use code::Code;
pub use config::{ClientEvent, Config};
pub use error::{Error, Result, SendError, TxnError, TxnErrorKind};
pub use member::{Assigned, Assignor, GroupMetadata, Member, MemberEvent, MemberInfo, Strategy};
pub use producer::{
    Deliveries, Producer, Record, SlotOffset, TopicHandle, TransactionalProducer, partition_for,
};
pub use reader::{Batch, Header, Headers, Message, PartitionReader, Reader, Timestamp};

/// A partition of a topic, by name and number.
///
/// ```
/// # use faust_kafka::TopicPartition;
/// let first = TopicPartition::new("words", 0);
/// assert_eq!(first.to_string(), "words[0]");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Names a partition.
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}
