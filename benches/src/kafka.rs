//! What the drivers need of a Kafka cluster.

use faust::Result;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use std::thread::sleep;
use std::time::Duration;

/// A cluster, by its address.
pub struct Kafka {
    brokers: String,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Kafka {
    /// The cluster of this address.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self { brokers: brokers.into() }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    fn on_admin<F: Future<Output = Result<()>>>(
        &self,
        call: impl FnOnce(AdminClient<DefaultClientContext>) -> F,
    ) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(call(self.client().create()?))
    }

    /// Makes a topic whose timestamps are the broker's.
    pub fn create(&self, topic: &str, partitions: i32) -> Result<()> {
        self.on_admin(|admin| async move {
            let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1))
                .set("message.timestamp.type", "LogAppendTime");
            for made in admin.create_topics([&new], &AdminOptions::new()).await? {
                made.map_err(|(topic, error)| format!("{topic}: {error}"))?;
            }
            Ok(())
        })?;
        self.partitions(topic)?;
        Ok(())
    }

    /// Deletes every topic whose name begins with this.
    pub fn delete(&self, prefix: &str) -> Result<()> {
        let consumer: BaseConsumer = self.client().create()?;
        let metadata = consumer.fetch_metadata(None, PATIENCE)?;
        let names: Vec<&str> = metadata
            .topics()
            .iter()
            .map(|topic| topic.name())
            .filter(|name| name.starts_with(prefix))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        self.on_admin(|admin| async move {
            admin.delete_topics(&names, &AdminOptions::new()).await?;
            Ok(())
        })
    }

    /// How many partitions a topic has, once it is there.
    fn partitions(&self, topic: &str) -> Result<i32> {
        let consumer: BaseConsumer = self.client().create()?;
        for _ in 0..100 {
            let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
            let found = metadata.topics().first().filter(|topic| topic.error().is_none());
            if let Some(count) =
                found.map(|topic| topic.partitions().len()).filter(|count| *count > 0)
            {
                return Ok(count as i32);
            }
            sleep(Duration::from_millis(50));
        }
        Err(format!("topic {topic} is not there").into())
    }

    /// Reads a topic from its start, what is committed only. librdkafka pauses for `fetch.queue.backoff.ms` when
    /// `queued.min.messages` wait: its defaults, a second and 100,000, hold every fast reader back.
    pub fn reader(&self, topic: &str) -> Result<BaseConsumer> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", "faust-benches-driver")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "5")
            .set("queued.min.messages", "1000000")
            .set("fetch.queue.backoff.ms", "2")
            .create()?;
        let mut all = TopicPartitionList::new();
        for partition in 0..self.partitions(topic)? {
            all.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&all)?;
        Ok(consumer)
    }

    /// Calls with every record that is in a topic.
    pub fn read_all(&self, topic: &str, mut each: impl FnMut(&BorrowedMessage<'_>)) -> Result<()> {
        let reader = self.reader(topic)?;
        let mut open = self.partitions(topic)?;
        while open > 0 {
            match reader.poll(PATIENCE) {
                Some(Ok(record)) => each(&record),
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                Some(Err(error)) => return Err(error.into()),
                None => return Err(format!("{topic}: nothing comes").into()),
            }
        }
        Ok(())
    }

    /// What sends input: lz4, partitions as the Java client has them.
    pub fn sender(&self, topic: &str, linger: &str) -> Result<Sender> {
        let producer = self
            .client()
            .set("compression.type", "lz4")
            .set("linger.ms", linger)
            .set("batch.size", "1000000")
            .set("queue.buffering.max.messages", "1000000")
            .set("partitioner", "murmur2_random")
            .create()?;
        let partitions = self.partitions(topic)?;
        Ok(Sender { producer, topic: topic.into(), partitions, sent: 0, value: String::new() })
    }
}

/// Sends input records to one topic.
pub struct Sender {
    producer: BaseProducer,
    topic: String,
    partitions: i32,
    sent: u32,
    value: String,
}

/// Records without a key stay in a partition for so many, so that batches are long.
const TURN: u32 = 5_000;

impl Sender {
    /// Sends one; waits while the queue is full.
    pub fn send(&mut self, word: &str, keyed: bool) -> Result<()> {
        crate::words::json(word, &mut self.value);
        let turn = (self.sent / TURN) as i32 % self.partitions.max(1);
        self.sent = self.sent.wrapping_add(1);
        loop {
            let record = BaseRecord::to(&self.topic).payload(&self.value);
            let record = if keyed { record.key(word) } else { record.partition(turn) };
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((
                    KafkaError::MessageProduction(rdkafka::types::RDKafkaErrorCode::QueueFull),
                    _,
                )) => {
                    self.producer.poll(Duration::from_millis(5));
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }

    /// Lets deliveries be counted.
    pub fn poll(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until everything is in.
    pub fn finish(self) -> Result<()> {
        Ok(self.producer.flush(Duration::from_secs(60))?)
    }
}

/// The word and the count of an output: text, JSON, or eight bytes big-endian as Kafka Streams writes it.
pub fn count<'a>(record: &'a BorrowedMessage<'_>) -> Option<(&'a [u8], u64)> {
    let (word, value) = (record.key()?, record.payload()?);
    let count = match <[u8; 8]>::try_from(value) {
        Ok(bytes @ [0, ..]) => u64::from_be_bytes(bytes),
        _ => std::str::from_utf8(value).ok()?.parse().ok()?,
    };
    Some((word, count))
}

/// The word of an input record.
pub fn word<'a>(record: &'a BorrowedMessage<'_>) -> Option<&'a [u8]> {
    record.payload()?.strip_prefix(br#"{"word":""#)?.strip_suffix(br#""}"#)
}
