//! Topics and offsets, seen from outside of the app.

use crate::{LONG, eventually};
use faust_broker::Broker;
use faust_kafka::{
    Admin, Commit, Config, Deliveries, Isolation, NewTopic, OffsetSpec, Producer, Reader,
    TopicPartition, partition_for,
};
use std::future::poll_fn;

/// Whether the tests run on the development broker.
pub fn is_development_broker() -> bool {
    std::env::var("KAFKA_BOOTSTRAP").is_err()
}

/// A record as it is in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The key, as text.
    pub key: Option<String>,
    /// The value.
    pub value: Vec<u8>,
    /// The headers, as text.
    pub headers: Vec<(String, String)>,
}

impl Record {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A broker, and clients of it.
pub(crate) struct Topics {
    pub(crate) address: String,
    config: Config,
    admin: Admin,
    /// In this process, unless the environment names another.
    _broker: Option<Broker>,
}

impl Topics {
    pub(crate) fn start() -> Self {
        match std::env::var("KAFKA_BOOTSTRAP") {
            Ok(address) => Self::at(address, None),
            Err(_) => {
                let broker = Broker::start(faust_broker::Config::default()).unwrap();
                Self::at(broker.bootstrap_servers(), Some(broker))
            }
        }
    }

    pub(crate) fn at(address: String, broker: Option<Broker>) -> Self {
        // What a killed broker leaves its clients to say is of no interest.
        let config = Config::new(&address).on_event(|_| ());
        let admin = Admin::new(&config).unwrap();
        Self { address, config, admin, _broker: broker }
    }

    pub(crate) fn create(&self, topic: &str, partitions: i32) {
        for created in self.admin.create_topics(&[NewTopic::new(topic, partitions)], LONG).unwrap()
        {
            created.unwrap();
        }
    }

    fn partitions(&self, topic: &str) -> Vec<TopicPartition> {
        let count = self.admin.topic(topic, LONG).unwrap().partitions;
        (0..count).map(|n| TopicPartition::new(topic, n)).collect()
    }

    pub(crate) fn partition(&self, topic: &str, key: &str) -> i32 {
        partition_for(key.as_bytes(), self.partitions(topic).len() as i32)
    }

    fn ends(&self, partitions: &[TopicPartition], isolation: Isolation) -> Vec<i64> {
        let specs: Vec<_> = partitions.iter().map(|of| (of.clone(), OffsetSpec::Latest)).collect();
        // A topic that was just made has no leader for a moment.
        eventually("all partitions have an end", || {
            let ends = self.admin.list_offsets(&specs, isolation, LONG).unwrap();
            ends.into_iter().map(|end| end.ok().flatten()).collect()
        })
    }

    pub(crate) fn ends_of(&self, topic: &str) -> Vec<i64> {
        self.ends(&self.partitions(topic), Isolation::ReadUncommitted)
    }

    /// What a group has committed of a topic, by partition; none while a transaction is open.
    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Option<Vec<Option<i64>>> {
        let committed = self.admin.committed(group, partitions, true, LONG).ok()?;
        Some(committed.into_iter().map(|commit| commit.map(|commit| commit.offset)).collect())
    }

    /// The ends of the topics' partitions, if the group has committed all of them; what is in open transactions is still
    /// to come.
    pub(crate) fn at_end(&self, group: &str, topics: &[String]) -> Option<Vec<i64>> {
        let partitions: Vec<_> = topics.iter().flat_map(|topic| self.partitions(topic)).collect();
        let ends = self.ends(&partitions, Isolation::ReadUncommitted);
        let committed = self.committed(group, &partitions)?;
        let done = committed.iter().zip(&ends).all(|(at, end)| at.is_some_and(|at| at >= *end));
        done.then_some(ends)
    }

    /// Commits an offset for a group from outside.
    pub(crate) fn commit(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
        metadata: &str,
    ) {
        let partition = TopicPartition::new(topic, partition);
        let commit = Commit { partition, offset, metadata: metadata.into() };
        self.admin.commit(group, &[commit], LONG).unwrap();
    }

    /// Everything that is committed in a topic, partition after partition.
    pub(crate) fn read(&self, topic: &str) -> Vec<Record> {
        let partitions = self.partitions(topic);
        let ends = self.ends(&partitions, Isolation::ReadCommitted);
        let reader = Reader::data(&self.config, "harness").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut records = Vec::new();
        for (of, end) in partitions.iter().zip(ends) {
            let mut partition = reader.partition(topic, of.partition, 0).unwrap();
            while partition.position() < end {
                let next = poll_fn(|cx| partition.poll_batch(cx, 10_000));
                let batch = async { tokio::time::timeout(LONG, next).await };
                let batch = runtime.block_on(batch).expect("the topic can be read").unwrap();
                records.extend(batch.iter().map(|message| {
                    Record {
                        key: message.key().map(text),
                        value: message.value().unwrap_or_default().to_vec(),
                        headers: message
                            .headers()
                            .map(|header| {
                                (text(header.name), text(header.value.unwrap_or_default()))
                            })
                            .collect(),
                    }
                }));
            }
        }
        records
    }

    /// Sends a record as it stands.
    pub(crate) fn produce(&self, topic: &str, record: &Record) {
        let partitions = self.partitions(topic).len() as i32;
        let producer = Producer::new(&self.config).unwrap();
        let deliveries = Deliveries::new(1);
        let key = record.key.as_deref().map(str::as_bytes);
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value.as_bytes())))
            .collect();
        let record = faust_kafka::Record {
            partition: key.map_or(0, |key| partition_for(key, partitions)),
            key,
            value: Some(&record.value),
            headers: &headers,
            ..faust_kafka::Record::default()
        };
        let topic = producer.topic(topic).unwrap();
        producer.send(&topic, &record, Some((&deliveries, 0))).unwrap();
        deliveries.wait(LONG).unwrap();
    }
}

/// Bytes that are no text are escaped, so that different ones stay different.
fn text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}
