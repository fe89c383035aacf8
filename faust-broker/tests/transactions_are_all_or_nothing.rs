//! A transaction's records and offsets are seen together, or never.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::Duration;

use common::raw::{From, Raw, batch, text};
use common::{Cluster, eventually, unique, values};
use kafka_protocol::messages::*;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::Producer;
use rdkafka::{Offset, TopicPartitionList};

behaviours!(
    aborted_records_are_hidden_from_committed_readers_only,
    an_open_transaction_holds_committed_readers_back,
    a_new_instance_fences_the_old_one_and_aborts_what_it_left,
    offsets_are_committed_with_the_transaction_or_not_at_all,
    undecided_offsets_are_not_told_to_who_wants_stable_ones,
    a_stale_member_cannot_commit_in_a_transaction,
    a_transaction_that_lasts_too_long_is_aborted,
    records_need_a_transaction_that_names_their_partition,
    asking_twice_for_the_same_end_is_no_error,
);

fn aborted_records_are_hidden_from_committed_readers_only(cluster: &Cluster) {
    let topic = cluster.topic("hidden", 1, &[]);
    let producer = cluster.transactional(&unique("id"));
    for (value, commits) in [("a", true), ("b", false), ("c", true), ("d", false)] {
        producer.begin();
        producer.send_all(&topic, [value, value]);
        if commits { producer.commit() } else { producer.abort() }
    }
    let committed = cluster.read(&topic, 1, "read_committed");
    assert_eq!(values(&committed), ["a", "a", "c", "c"]);
    let all = cluster.read(&topic, 1, "read_uncommitted");
    assert_eq!(values(&all), ["a", "a", "b", "b", "c", "c", "d", "d"]);
    // The end of each transaction takes an offset.
    let offsets: Vec<_> = all.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 1, 3, 4, 6, 7, 9, 10]);
}

fn an_open_transaction_holds_committed_readers_back(cluster: &Cluster) {
    let topic = cluster.topic("open", 1, &[]);
    let (transactional, plain) = (cluster.transactional(&unique("id")), cluster.producer(&[]));
    plain.send_all(&topic, ["before"]);
    transactional.begin();
    transactional.send_all(&topic, ["inside"]);
    plain.send_all(&topic, ["behind"]);
    assert_eq!(values(&cluster.read(&topic, 1, "read_committed")), ["before"]);
    assert_eq!(
        values(&cluster.read(&topic, 1, "read_uncommitted")),
        ["before", "inside", "behind"]
    );
    transactional.commit();
    assert_eq!(values(&cluster.read(&topic, 1, "read_committed")), ["before", "inside", "behind"]);
}

fn a_new_instance_fences_the_old_one_and_aborts_what_it_left(cluster: &Cluster) {
    let (topic, id) = (cluster.topic("fenced", 1, &[]), unique("id"));
    let old = cluster.transactional(&id);
    old.begin();
    old.send_all(&topic, ["left"]);
    let new = cluster.transactional(&id);
    assert!(old.producer.commit_transaction(Duration::from_secs(10)).is_err());
    new.begin();
    new.send_all(&topic, ["new"]);
    new.commit();
    assert_eq!(values(&cluster.read(&topic, 1, "read_committed")), ["new"]);
}

/// A member of a group that has got its partition.
fn member(cluster: &Cluster, group: &str, topic: &str) -> BaseConsumer {
    let consumer = cluster.consumer(&[("group.id", group), ("heartbeat.interval.ms", "500")]);
    consumer.subscribe(&[topic]).unwrap();
    eventually("the member has its partition", || {
        let _ = consumer.poll(Duration::from_millis(50));
        consumer.assignment().unwrap().count() == 1
    });
    consumer
}

fn at(topic: &str, offset: i64) -> TopicPartitionList {
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
    offsets.elements_for_topic(topic)[0].set_metadata("cut 7");
    offsets
}

fn offsets_are_committed_with_the_transaction_or_not_at_all(cluster: &Cluster) {
    let (topic, group) = (cluster.topic("offsets", 1, &[]), unique("group"));
    let member = member(cluster, &group, &topic);
    let producer = cluster.transactional(&unique("id"));
    let wait = Duration::from_secs(10);
    for (offset, commits) in [(10, true), (15, false)] {
        producer.begin();
        let metadata = member.group_metadata().unwrap();
        producer
            .producer
            .send_offsets_to_transaction(&at(&topic, offset), &metadata, wait)
            .unwrap();
        if commits {
            producer.commit()
        } else {
            producer.abort()
        }
        assert_eq!(cluster.committed(&group, &topic), Some((10, "cut 7".to_owned())));
    }
}

fn undecided_offsets_are_not_told_to_who_wants_stable_ones(cluster: &Cluster) {
    let (topic, group) = (cluster.topic("stable", 1, &[]), unique("group"));
    let member = member(cluster, &group, &topic);
    let producer = cluster.transactional(&unique("id"));
    producer.begin();
    let metadata = member.group_metadata().unwrap();
    let wait = Duration::from_secs(10);
    producer.producer.send_offsets_to_transaction(&at(&topic, 10), &metadata, wait).unwrap();
    let mut raw = Raw::connect(&cluster.bootstrap);
    let mut fetch = |require_stable| {
        let wanted = offset_fetch_request::OffsetFetchRequestTopic::default()
            .with_name(text(&topic).into())
            .with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_group_id(text(&group).into())
            .with_topics(Some(vec![wanted]))
            .with_require_stable(require_stable);
        let response = raw.call(7, &request);
        let partition = &response.topics[0].partitions[0];
        (partition.error_code, partition.committed_offset)
    };
    assert_eq!(fetch(true), (88, -1));
    assert_eq!(fetch(false), (0, -1));
    producer.commit();
    // A commit is answered when it is decided; a cluster's markers follow.
    let mut told = fetch(true);
    for _ in 0..100 {
        if told != (88, -1) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        told = fetch(true);
    }
    assert_eq!(told, (0, 10));
}

fn a_stale_member_cannot_commit_in_a_transaction(cluster: &Cluster) {
    let (topic, group) = (cluster.topic("stale", 1, &[]), unique("group"));
    let first = member(cluster, &group, &topic);
    let stale = first.group_metadata().unwrap();
    drop(first);
    let _second = member(cluster, &group, &topic);
    let producer = cluster.transactional(&unique("id"));
    producer.begin();
    let wait = Duration::from_secs(10);
    let sent = producer.producer.send_offsets_to_transaction(&at(&topic, 3), &stale, wait);
    assert!(sent.is_err());
    producer.abort();
    assert_eq!(cluster.committed(&group, &topic), None);
}

fn a_transaction_that_lasts_too_long_is_aborted(cluster: &Cluster) {
    let topic = cluster.topic("long", 1, &[]);
    let late = cluster.producer(&[
        ("transactional.id", &unique("id")),
        ("transaction.timeout.ms", "1500"),
        ("message.timeout.ms", "1500"),
        ("socket.timeout.ms", "1500"),
    ]);
    late.producer.init_transactions(Duration::from_secs(20)).unwrap();
    late.begin();
    late.send_all(&topic, ["lost"]);
    cluster.producer(&[]).send_all(&topic, ["plain"]);
    eventually("the record behind is visible", || {
        values(&cluster.read(&topic, 1, "read_committed")) == ["plain"]
    });
    assert!(late.producer.commit_transaction(Duration::from_secs(10)).is_err());
}

fn init(raw: &mut Raw, id: &str) -> InitProducerIdResponse {
    let request = InitProducerIdRequest::default().with_transactional_id(Some(text(id).into()));
    let request = request.with_transaction_timeout_ms(60_000);
    raw.call(4, &request.with_producer_id((-1).into()).with_producer_epoch(-1))
}

fn add_partition(raw: &mut Raw, id: &str, producer: &InitProducerIdResponse, topic: &str) -> i16 {
    let topic = add_partitions_to_txn_request::AddPartitionsToTxnTopic::default()
        .with_name(text(topic).into())
        .with_partitions(vec![0]);
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(text(id).into())
        .with_v3_and_below_producer_id(producer.producer_id)
        .with_v3_and_below_producer_epoch(producer.producer_epoch)
        .with_v3_and_below_topics(vec![topic]);
    let response = raw.call(3, &request);
    response.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
}

fn end(raw: &mut Raw, id: &str, producer: &InitProducerIdResponse, committed: bool) -> i16 {
    let request = EndTxnRequest::default()
        .with_transactional_id(text(id).into())
        .with_producer_id(producer.producer_id)
        .with_producer_epoch(producer.producer_epoch)
        .with_committed(committed);
    raw.call(3, &request).error_code
}

fn records_need_a_transaction_that_names_their_partition(cluster: &Cluster) {
    let (topic, id) = (cluster.topic("named", 1, &[]), unique("id"));
    let raw = &mut Raw::connect(&cluster.bootstrap);
    let producer = init(raw, &id);
    let from = From {
        producer_id: producer.producer_id.0,
        epoch: producer.producer_epoch,
        sequence: 0,
        transactional: true,
    };
    let send = |raw: &mut Raw| {
        let mut request = common::raw::produce_request(&topic, batch(from, 0, &["a"]));
        request.transactional_id = Some(text(&id).into());
        raw.call(7, &request).responses[0].partition_responses[0].error_code
    };
    assert_ne!(send(raw), 0);
    eventually("the partition is added", || add_partition(raw, &id, &producer, &topic) == 0);
    assert_eq!(send(raw), 0);
    assert_eq!(end(raw, &id, &producer, true), 0);
    assert_eq!(values(&cluster.read(&topic, 1, "read_committed")), ["a"]);
}

fn asking_twice_for_the_same_end_is_no_error(cluster: &Cluster) {
    let (topic, id) = (cluster.topic("ends", 1, &[]), unique("id"));
    let raw = &mut Raw::connect(&cluster.bootstrap);
    let producer = init(raw, &id);
    eventually("the partition is added", || add_partition(raw, &id, &producer, &topic) == 0);
    assert_eq!(end(raw, &id, &producer, true), 0);
    // While markers are on their way Kafka asks to come back.
    eventually("the same end again", || end(raw, &id, &producer, true) == 0);
    assert_eq!(end(raw, &id, &producer, false), 48, "INVALID_TXN_STATE");
    let next = init(raw, &id);
    assert_eq!((next.error_code, next.producer_id), (0, producer.producer_id));
    assert!(next.producer_epoch > producer.producer_epoch);
    assert_eq!(end(raw, &id, &producer, true), 90, "PRODUCER_FENCED");
}
