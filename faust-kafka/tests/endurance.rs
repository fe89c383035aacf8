//! Clients that come and go, and brokers that do.

#[cfg(test)]
mod support;

use std::{thread, time::Duration};

use faust_broker::Broker;
use faust_kafka::{Admin, Config, Deliveries, NewTopic, Producer, Reader, Record};
use support::{SOON, config, eventually, next, read_to_end, topic, unique};

/// Callbacks run on the client's threads while readers are dropped on ours.
#[test]
fn readers_come_and_go_while_records_arrive() {
    let topic = topic(4);
    let producer = Producer::new(&config().set("linger.ms", "0")).unwrap();
    let handle = producer.topic(&topic).unwrap();
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    thread::scope(|scope| {
        for partition in 0..4 {
            let (topic, reader) = (&topic, &reader);
            scope.spawn(move || {
                let mut position = 0;
                for _ in 0..60 {
                    let mut open = reader.partition(topic, partition, position).unwrap();
                    if let Some(batch) = next(&mut open, Duration::from_millis(20)) {
                        let batch = batch.unwrap();
                        for message in batch.iter() {
                            assert_eq!(message.offset(), position);
                            position += 1;
                        }
                    }
                }
            });
        }
        scope.spawn(|| {
            for n in 0..2_000 {
                let record = Record { partition: n % 4, value: Some(b"v"), ..Record::default() };
                producer.send(&handle, &record, None).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
    });
    producer.flush(SOON).unwrap();
    let mut open = reader.partition(&topic, 3, 0).unwrap();
    assert_eq!(read_to_end(&mut open).len(), 500);
}

/// Only a development broker can be stopped from here.
#[test]
fn a_broker_that_comes_back_is_used_again() {
    let data = tempfile::tempdir().unwrap();
    let start = |port| {
        let data = Some(data.path().to_owned());
        Broker::start(faust_broker::Config { port, data, ..Default::default() })
    };
    let broker = start(0).unwrap();
    let servers = broker.bootstrap_servers();
    let port: u16 = servers.rsplit(':').next().unwrap().parse().unwrap();
    let config = Config::new(&servers).on_event(|_| ());
    let admin = Admin::new(&config).unwrap();
    admin.create_topics(&[NewTopic::new("topic", 1)], SOON).unwrap().remove(0).unwrap();
    let producer = Producer::new(&config).unwrap();
    let handle = producer.topic("topic").unwrap();
    let reader = Reader::data(&config, "group").unwrap();
    let mut partition = reader.partition("topic", 0, 0).unwrap();
    let deliveries = Deliveries::new(1);
    let send = || {
        let record = Record { value: Some(b"v"), ..Record::default() };
        producer.send(&handle, &record, Some((&deliveries, 0))).unwrap();
    };
    // The offset of the next record, whatever ends come before it.
    let mut read_one = || {
        loop {
            let batch = next(&mut partition, SOON).unwrap().unwrap();
            if let Some(message) = batch.get(0) {
                return message.offset();
            }
        }
    };
    send();
    deliveries.wait(SOON).unwrap();
    assert_eq!(read_one(), 0);

    broker.stop();
    send();
    assert!(deliveries.wait(Duration::from_millis(300)).is_err(), "nobody takes it");
    assert!(admin.topics(Duration::from_millis(300)).is_err());
    let mut again = None;
    eventually("the port is free", || {
        again = start(port).ok();
        again.is_some()
    });
    deliveries.wait(SOON).unwrap();
    assert_eq!(read_one(), 1);
    assert_eq!(admin.topics(SOON).unwrap().len(), 1);
}
