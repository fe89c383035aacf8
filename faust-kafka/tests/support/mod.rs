//! A broker for the tests, topics of their own, and waiting without a runtime.

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]

pub mod group;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant, SystemTime},
};

use faust_broker::Broker;
use faust_kafka::{
    Admin, Batch, Config, Deliveries, Error, Isolation, NewTopic, OffsetSpec, PartitionReader,
    Producer, Record, TopicPartition, TransactionalProducer,
};

/// Longer than anything takes, shorter than anybody wants to wait.
pub const SOON: Duration = Duration::from_secs(15);

/// The brokers: those of `KAFKA_BOOTSTRAP`, or a development broker in this process.
fn brokers() -> &'static (String, Option<Broker>) {
    static BROKERS: OnceLock<(String, Option<Broker>)> = OnceLock::new();
    BROKERS.get_or_init(|| match std::env::var("KAFKA_BOOTSTRAP") {
        Ok(servers) => (servers, None),
        Err(_) => {
            let broker = Broker::start(faust_broker::Config::default()).unwrap();
            (broker.bootstrap_servers(), Some(broker))
        }
    })
}

/// For what Apache Kafka does and the development broker does not.
pub fn is_development_broker() -> bool {
    brokers().1.is_some()
}

pub fn config() -> Config {
    Config::new(&brokers().0)
}

pub fn admin() -> Admin {
    Admin::new(&config()).unwrap()
}

/// A name that no other test, and no earlier run, has used.
pub fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
    format!("{what}-{now}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A new topic.
pub fn topic(partitions: i32) -> String {
    let name = unique("topic");
    for created in admin().create_topics(&[NewTopic::new(&name, partitions)], SOON).unwrap() {
        created.unwrap();
    }
    // A new topic's leaders are known a moment later.
    eventually("the topic has leaders", || {
        admin().topic(&name, SOON).is_ok_and(|info| info.leaderless == 0)
    });
    name
}

/// Sends values to a partition and waits until they are there.
pub fn fill(topic: &str, partition: i32, values: impl IntoIterator<Item = String>) {
    static PRODUCER: OnceLock<Producer> = OnceLock::new();
    let producer = PRODUCER.get_or_init(|| Producer::new(&config().set("linger.ms", "0")).unwrap());
    let handle = producer.topic(topic).unwrap();
    let deliveries = Deliveries::new(1);
    for value in values {
        let record = Record { partition, value: Some(value.as_bytes()), ..Record::default() };
        producer.send(&handle, &record, Some((&deliveries, 0))).unwrap();
    }
    deliveries.wait(SOON).unwrap();
}

/// A producer that can begin a transaction.
pub fn transactional(id: &str) -> TransactionalProducer {
    let producer = TransactionalProducer::new(&config(), id).unwrap();
    producer.init(SOON).unwrap();
    producer
}

/// Sends a value within a transaction.
pub fn send_within(
    producer: &TransactionalProducer,
    topic: &str,
    value: &str,
    deliveries: Option<(&Deliveries, u32)>,
) {
    let handle = producer.topic(topic).unwrap();
    let record = Record { value: Some(value.as_bytes()), ..Record::default() };
    producer.send(&handle, &record, deliveries).unwrap();
}

/// The end of a partition, with everything that is in it.
pub fn end(topic: &str, partition: i32) -> i64 {
    let spec = [(TopicPartition::new(topic, partition), OffsetSpec::Latest)];
    let ends = admin().list_offsets(&spec, Isolation::ReadUncommitted, SOON).unwrap();
    ends.into_iter().next().unwrap().unwrap().unwrap()
}

/// The next batch; none if there is none for a while.
pub fn next(reader: &mut PartitionReader, within: Duration) -> Option<Result<Batch, Error>> {
    wait(poll_fn(|cx| reader.poll_batch(cx, 500)), within)
}

/// Values and offsets up to the first end of the partition.
pub fn read_to_end(reader: &mut PartitionReader) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    loop {
        let batch = next(reader, SOON).expect("an end").unwrap();
        found.extend(batch.iter().map(|message| {
            (message.offset(), String::from_utf8(message.value().unwrap().to_vec()).unwrap())
        }));
        if batch.eof().is_some() {
            return found;
        }
    }
}

/// Waits for something to become true.
pub fn eventually(what: &str, mut true_now: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !true_now() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a future on this thread; none if it takes too long.
pub fn wait<T>(future: impl Future<Output = T>, within: Duration) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    let deadline = Instant::now() + within;
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(done);
        }
        thread::park_timeout(deadline.checked_duration_since(Instant::now())?);
    }
}
