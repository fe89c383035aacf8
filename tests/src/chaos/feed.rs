//! Orders, one after the other, through whatever happens.

use super::oracle::Order;
use crate::split_mix;
use faust_kafka::{Config, Deliveries, Producer, Record, SendError, partition_for};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CUSTOMERS: u64 = 50;
const ITEMS: u64 = 70;
pub(super) const PARTITIONS: i32 = 4;
const TICK: Duration = Duration::from_millis(20);

/// A producer that goes on until it is told to stop.
pub(super) struct Feed {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Feed {
    pub(super) fn start(address: &str, topic: String, seed: u64, rate: u64) -> Self {
        // What it says about a broker that is gone is of no interest; what it sends may be late, but not lost.
        let config = Config::new(address).set("message.timeout.ms", "0").on_event(|_| ());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || feed(&config, &topic, seed, rate, &stopped));
        Self { stop, thread }
    }

    /// Stops it when all is delivered; how many orders there are.
    pub(super) fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn feed(config: &Config, topic: &str, seed: u64, rate: u64, stop: &AtomicBool) -> u64 {
    let producer = Producer::new(config).unwrap();
    let topic = producer.topic(topic).unwrap();
    let deliveries = Deliveries::new(1);
    let mut id = 0;
    let per_tick = (rate * TICK.as_millis() as u64 / 1000).max(1);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..per_tick {
            let order = order(seed, id);
            let value = serde_json::to_vec(&order).unwrap();
            let record = Record {
                partition: partition_for(order.customer.as_bytes(), PARTITIONS),
                key: Some(order.customer.as_bytes()),
                value: Some(&value),
                timestamp: Some(order.at),
                ..Record::default()
            };
            while let Err(error) = producer.send(&topic, &record, Some((&deliveries, 0))) {
                assert!(matches!(error, SendError::QueueFull), "{error}");
                sleep(TICK);
            }
            id += 1;
        }
        sleep(TICK);
    }
    deliveries.wait(Duration::from_secs(120)).unwrap();
    id
}

fn order(seed: u64, id: u64) -> Order {
    let x = split_mix(seed, id);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Order {
        id,
        customer: format!("customer-{}", x % CUSTOMERS),
        item: format!("item-{}", (x >> 16) % ITEMS),
        amount: 1 + (x >> 32) % 100,
        at: since.as_millis() as i64,
    }
}
