//! What readers promise.

#[cfg(test)]
mod support;

use std::{thread, time::Duration};

use faust_kafka::{Batch, Deliveries, Error, Producer, Reader, Record, Timestamp};
use support::{SOON, config, fill, next, read_to_end, topic, unique, wait};

fn numbers(range: std::ops::Range<i32>) -> impl Iterator<Item = String> {
    range.map(|n| n.to_string())
}

#[test]
fn records_come_in_order_from_the_offset_that_was_asked_for() {
    let topic = topic(1);
    fill(&topic, 0, numbers(0..2_000));
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    let mut partition = reader.partition(&topic, 0, 700).unwrap();
    let found = read_to_end(&mut partition);
    let wanted: Vec<_> = (700..2_000).map(|n| (i64::from(n), n.to_string())).collect();
    assert_eq!(found, wanted);
    assert_eq!(partition.position(), 2_000);
}

#[test]
fn a_sleeping_task_is_woken_by_a_record() {
    let topic = topic(1);
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    let mut partition = reader.partition(&topic, 0, 0).unwrap();
    assert!(next(&mut partition, SOON).unwrap().unwrap().eof().is_some());
    let writer = thread::spawn({
        let topic = topic.clone();
        move || {
            thread::sleep(Duration::from_millis(300));
            fill(&topic, 0, numbers(0..1));
        }
    });
    let batch = next(&mut partition, SOON).expect("woken").unwrap();
    assert_eq!(batch.len(), 1);
    writer.join().unwrap();
}

#[test]
fn only_a_batch_that_ends_where_the_log_does_says_so() {
    let topic = topic(1);
    fill(&topic, 0, numbers(0..2_000));
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    let mut partition = reader.partition(&topic, 0, 0).unwrap();
    let mut behind = 0;
    loop {
        let batch = next(&mut partition, SOON).unwrap().unwrap();
        if batch.is_caught_up() {
            assert_eq!(partition.position(), 2_000);
            break;
        }
        assert!(partition.position() < 2_000);
        behind += 1;
    }
    assert!(behind > 0, "a batch is smaller than that");
}

#[test]
fn keys_values_times_and_headers_arrive_as_they_were_sent() {
    let topic = topic(1);
    let producer = Producer::new(&config()).unwrap();
    let handle = producer.topic(&topic).unwrap();
    let deliveries = Deliveries::new(1);
    let headers = [
        ("name", Some(b"first".as_slice())),
        ("empty", Some(b"".as_slice())),
        ("none", None),
        ("name", Some(b"second".as_slice())),
    ];
    let records = [
        Record {
            key: Some(b"k"),
            value: Some(b"v"),
            timestamp: Some(1_000),
            headers: &headers,
            ..Record::default()
        },
        Record { key: Some(b""), value: Some(b""), ..Record::default() },
        Record { key: Some(b"gone"), timestamp: Some(0), ..Record::default() },
    ];
    for record in &records {
        producer.send(&handle, record, Some((&deliveries, 0))).unwrap();
    }
    deliveries.wait(SOON).unwrap();

    let reader = Reader::data(&config(), &unique("group")).unwrap();
    let mut partition = reader.partition(&topic, 0, 0).unwrap();
    let batch = next(&mut partition, SOON).unwrap().unwrap();
    assert_eq!(batch.len(), 3);
    // One has headers, which librdkafka keeps.
    assert!((500..1_000).contains(&batch.bytes()), "{}", batch.bytes());
    let message = |i| batch.get(i).unwrap();
    assert_eq!((message(0).key(), message(0).value()), (Some(&b"k"[..]), Some(&b"v"[..])));
    assert_eq!(message(0).timestamp(), Timestamp::Created(1_000));
    let found: Vec<_> =
        message(0).headers().map(|h| (std::str::from_utf8(h.name).unwrap(), h.value)).collect();
    assert_eq!(found, headers);
    assert_eq!(message(0).headers().last("name"), Some(&b"second"[..]));
    assert_eq!((message(1).key(), message(1).value()), (Some(&b""[..]), Some(&b""[..])));
    assert_eq!(message(1).headers().count(), 0);
    assert!(message(1).timestamp().millis() > Some(1_700_000_000_000));
    assert_eq!((message(2).key(), message(2).value()), (Some(&b"gone"[..]), None));
    assert_eq!(message(2).timestamp(), Timestamp::Created(1));
    assert!(batch.get(3).is_none());
}

#[test]
fn a_batch_outlives_its_reader_and_moves_between_threads() {
    let topic = topic(1);
    fill(&topic, 0, numbers(0..100));
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    let mut partition = reader.partition(&topic, 0, 0).unwrap();
    let batch = next(&mut partition, SOON).unwrap().unwrap();
    drop(partition);
    drop(reader);
    thread::sleep(Duration::from_millis(200));
    thread::spawn(move || {
        for (i, message) in batch.iter().enumerate() {
            assert_eq!(message.value(), Some(i.to_string().as_bytes()));
        }
    })
    .join()
    .unwrap();
}

/// A batch keeps what it came with, and no more than that: each response that its records lie in, and each once.
#[test]
fn batches_of_many_fetches_keep_their_records_while_others_come_and_go() {
    let topic = topic(1);
    for fetch in 0..40 {
        fill(&topic, 0, numbers(fetch * 50..fetch * 50 + 50));
    }
    let small = config().set("fetch.message.max.bytes", "1000");
    let reader = Reader::data(&small, &unique("group")).unwrap();
    let mut partition = reader.partition(&topic, 0, 0).unwrap();
    // Until several responses wait in the queue.
    thread::sleep(Duration::from_millis(500));
    let mut kept = Vec::new();
    while kept.iter().map(Batch::len).sum::<usize>() < 2_000 {
        kept.push(next(&mut partition, SOON).unwrap().unwrap());
    }
    drop(partition);
    drop(reader);
    let mut offset = 2_000;
    while let Some(batch) = kept.pop() {
        for message in batch.iter().rev() {
            offset -= 1;
            assert_eq!(message.offset(), offset);
            assert_eq!(message.value(), Some(offset.to_string().as_bytes()));
        }
    }
    assert_eq!(offset, 0);
}

#[test]
fn an_offset_that_the_log_does_not_hold_is_an_error() {
    let topic = topic(1);
    fill(&topic, 0, numbers(0..10));
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    let mut partition = reader.partition(&topic, 0, 1_000).unwrap();
    let error = next(&mut partition, SOON).unwrap().unwrap_err();
    assert!(
        matches!(&error, Error::OffsetOutOfRange { topic: t, partition: 0, offset: 1_000 } if *t == topic),
        "{error}"
    );

    // Records that were deleted are as far away as those that were never there.
    let zero = faust_kafka::TopicPartition::new(&topic, 0);
    let first = support::admin().delete_records(&[(zero, 5)], SOON).unwrap();
    assert_eq!(first[0].as_ref().unwrap(), &5);
    drop(partition);
    let mut partition = reader.partition(&topic, 0, 0).unwrap();
    let error = next(&mut partition, SOON).unwrap().unwrap_err();
    assert!(matches!(error, Error::OffsetOutOfRange { offset: 0, .. }), "{error}");
    // And the same partition can be opened again.
    drop(partition);
    let mut partition = reader.partition(&topic, 0, 5).unwrap();
    assert_eq!(read_to_end(&mut partition).len(), 5);
}

#[test]
fn a_topic_that_is_not_there_is_an_error() {
    // How long a topic may take to become known to all brokers: 30 s unless set.
    let hasty = config().set("topic.metadata.propagation.max.ms", "200");
    let reader = Reader::data(&hasty, &unique("group")).unwrap();
    let mut partition = reader.partition(&unique("no-topic"), 0, 0).unwrap();
    let error = next(&mut partition, SOON).unwrap().unwrap_err();
    assert!(matches!(error, Error::UnknownTopic { .. }), "{error}");
}

#[test]
fn a_partition_is_open_once_and_can_be_opened_again_elsewhere() {
    let topic = topic(1);
    fill(&topic, 0, numbers(0..10));
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    let mut first = reader.partition(&topic, 0, 0).unwrap();
    assert!(reader.partition(&topic, 0, 5).is_err());
    assert_eq!(read_to_end(&mut first).len(), 10);
    drop(first);
    let mut second = reader.partition(&topic, 0, 5).unwrap();
    assert_eq!(read_to_end(&mut second)[0].0, 5);
}

/// librdkafka 2.12 counts an end as a record in a batch read and skips one when it pauses: we have
/// ends, never pauses.
#[test]
fn ends_in_the_middle_lose_no_record() {
    let topic = topic(2);
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    let mut quiet = reader.partition(&topic, 1, 0).unwrap();
    let mut partition = reader.partition(&topic, 0, 0).unwrap();
    let mut found = Vec::new();
    for round in 0..20 {
        fill(&topic, 0, numbers(round * 3..round * 3 + 3));
        while found.len() < (round as usize + 1) * 3 {
            found.extend(read_to_end(&mut partition));
        }
        // Another partition comes and goes meanwhile, which is when librdkafka would pause.
        drop(quiet);
        quiet = reader.partition(&topic, 1, 0).unwrap();
    }
    let wanted: Vec<_> = (0..60).map(|n| (i64::from(n), n.to_string())).collect();
    assert_eq!(found, wanted);
}

/// What is fetched between the assignment and the split of its queue would end up where nobody
/// looks.
#[test]
fn no_record_is_fetched_past_its_queue() {
    let topic = topic(8);
    for partition in 0..8 {
        fill(&topic, partition, numbers(0..50));
    }
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    for _ in 0..10 {
        let mut open: Vec<_> =
            (0..8).map(|partition| reader.partition(&topic, partition, 0).unwrap()).collect();
        for partition in &mut open {
            assert_eq!(read_to_end(partition).len(), 50);
        }
    }
}

#[test]
fn a_full_queue_waits_for_its_reader_and_others_go_on() {
    let topic = topic(2);
    for partition in 0..2 {
        fill(&topic, partition, numbers(0..5_000));
    }
    let small = config().set("queued.min.messages", "100").set("fetch.message.max.bytes", "1000");
    let reader = Reader::data(&small, &unique("group")).unwrap();
    let mut slow = reader.partition(&topic, 0, 0).unwrap();
    let mut fast = reader.partition(&topic, 1, 0).unwrap();
    assert_eq!(read_to_end(&mut fast).len(), 5_000);
    assert_eq!(read_to_end(&mut slow).len(), 5_000);
}

#[test]
fn a_reader_that_nobody_wakes_stays_pending() {
    let topic = topic(1);
    let reader = Reader::restore(&config(), &unique("group")).unwrap();
    let mut partition = reader.partition(&topic, 0, 0).unwrap();
    assert_eq!(next(&mut partition, SOON).unwrap().unwrap().eof(), Some(0));
    assert!(
        wait(std::future::poll_fn(|cx| partition.poll_batch(cx, 10)), Duration::from_millis(300))
            .is_none()
    );
}
