//! What a consumer reads is what a producer sent, where it was sent, and once.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::{Duration, Instant};

use common::raw::{From, Raw, batch, fetch_request, produce};
use common::{Cluster, admin_options, eventually, values};
use futures::executor::block_on;
use kafka_protocol::messages::InitProducerIdRequest;
use rdkafka::admin::{NewPartitions, NewTopic, TopicReplication};
use rdkafka::consumer::Consumer;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use rdkafka::{Offset, TopicPartitionList};

behaviours!(
    keys_values_headers_and_timestamps_are_kept,
    compressed_batches_are_kept,
    a_batch_that_is_sent_twice_is_kept_once,
    a_reader_may_start_inside_a_batch,
    an_offset_is_found_by_time,
    a_topic_can_stamp_records_with_its_own_time,
    deleted_records_are_gone_and_the_rest_stays,
    a_topic_grows_and_a_deleted_one_comes_back_empty,
    a_fetch_waits_for_records_and_no_longer,
    many_partitions_and_clients_do_not_lose_anything,
);

fn keys_values_headers_and_timestamps_are_kept(cluster: &Cluster) {
    let topic = cluster.topic("kept", 2, &[]);
    let producer = cluster.producer(&[]);
    let value = |index: i64| format!("value {index}");
    for index in 0..400 {
        let (key, value) = (format!("key {index}"), value(index));
        let headers = OwnedHeaders::new()
            .insert(Header { key: "twice", value: Some("1") })
            .insert(Header { key: "null", value: None::<&str> })
            .insert(Header { key: "twice", value: Some("2") });
        let mut record = BaseRecord::<str, str>::to(&topic)
            .partition(i32::try_from(index % 2).unwrap())
            .key(&key)
            .timestamp(1_600_000_000_000 + index)
            .headers(headers);
        // Every tenth is a tombstone.
        if index % 10 != 0 {
            record = record.payload(&value);
        }
        producer.producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.settle();
    assert_eq!(producer.errors(), []);
    let seen = cluster.read(&topic, 2, "read_committed");
    assert_eq!(seen.len(), 400);
    for record in seen {
        let index = record.offset * 2 + i64::from(record.partition);
        assert_eq!(record.key, Some(format!("key {index}")));
        assert_eq!(record.value, (index % 10 != 0).then(|| value(index)));
        assert_eq!(record.timestamp, Some(1_600_000_000_000 + index));
        let text = |text: &str| text.to_owned();
        let twice = |value: &str| (text("twice"), Some(text(value)));
        assert_eq!(record.headers, [twice("1"), (text("null"), None), twice("2")]);
    }
}

fn compressed_batches_are_kept(cluster: &Cluster) {
    let topic = cluster.topic("compressed", 1, &[]);
    let sent: Vec<String> = (0..200).map(|index| format!("{} {index}", "a".repeat(50))).collect();
    for codec in ["none", "gzip", "snappy", "lz4"] {
        let producer = cluster.producer(&[("compression.type", codec), ("linger.ms", "20")]);
        producer.send_all(&topic, sent.iter().map(String::as_str));
    }
    let seen = cluster.read(&topic, 1, "read_committed");
    assert_eq!(seen.last().unwrap().offset, 799);
    for chunk in values(&seen).chunks(200) {
        assert_eq!(chunk, sent);
    }
}

fn a_batch_that_is_sent_twice_is_kept_once(cluster: &Cluster) {
    let topic = cluster.topic("twice", 1, &[]);
    let raw = &mut Raw::connect(&cluster.bootstrap);
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let producer = raw.call(
        4,
        &request
            .with_transaction_timeout_ms(60_000)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1),
    );
    let mut send = |epoch, sequence, values: &[&str]| {
        let producer_id = producer.producer_id.0;
        produce(
            raw,
            &topic,
            batch(From { producer_id, epoch, sequence, transactional: false }, 0, values),
        )
    };
    for index in 0..6 {
        assert_eq!(send(0, index * 2, &["a", "b"]), (0, i64::from(index) * 2));
    }
    // Each of the last five is answered with where it is.
    for index in 1..6 {
        assert_eq!(send(0, index * 2, &["a", "b"]), (0, i64::from(index) * 2));
    }
    assert_eq!(send(0, 20, &["gap"]).0, 45);
    assert_eq!(send(1, 7, &["a new epoch begins at 0"]).0, 45);
    assert_eq!(send(1, 0, &["new epoch"]), (0, 12));
    assert_eq!(send(0, 12, &["old epoch"]).0, 47);
    assert_eq!(cluster.read(&topic, 1, "read_committed").len(), 13);
}

fn a_reader_may_start_inside_a_batch(cluster: &Cluster) {
    let topic = cluster.topic("inside", 1, &[]);
    let producer = cluster.producer(&[("linger.ms", "50")]);
    let sent: Vec<String> = (0..100).map(|index| index.to_string()).collect();
    producer.send_all(&topic, sent.iter().map(String::as_str));
    let consumer = cluster.consumer(&[]);
    for offset in [57, 13, 99, 0] {
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(&topic, 0, Offset::Offset(offset)).unwrap();
        consumer.assign(&start).unwrap();
        let mut first = None;
        eventually("the first record", || {
            first = consumer
                .poll(Duration::from_millis(100))
                .and_then(Result::ok)
                .map(|message| rdkafka::Message::offset(&message));
            first.is_some()
        });
        assert_eq!(first, Some(offset));
    }
}

fn an_offset_is_found_by_time(cluster: &Cluster) {
    let topic = cluster.topic("time", 1, &[]);
    let producer = cluster.producer(&[("linger.ms", "0")]);
    for index in 0..100 {
        let record = BaseRecord::<str, str>::to(&topic).partition(0).payload("x");
        let record = record.timestamp(1_000_000 + index * 10);
        producer.producer.send(record).map_err(|(error, _)| error).unwrap();
        if index % 10 == 0 {
            producer.settle();
        }
    }
    producer.settle();
    let consumer = cluster.consumer(&[]);
    let find = |time| {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_offset(&topic, 0, Offset::Offset(time)).unwrap();
        consumer.offsets_for_times(wanted, Duration::from_secs(10)).unwrap().elements()[0].offset()
    };
    assert_eq!(find(0), Offset::Offset(0));
    assert_eq!(find(1_000_250), Offset::Offset(25));
    assert_eq!(find(1_000_555), Offset::Offset(56));
    assert_eq!(find(1_000_990), Offset::Offset(99));
    assert_eq!(find(9_000_000), Offset::End);
}

fn a_topic_can_stamp_records_with_its_own_time(cluster: &Cluster) {
    let topic = cluster.topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let producer = cluster.producer(&[]);
    let record = BaseRecord::<str, str>::to(&topic).partition(0).payload("x").timestamp(5);
    producer.producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.settle();
    // check.crcs: the checksum has to be that of the changed batch.
    let consumer = cluster.consumer(&[("check.crcs", "true")]);
    let mut start = TopicPartitionList::new();
    start.add_partition_offset(&topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&start).unwrap();
    let mut timestamp = None;
    eventually("the record", || {
        let message = consumer.poll(Duration::from_millis(100));
        timestamp =
            message.and_then(Result::ok).map(|message| rdkafka::Message::timestamp(&message));
        timestamp.is_some()
    });
    let Some(rdkafka::Timestamp::LogAppendTime(time)) = timestamp else { panic!("{timestamp:?}") };
    assert!(time > 1_600_000_000_000, "{time}");
}

fn deleted_records_are_gone_and_the_rest_stays(cluster: &Cluster) {
    let topic = cluster.topic("deleted", 1, &[]);
    let producer = cluster.producer(&[("batch.size", "20000")]);
    let value = "x".repeat(2000);
    producer.send_all(&topic, std::iter::repeat_n(value.as_str(), 300));
    let delete = |before| {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_offset(&topic, 0, before).unwrap();
        block_on(cluster.admin().delete_records(&wanted, &admin_options())).unwrap();
    };
    let consumer = cluster.consumer(&[]);
    let watermarks = || consumer.fetch_watermarks(&topic, 0, Duration::from_secs(10)).unwrap();
    delete(Offset::Offset(205));
    assert_eq!(watermarks(), (205, 300));
    let seen = cluster.read(&topic, 1, "read_committed");
    assert_eq!((seen.len(), seen[0].offset), (95, 205));
    // All of it: the log goes on where it was.
    delete(Offset::End);
    assert_eq!(watermarks(), (300, 300));
    producer.send_all(&topic, ["next"]);
    assert_eq!(watermarks(), (300, 301));
    assert_eq!(values(&cluster.read(&topic, 1, "read_committed")), ["next"]);
}

fn a_topic_grows_and_a_deleted_one_comes_back_empty(cluster: &Cluster) {
    let topic = cluster.topic("grows", 1, &[("cleanup.policy", "compact")]);
    let admin = cluster.admin();
    let grown =
        block_on(admin.create_partitions(&[NewPartitions::new(&topic, 3)], &admin_options()));
    grown.unwrap()[0].as_ref().unwrap();
    let consumer = cluster.consumer(&[]);
    eventually("three partitions", || {
        let metadata = consumer.fetch_metadata(Some(&topic), Duration::from_secs(5)).unwrap();
        metadata.topics()[0].partitions().len() == 3
    });
    let producer = cluster.producer(&[]);
    let record = BaseRecord::<str, str>::to(&topic).partition(2).key("k").payload("x");
    producer.producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.settle();
    assert_eq!(cluster.read(&topic, 3, "read_committed").len(), 1);
    block_on(admin.delete_topics(&[&topic], &admin_options())).unwrap()[0].as_ref().unwrap();
    eventually("the topic is created again", || {
        let again = NewTopic::new(&topic, 3, TopicReplication::Fixed(1));
        block_on(admin.create_topics(&[again], &admin_options())).unwrap()[0].is_ok()
    });
    eventually("it is empty", || {
        consumer
            .fetch_watermarks(&topic, 2, Duration::from_secs(5))
            .is_ok_and(|marks| marks == (0, 0))
    });
}

fn a_fetch_waits_for_records_and_no_longer(cluster: &Cluster) {
    let topic = cluster.topic("waits", 1, &[]);
    let raw = &mut Raw::connect(&cluster.bootstrap);
    let begin = Instant::now();
    let response = raw.call(11, &fetch_request(&topic, 0, 300));
    assert_eq!(
        response.responses[0].partitions[0].records.as_ref().map_or(0, |records| records.len()),
        0
    );
    assert!(begin.elapsed() >= Duration::from_millis(290), "{:?}", begin.elapsed());

    raw.send(11, &fetch_request(&topic, 0, 10_000));
    std::thread::sleep(Duration::from_millis(50));
    let begin = Instant::now();
    let sent = produce(
        &mut Raw::connect(&cluster.bootstrap),
        &topic,
        batch(common::raw::NOBODY, 0, &["now"]),
    );
    assert_eq!(sent, (0, 0));
    let response = raw.receive::<kafka_protocol::messages::FetchRequest>(11);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(!response.responses[0].partitions[0].records.as_ref().unwrap().is_empty());
}

fn many_partitions_and_clients_do_not_lose_anything(cluster: &Cluster) {
    let topic = cluster.topic("many", 64, &[]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let producer = cluster.producer(&[]);
                (0..64 * 20).for_each(|index| producer.send(&topic, index % 64, "x"));
                producer.settle();
                assert_eq!(producer.errors(), []);
            });
        }
    });
    let seen = cluster.read(&topic, 64, "read_committed");
    assert_eq!(seen.len(), 4 * 64 * 20);
    for partition in 0..64 {
        let offsets =
            seen.iter().filter(|record| record.partition == partition).map(|record| record.offset);
        assert!(offsets.eq(0..80), "partition {partition}");
    }
}
