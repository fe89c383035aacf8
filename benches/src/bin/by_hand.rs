//! The word count as one would write it by hand on librdkafka: a consumer, a map, a producer. Nothing of it is durable,
//! and a crash counts wrong. It is the mark that `compare.sh` measures engines against. Settings as `wordcount.sh`.

use faust::Result;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use std::collections::HashMap;
use std::env::var;
use std::time::{Duration, Instant};

const EMIT: Duration = Duration::from_millis(20);
const COMMIT: Duration = Duration::from_millis(100);

struct Count {
    word: Box<[u8]>,
    count: u64,
    changed: bool,
}

#[derive(Default)]
struct Counts {
    by_word: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    all: Vec<Count>,
    changed: Vec<usize>,
}

impl Counts {
    fn add(&mut self, word: &[u8]) {
        let at = match self.by_word.get(word) {
            Some(at) => *at,
            None => {
                self.by_word.insert(word.into(), self.all.len());
                self.all.push(Count { word: word.into(), count: 0, changed: false });
                self.all.len() - 1
            }
        };
        if let Some(entry) = self.all.get_mut(at) {
            entry.count += 1;
            if !entry.changed {
                entry.changed = true;
                self.changed.push(at);
            }
        }
    }

    /// Sends what has changed.
    fn emit(&mut self, producer: &BaseProducer, topic: &str) -> Result<()> {
        for at in self.changed.drain(..) {
            if let Some(entry) = self.all.get_mut(at) {
                entry.changed = false;
                send(producer, topic, &entry.word, entry.count.to_string().as_bytes())?;
            }
        }
        Ok(())
    }
}

fn send(producer: &BaseProducer, topic: &str, key: &[u8], value: &[u8]) -> Result<()> {
    loop {
        match producer.send(BaseRecord::to(topic).key(key).payload(value)) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

fn main() -> Result<()> {
    let (brokers, group) = (var("BENCH_BROKERS")?, var("BENCH_GROUP")?);
    let (input, output) = (var("BENCH_IN")?, var("BENCH_OUT")?);
    let shuffle = var("BENCH_WORKLOAD")? == "shuffle";
    let by_word = format!("{group}-repartition");
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .set("group.id", &group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "5")
        // With the defaults librdkafka rests for a second whenever 100,000 records wait.
        .set("queued.min.messages", "1000000")
        .set("fetch.queue.backoff.ms", "2")
        .create()?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .set("linger.ms", "1")
        .set("compression.type", "lz4")
        .set("batch.size", "262144")
        .set("queue.buffering.max.messages", "500000")
        .set("partitioner", "murmur2_random")
        .create()?;
    let topics = [input.as_str(), by_word.as_str()];
    consumer.subscribe(if shuffle { &topics } else { &topics[..1] })?;

    let mut counts = Counts::default();
    let (mut emitted, mut committed) = (Instant::now(), Instant::now());
    let (mut done, mut uncommitted) = (0u64, false);
    loop {
        let record = consumer.poll(Duration::from_millis(5)).transpose()?;
        let idle = record.is_none();
        if let Some(record) = record {
            uncommitted = true;
            done += 1;
            if shuffle && record.topic() == input {
                let word = faust_benches::kafka::word(&record).ok_or("an input without a word")?;
                send(&producer, &by_word, word, b"")?;
            } else {
                counts.add(record.key().ok_or("an input without a key")?);
            }
        }
        // The clock is looked at now and then.
        if !idle && !done.is_multiple_of(64) {
            continue;
        }
        if emitted.elapsed() >= EMIT {
            counts.emit(&producer, &output)?;
            producer.poll(Duration::ZERO);
            emitted = Instant::now();
        }
        if uncommitted && committed.elapsed() >= COMMIT {
            counts.emit(&producer, &output)?;
            // Not `flush`, which waits in slices of 100 ms.
            while producer.in_flight_count() > 0 {
                producer.poll(Duration::from_millis(1));
            }
            consumer.commit_consumer_state(CommitMode::Async)?;
            (committed, uncommitted) = (Instant::now(), false);
        }
    }
}
