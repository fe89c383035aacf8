//! A steady load, and how long each partition of what comes of it stands still.

use crate::{App, LONG};
use faust_kafka::{Config, Deliveries, Producer, Reader, Record, partition_for};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// Every record that came, by partition: when, and its key.
pub type Arrivals = Vec<Vec<(Instant, String)>>;

/// Sends a record to each partition every few milliseconds, and notes what comes out.
pub struct Load {
    stop: Arc<AtomicBool>,
    /// How many records each partition was sent, once that is known.
    sent: Arc<OnceLock<u64>>,
    sending: JoinHandle<u64>,
    reading: JoinHandle<Arrivals>,
}

/// From one record of a partition to the next.
const EVERY: Duration = Duration::from_millis(5);

fn tick(key: &str) -> Vec<u8> {
    serde_json::json!({ "key": key }).to_string().into_bytes()
}

fn config(app: &App) -> Config {
    Config::new(app.address()).on_event(|_| ())
}

/// Sends one record of each of so many keys.
pub fn preload(app: &App, topic: &str, partitions: i32, keys: usize) {
    let producer = Producer::new(&config(app)).unwrap();
    let topic = producer.topic(&app.topic(topic)).unwrap();
    let deliveries = Deliveries::new(1);
    for n in 0..keys {
        let key = format!("row-{n}");
        let record = Record {
            partition: partition_for(key.as_bytes(), partitions),
            key: Some(key.as_bytes()),
            value: Some(&tick(&key)),
            ..Record::default()
        };
        while producer.send(&topic, &record, Some((&deliveries, 0))).is_err() {
            sleep(EVERY);
        }
    }
    deliveries.wait(LONG).unwrap();
}

impl Load {
    /// Starts: records to all partitions of `from`, while `to` is read from its end.
    pub fn start(app: &App, from: &str, to: &str, partitions: i32) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(OnceLock::new()));
        let ends = app.ends(to);
        let (reader, name) = (Reader::data(&config(app), "harness").unwrap(), app.topic(to));
        let expected = sent.clone();
        let reading = spawn(move || read(&reader, &name, &ends, &expected));
        let (producer, name) = (Producer::new(&config(app)).unwrap(), app.topic(from));
        let ended = stop.clone();
        let sending = spawn(move || send(&producer, &name, partitions, &ended));
        Self { stop, sent, sending, reading }
    }

    /// Ends: how many records were sent to each partition, and what came out, which is waited for.
    pub fn stop(self) -> (u64, Arrivals) {
        self.stop.store(true, Ordering::Release);
        let sent = self.sending.join().unwrap();
        self.sent.set(sent).unwrap();
        (sent, self.reading.join().unwrap())
    }
}

fn send(producer: &Producer, topic: &str, partitions: i32, stop: &AtomicBool) -> u64 {
    let topic = producer.topic(topic).unwrap();
    let deliveries = Deliveries::new(1);
    // A key of each partition.
    let of = |partition| {
        let mut keys = (0..).map(|n| format!("key-{n}"));
        keys.find(|key| partition_for(key.as_bytes(), partitions) == partition).unwrap()
    };
    let keys: Vec<String> = (0..partitions).map(of).collect();
    let (begun, mut sent) = (Instant::now(), 0);
    while !stop.load(Ordering::Acquire) {
        for (partition, key) in (0..).zip(&keys) {
            let (key, value) = (Some(key.as_bytes()), tick(key));
            let record = Record { partition, key, value: Some(&value), ..Record::default() };
            producer.send(&topic, &record, Some((&deliveries, 0))).unwrap();
        }
        sent += 1;
        sleep((begun + EVERY * sent).saturating_duration_since(Instant::now()));
    }
    deliveries.wait(LONG).unwrap();
    u64::from(sent)
}

fn read(reader: &Reader, topic: &str, ends: &[i64], sent: &OnceLock<u64>) -> Arrivals {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut partitions: Vec<_> = (0..)
        .zip(ends)
        .map(|(partition, end)| reader.partition(topic, partition, *end).unwrap())
        .collect();
    let mut arrivals: Arrivals = vec![Vec::new(); partitions.len()];
    let (mut last, mut stopped) = (Instant::now(), None);
    loop {
        if let Some(sent) = sent.get() {
            let stopped = stopped.get_or_insert_with(Instant::now);
            let all = arrivals.iter().all(|arrivals| arrivals.len() as u64 >= *sent);
            // What comes twice comes a moment later.
            if all && last.elapsed() > Duration::from_secs(1) || stopped.elapsed() > LONG {
                return arrivals;
            }
        }
        for (partition, arrivals) in partitions.iter_mut().zip(&mut arrivals) {
            let next = poll_fn(|cx| partition.poll_batch(cx, 1000));
            let next = async { tokio::time::timeout(Duration::from_millis(1), next).await };
            let Ok(batch) = runtime.block_on(next) else { continue };
            for message in batch.unwrap().iter() {
                last = Instant::now();
                let key = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
                arrivals.push((last, key));
            }
        }
    }
}

/// The longest time from one arrival to the next that ends after `since`.
pub fn longest_gap(arrivals: &[(Instant, String)], since: Instant) -> Duration {
    let pairs = arrivals.iter().zip(arrivals.iter().skip(1)).filter(|(_, (at, _))| *at > since);
    pairs.map(|((before, _), (at, _))| *at - *before).max().unwrap_or(Duration::MAX)
}
