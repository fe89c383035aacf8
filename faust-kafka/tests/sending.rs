//! What the plain producer promises.

#[cfg(test)]
mod support;

use std::{
    thread,
    time::{Duration, Instant, SystemTime},
};

use faust_kafka::{
    Code, Config, Deliveries, Error, NewTopic, Producer, Reader, Record, SendError, SlotOffset,
    Timestamp,
};
use rdkafka::mocking::MockCluster;
use rdkafka_sys::{RDKafkaApiKey, RDKafkaRespErr};
use support::{SOON, config, end, read_to_end, topic, unique, wait};

fn value(partition: i32, value: &str) -> Record<'_> {
    Record { partition, value: Some(value.as_bytes()), ..Record::default() }
}

#[test]
fn deliveries_know_the_highest_offset_of_each_slot() {
    let topic = topic(2);
    let producer = Producer::new(&config()).unwrap();
    let handle = producer.topic(&topic).unwrap();
    let deliveries = Deliveries::new(3);
    for n in 0..30 {
        let partition = i32::from(n % 3 == 0);
        producer
            .send(&handle, &value(partition, "v"), Some((&deliveries, partition as u32)))
            .unwrap();
    }
    wait(deliveries.settled(), SOON).expect("settled").unwrap();
    assert_eq!((deliveries.sent(), deliveries.delivered(), deliveries.failed()), (30, 30, 0));
    assert_eq!(deliveries.offset(0), SlotOffset::Known(19));
    assert_eq!(deliveries.offset(1), SlotOffset::Known(9));
    assert_eq!(deliveries.offset(2), SlotOffset::None);
    assert_eq!(deliveries.offset(3), SlotOffset::None);
}

/// After a lost answer the retry is told that the record is there, but not where.
#[test]
fn a_record_that_was_settled_by_a_retry_has_no_known_offset() {
    let brokers = MockCluster::new(1).unwrap();
    brokers.create_topic("topic", 1, 1).unwrap();
    let producer = Producer::new(&Config::new(brokers.bootstrap_servers())).unwrap();
    let handle = producer.topic("topic").unwrap();
    let deliveries = Deliveries::new(1);
    let send = || {
        producer.send(&handle, &value(0, "v"), Some((&deliveries, 0))).unwrap();
        deliveries.wait(SOON).unwrap();
    };
    let duplicate = RDKafkaRespErr::RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER;
    brokers.request_errors(RDKafkaApiKey::Produce, &[duplicate]);
    send();
    assert_eq!((deliveries.delivered(), deliveries.offset(0)), (1, SlotOffset::Unknown));
    // The next one that is known counts again, and nothing unknown takes that back.
    send();
    let SlotOffset::Known(known) = deliveries.offset(0) else { panic!("{deliveries:?}") };
    brokers.request_errors(RDKafkaApiKey::Produce, &[duplicate]);
    send();
    assert_eq!((deliveries.delivered(), deliveries.offset(0)), (3, SlotOffset::Known(known)));
}

#[test]
fn the_same_topic_has_one_handle_and_it_is_no_other_producers() {
    let topic = topic(1);
    let producer = Producer::new(&config()).unwrap();
    let other = Producer::new(&config()).unwrap();
    let handle = producer.topic(&topic).unwrap();
    assert_eq!(producer.topic(&topic).unwrap().name(), handle.name());
    let refused = other.send(&handle, &value(0, "v"), None).unwrap_err();
    assert_eq!(refused, SendError::ForeignTopic { topic });
}

#[test]
fn a_full_queue_is_reported_and_the_record_can_be_sent_again() {
    let topic = topic(1);
    let producer =
        Producer::new(&config().set("queue.buffering.max.messages", "10").set("linger.ms", "200"))
            .unwrap();
    let handle = producer.topic(&topic).unwrap();
    let deliveries = Deliveries::new(1);
    for _ in 0..10 {
        producer.send(&handle, &value(0, "v"), Some((&deliveries, 0))).unwrap();
    }
    let refused = producer.send(&handle, &value(0, "v"), Some((&deliveries, 0)));
    assert_eq!(refused, Err(SendError::QueueFull));
    assert_eq!(deliveries.sent(), 10, "what is refused is not counted");
    // Room is there a moment after the deliveries are known.
    support::eventually("room", || {
        producer.send(&handle, &value(0, "v"), Some((&deliveries, 0))).is_ok()
    });
    producer.flush(SOON).unwrap();
    assert_eq!(end(&topic, 0), 11);
}

#[test]
fn a_record_that_is_too_large_is_refused() {
    let topic = topic(1);
    let producer =
        Producer::new(&config().set("message.max.bytes", "2000").set("batch.size", "1000"))
            .unwrap();
    let handle = producer.topic(&topic).unwrap();
    let large = "x".repeat(3_000);
    assert_eq!(producer.send(&handle, &value(0, &large), None), Err(SendError::TooLarge));
}

#[test]
fn a_partition_that_is_not_there_is_refused_or_fails() {
    let topic = topic(1);
    let producer = Producer::new(&config()).unwrap();
    let handle = producer.topic(&topic).unwrap();
    // Before the producer knows the topic, the record is taken and its delivery fails; after that,
    // it is refused.
    let deliveries = Deliveries::new(1);
    producer.send(&handle, &value(7, "v"), Some((&deliveries, 0))).unwrap();
    let error = deliveries.wait(SOON).unwrap_err();
    assert!(
        matches!(&error, Error::Delivery { topic: t, partition: 7, .. } if *t == topic),
        "{error}"
    );
    assert_eq!((deliveries.failed(), deliveries.offset(0)), (1, SlotOffset::None));
    let refused = producer.send(&handle, &value(7, "v"), Some((&deliveries, 0)));
    assert_eq!(refused, Err(SendError::UnknownPartition { topic, partition: 7 }));
    assert_eq!((deliveries.sent(), deliveries.pending()), (1, 0));
}

/// Of such a batch librdkafka reports no error to interceptors for records that were all right.
#[test]
fn one_record_that_is_refused_fails_its_whole_batch() {
    if support::is_development_broker() {
        return; // it takes records without a key in compacted topics
    }
    let topic = unique("compacted");
    let compacted = NewTopic::new(&topic, 1).set("cleanup.policy", "compact");
    support::admin().create_topics(&[compacted], SOON).unwrap().remove(0).unwrap();
    let producer = Producer::new(&config().set("linger.ms", "300")).unwrap();
    let handle = producer.topic(&topic).unwrap();
    let deliveries = Deliveries::new(1);
    for key in [Some(b"a".as_slice()), None, Some(b"b"), None] {
        let record = Record { key, value: Some(b"v"), ..Record::default() };
        producer.send(&handle, &record, Some((&deliveries, 0))).unwrap();
    }
    let error = deliveries.wait(SOON).unwrap_err();
    assert!(matches!(error, Error::Delivery { .. }), "{error}");
    assert_eq!((deliveries.delivered(), deliveries.failed()), (0, 4));
    assert_eq!(end(&topic, 0), 0);
}

/// The first time the producer does not know the topic yet, and sends each by itself.
#[test]
fn what_is_sent_together_arrives_as_if_it_were_sent_one_by_one() {
    let topic = topic(2);
    let producer = Producer::new(&config()).unwrap();
    let handle = producer.topic(&topic).unwrap();
    let names: Vec<String> = (0..200).map(|n| format!("n{n}")).collect();
    let headers = [("name", Some(b"value".as_slice())), ("none", None)];
    let record = |(n, name): (usize, &'static str)| Record {
        partition: i32::from(n / 70 % 2 == 1),
        key: [Some(name.as_bytes()), None, Some(b"")][n % 3],
        value: [None, Some(b"".as_slice()), Some(name.as_bytes()), Some(name.as_bytes())][n % 4],
        timestamp: [Some(1_000 + n as i64), Some(0), None][n % 5 % 3],
        headers: if n % 50 == 7 { &headers } else { &[] },
    };
    let names: Vec<&'static str> = names.into_iter().map(|name| &*name.leak()).collect();
    let records: Vec<Record<'_>> = names.into_iter().enumerate().map(record).collect();
    let deliveries = Deliveries::new(1);
    let now = || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        i64::try_from(now.as_millis()).unwrap()
    };
    let before = now();
    for _ in 0..2 {
        producer.send_all(&handle, &records, Some((&deliveries, 0))).unwrap();
        deliveries.wait(SOON).unwrap();
    }
    assert_eq!((deliveries.sent(), deliveries.delivered()), (400, 400));

    let reader = Reader::data(&config(), &unique("group")).unwrap();
    for partition in 0..2 {
        let expected: Vec<_> =
            records.iter().filter(|record| record.partition == partition).collect();
        let mut from = reader.partition(&topic, partition, 0).unwrap();
        let mut read = 0;
        while read < 2 * expected.len() {
            for message in support::next(&mut from, SOON).expect("a batch").unwrap().iter() {
                let sent = expected[read % expected.len()];
                assert_eq!((message.key(), message.value()), (sent.key, sent.value), "{read}");
                let Timestamp::Created(time) = message.timestamp() else { panic!("{message:?}") };
                match sent.timestamp {
                    Some(given) => assert_eq!(time, given.max(1)),
                    None => assert!((before..=now()).contains(&time), "{time}"),
                }
                let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
                let found: Vec<_> = message.headers().map(|it| (text(it.name), it.value)).collect();
                let given = sent.headers.iter().map(|(name, value)| (name.to_string(), *value));
                assert_eq!(found, given.collect::<Vec<_>>(), "{read}");
                read += 1;
            }
        }
    }
}

#[test]
fn of_what_is_sent_together_that_in_front_of_a_refused_one_is_queued() {
    let topic = topic(1);
    let config = config().set("message.max.bytes", "2000").set("batch.size", "1000");
    let producer =
        Producer::new(&config.set("queue.buffering.max.messages", "100").set("linger.ms", "500"))
            .unwrap();
    let handle = producer.topic(&topic).unwrap();
    let deliveries = Deliveries::new(1);
    let send = |records: &[Record<'_>]| {
        producer.send_all(&handle, records, Some((&deliveries, 0))).map_err(|(queued, error)| {
            assert_eq!(deliveries.pending(), queued as u64, "what is refused is not counted");
            deliveries.wait(SOON).unwrap();
            // Room is there a moment after the deliveries are known.
            thread::sleep(Duration::from_millis(50));
            (queued, error)
        })
    };
    // Each twice: before and after the topic is known.
    for _ in 0..2 {
        assert_eq!(send(&[value(0, "v"); 170]), Err((100, SendError::QueueFull)));
        let large = "x".repeat(3_000);
        let records = [value(0, "v"), value(0, "v"), value(0, &large), value(0, "v")];
        assert_eq!(send(&records), Err((2, SendError::TooLarge)));
    }
    let unknown = SendError::UnknownPartition { topic: topic.clone(), partition: 1 };
    assert_eq!(send(&[value(0, "v"), value(1, "v"), value(1, "v")]), Err((1, unknown)));
    let foreign = Producer::new(&support::config()).unwrap().topic(&topic).unwrap();
    let refused = producer.send_all(&foreign, &[value(0, "v"); 2], Some((&deliveries, 0)));
    assert_eq!(refused, Err((0, SendError::ForeignTopic { topic: topic.clone() })));
    let refused = producer.send_all(&handle, &[value(0, "v"); 2], Some((&deliveries, 1)));
    assert_eq!(refused, Err((0, SendError::UnknownSlot { slot: 1, slots: 1 })));
    assert_eq!(deliveries.pending(), 0);
    assert_eq!(end(&topic, 0), 2 * (100 + 2) + 1);
}

/// The usual flush sleeps in slices of 100 ms; this one returns when the brokers have answered.
#[test]
fn a_flush_takes_as_long_as_the_brokers_do() {
    let topic = topic(1);
    let producer = Producer::new(&config().set("linger.ms", "1000")).unwrap();
    let handle = producer.topic(&topic).unwrap();
    let took: Vec<_> = (0..40)
        .map(|_| {
            producer.send(&handle, &value(0, "v"), None).unwrap();
            let start = Instant::now();
            producer.flush(SOON).unwrap();
            start.elapsed()
        })
        .collect();
    // The quickest: a busy machine makes others slow, a pause in the code makes all of them.
    assert!(took.iter().min().unwrap() < &Duration::from_millis(50), "{took:?}");
    assert_eq!(end(&topic, 0), 40);
}

#[test]
fn a_slot_that_is_not_there_is_refused() {
    let producer = Producer::new(&config()).unwrap();
    let handle = producer.topic("any").unwrap();
    let refused = producer.send(&handle, &value(0, "v"), Some((&Deliveries::new(2), 2)));
    assert_eq!(refused, Err(SendError::UnknownSlot { slot: 2, slots: 2 }));
}

#[test]
fn a_producer_that_is_dropped_gives_up_what_is_under_way() {
    let topic = topic(1);
    let producer = Producer::new(&config().set("linger.ms", "60000")).unwrap();
    let handle = producer.topic(&topic).unwrap();
    let deliveries = Deliveries::new(1);
    for _ in 0..100 {
        producer.send(&handle, &value(0, "v"), Some((&deliveries, 0))).unwrap();
    }
    assert!(matches!(deliveries.wait(Duration::from_millis(50)), Err(Error::TimedOut { .. })));
    drop((producer, handle));
    assert!(matches!(deliveries.wait(SOON), Err(Error::Delivery { .. })));
    assert_eq!((deliveries.pending(), deliveries.failed()), (0, 100));
}

#[test]
fn records_of_many_threads_are_all_counted() {
    let topic = topic(4);
    let producer = Producer::new(&config()).unwrap();
    let handle = producer.topic(&topic).unwrap();
    let deliveries = Deliveries::new(4);
    thread::scope(|scope| {
        for partition in 0..4 {
            let (producer, handle, deliveries) = (&producer, &handle, &deliveries);
            scope.spawn(move || {
                for n in 0..5_000 {
                    let record = value(partition, if n % 2 == 0 { "even" } else { "odd" });
                    producer.send(handle, &record, Some((deliveries, partition as u32))).unwrap();
                }
            });
        }
    });
    deliveries.wait(SOON).unwrap();
    assert_eq!(deliveries.delivered(), 20_000);
    for slot in 0..4 {
        assert_eq!(deliveries.offset(slot), SlotOffset::Known(4_999));
    }
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    let mut partition = reader.partition(&topic, 3, 0).unwrap();
    assert_eq!(read_to_end(&mut partition).len(), 5_000);
}

#[test]
fn without_a_broker_a_delivery_fails_when_its_time_is_up() {
    let nowhere = Config::new("127.0.0.1:1").set("message.timeout.ms", "300");
    let producer = Producer::new(&nowhere.on_event(|_| ())).unwrap();
    let handle = producer.topic("any").unwrap();
    let deliveries = Deliveries::new(1);
    producer.send(&handle, &value(0, "v"), Some((&deliveries, 0))).unwrap();
    let error = deliveries.wait(SOON).unwrap_err();
    assert!(matches!(error, Error::Delivery { code: Code(-192), .. }), "{error}");
}
