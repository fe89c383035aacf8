//! What all tests share: a broker of each kind, clients, and a topic of one's own.
//!
//! A behaviour is written once and checked in memory, in files, and on the cluster that
//! `KAFKA_BOOTSTRAP` names, so that the tests themselves are proven on Apache Kafka.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod raw;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use faust_broker::{Broker, Config};
use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

/// A broker to test, and what keeps it alive.
pub(crate) struct Cluster {
    pub(crate) bootstrap: String,
    broker: Option<Broker>,
    folder: Option<TempDir>,
}

impl Cluster {
    pub(crate) fn in_memory() -> Self {
        let broker = Broker::start(Config::default()).unwrap();
        Self { bootstrap: broker.bootstrap_servers(), broker: Some(broker), folder: None }
    }

    pub(crate) fn in_files() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = Some(folder.path().to_owned());
        // Small segments, so that tests see several.
        let broker =
            Broker::start(Config { data, segment_bytes: 64 * 1024, ..Config::default() }).unwrap();
        let bootstrap = broker.bootstrap_servers();
        Self { bootstrap, broker: Some(broker), folder: Some(folder) }
    }

    pub(crate) fn given() -> Option<Self> {
        let bootstrap = std::env::var("KAFKA_BOOTSTRAP").ok()?;
        Some(Self { bootstrap, broker: None, folder: None })
    }

    pub(crate) fn at(bootstrap: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned(), broker: None, folder: None }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("broker.address.family", "v4")
            .set("socket.timeout.ms", "10000")
            .set("reconnect.backoff.max.ms", "200")
            .set("log_level", "0");
        config
    }

    pub(crate) fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    /// Creates a topic with a name that nobody else uses.
    pub(crate) fn topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> String {
        let name = unique(name);
        let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        for (key, value) in configs {
            topic = topic.set(key, value);
        }
        let created = block_on(self.admin().create_topics(&[topic], &admin_options())).unwrap();
        created[0].as_ref().unwrap();
        let consumer = self.consumer(&[]);
        eventually("the topic is there", || {
            let metadata = consumer.fetch_metadata(Some(&name), Duration::from_secs(5)).unwrap();
            metadata.topics()[0].partitions().len() == usize::try_from(partitions).unwrap()
        });
        name
    }

    pub(crate) fn producer(&self, configs: &[(&str, &str)]) -> TestProducer {
        let mut config = self.config();
        config
            .set("linger.ms", "2")
            .set("message.timeout.ms", "10000")
            .set("enable.idempotence", "true");
        configs.iter().for_each(|(key, value)| {
            config.set(*key, *value);
        });
        let delivered = Delivered::default();
        let producer = BaseProducer::from_config_and_context(&config, delivered.clone()).unwrap();
        TestProducer { producer, delivered }
    }

    /// A transactional producer that has registered.
    pub(crate) fn transactional(&self, id: &str) -> TestProducer {
        let producer =
            self.producer(&[("transactional.id", id), ("transaction.timeout.ms", "60000")]);
        producer.producer.init_transactions(Duration::from_secs(20)).unwrap();
        producer
    }

    pub(crate) fn consumer(&self, configs: &[(&str, &str)]) -> BaseConsumer {
        let mut config = self.config();
        config
            .set("group.id", unique("nobody"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "50")
            .set("enable.partition.eof", "true");
        configs.iter().for_each(|(key, value)| {
            config.set(*key, *value);
        });
        config.create().unwrap()
    }

    /// Everything in a topic, from the beginning to the end, by partition and offset.
    pub(crate) fn read(&self, topic: &str, partitions: i32, isolation: &str) -> Vec<Seen> {
        let consumer = self.consumer(&[("isolation.level", isolation)]);
        let mut start = TopicPartitionList::new();
        for partition in 0..partitions {
            start.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&start).unwrap();
        let (mut seen, mut ended) = (Vec::new(), 0);
        let deadline = Instant::now() + Duration::from_secs(20);
        while ended < partitions {
            assert!(Instant::now() < deadline, "{} records, no end of {topic}", seen.len());
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => seen.push(Seen::new(&message)),
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(error)) => panic!("reading {topic}: {error}"),
                None => {}
            }
        }
        seen.sort_by_key(|record| (record.partition, record.offset));
        seen
    }

    /// What a group has committed for partition 0 of a topic.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Option<(i64, String)> {
        let consumer = self.consumer(&[("group.id", group)]);
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition(topic, 0);
        let found = consumer.committed_offsets(wanted, Duration::from_secs(10)).unwrap();
        let element = &found.elements()[0];
        match element.offset() {
            Offset::Offset(offset) => Some((offset, element.metadata().to_owned())),
            _ => None,
        }
    }
}

/// A record as a consumer saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) headers: Vec<(String, Option<String>)>,
}

impl Seen {
    pub(crate) fn new(message: &impl Message) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(text))).collect()
        });
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(text),
            value: message.payload().map(text),
            timestamp: message.timestamp().to_millis(),
            headers: headers.unwrap_or_default(),
        }
    }
}

/// The values of records, in order.
pub(crate) fn values(records: &[Seen]) -> Vec<&str> {
    records.iter().filter_map(|record| record.value.as_deref()).collect()
}

/// Collects what became of each record.
#[derive(Clone, Default)]
pub(crate) struct Delivered {
    offsets: Arc<Mutex<Vec<i64>>>,
    errors: Arc<Mutex<Vec<KafkaError>>>,
}

impl ClientContext for Delivered {}

impl ProducerContext for Delivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => self.offsets.lock().unwrap().push(message.offset()),
            Err((error, _)) => self.errors.lock().unwrap().push(error.clone()),
        }
    }
}

pub(crate) struct TestProducer {
    pub(crate) producer: BaseProducer<Delivered>,
    pub(crate) delivered: Delivered,
}

impl TestProducer {
    pub(crate) fn send(&self, topic: &str, partition: i32, value: &str) {
        let record = BaseRecord::<str, str>::to(topic).partition(partition).payload(value);
        self.producer.send(record).map_err(|(error, _)| error).unwrap();
    }

    /// Waits until every record is delivered or has failed.
    pub(crate) fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.producer.in_flight_count() > 0 {
            assert!(Instant::now() < deadline, "records are still in flight");
            self.producer.poll(Duration::from_millis(1));
        }
        self.producer.poll(Duration::ZERO);
    }

    pub(crate) fn errors(&self) -> Vec<KafkaError> {
        self.delivered.errors.lock().unwrap().clone()
    }

    /// Sends values to partition 0 and waits for all of them.
    pub(crate) fn send_all<'a>(&self, topic: &str, values: impl IntoIterator<Item = &'a str>) {
        values.into_iter().for_each(|value| self.send(topic, 0, value));
        self.settle();
        assert_eq!(self.errors(), []);
    }

    pub(crate) fn begin(&self) {
        self.producer.begin_transaction().unwrap();
    }

    pub(crate) fn commit(&self) {
        self.settle();
        self.producer.commit_transaction(Duration::from_secs(20)).unwrap();
    }

    pub(crate) fn abort(&self) {
        self.settle();
        self.producer.abort_transaction(Duration::from_secs(20)).unwrap();
    }
}

pub(crate) fn admin_options() -> AdminOptions {
    AdminOptions::new()
        .operation_timeout(Some(Duration::from_secs(10)))
        .request_timeout(Some(Duration::from_secs(10)))
}

pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4())
}

/// Waits for something that comes true by itself.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "not in 30 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Makes tests of behaviours: one in memory, one in files, one on the given cluster.
#[macro_export]
macro_rules! behaviours {
    ($($name:ident),* $(,)?) => {
        mod in_memory {
            $(#[test] fn $name() { super::$name(&super::common::Cluster::in_memory()); })*
        }
        mod in_files {
            $(#[test] fn $name() { super::$name(&super::common::Cluster::in_files()); })*
        }
        mod on_the_given_cluster {
            $(#[test] fn $name() {
                if let Some(cluster) = super::common::Cluster::given() { super::$name(&cluster); }
            })*
        }
    };
}
