//! What transactions promise.

#[cfg(test)]
mod support;

use std::time::{Duration, Instant};

use faust_broker::Broker;
use faust_kafka::{
    Admin, Commit, Committed, Config, Deliveries, Error, GroupMetadata, Isolation, NewTopic,
    OffsetSpec, Reader, Record, SendError, SlotOffset, TopicPartition, TransactionalProducer,
    TxnErrorKind,
};
use support::{
    SOON, admin, config, end, eventually, read_to_end, send_within as send, topic,
    transactional as producer, unique,
};

/// The usual commit sleeps in slices of 100 ms; this one returns when the broker has answered.
#[test]
fn a_commit_takes_as_long_as_the_broker_does() {
    let topic = topic(1);
    let producer = producer(&unique("txn"));
    let took: Vec<Duration> = (0..40)
        .map(|n| {
            producer.begin().unwrap();
            send(&producer, &topic, &n.to_string(), None);
            let start = Instant::now();
            producer.commit(SOON).unwrap();
            start.elapsed()
        })
        .collect();
    // The quickest: a busy machine makes others slow, a pause in the code makes all of them.
    assert!(took.iter().min().unwrap() < &Duration::from_millis(50), "{took:?}");
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    assert_eq!(read_to_end(&mut reader.partition(&topic, 0, 0).unwrap()).len(), 40);
}

/// Nobody else polls the producer: its own thread frees what the abort drops, or the abort would
/// wait for that.
#[test]
fn an_abort_returns_with_messages_under_way() {
    let topic = topic(1);
    let slow = config().set("linger.ms", "10000");
    let producer = TransactionalProducer::new(&slow, &unique("txn")).unwrap();
    producer.init(SOON).unwrap();
    producer.begin().unwrap();
    let deliveries = Deliveries::new(1);
    for _ in 0..1_000 {
        send(&producer, &topic, "dropped", Some((&deliveries, 0)));
    }
    let start = Instant::now();
    producer.abort(SOON).unwrap();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(deliveries.wait(SOON).is_err());
    assert_eq!((deliveries.failed(), deliveries.offset(0)), (1_000, SlotOffset::None));
    // The next transaction works.
    producer.begin().unwrap();
    send(&producer, &topic, "kept", None);
    producer.commit(SOON).unwrap();
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    let found = read_to_end(&mut reader.partition(&topic, 0, 0).unwrap());
    assert_eq!(found.iter().map(|(_, value)| value).collect::<Vec<_>>(), ["kept"]);
}

#[test]
fn readers_see_what_was_committed_and_move_over_what_was_not() {
    let topic = topic(1);
    let producer = producer(&unique("txn"));
    producer.begin().unwrap();
    let aborted = Deliveries::new(1);
    send(&producer, &topic, "aborted", Some((&aborted, 0)));
    aborted.wait(SOON).unwrap();
    producer.abort(SOON).unwrap();
    producer.begin().unwrap();
    let committed = Deliveries::new(1);
    send(&producer, &topic, "committed", Some((&committed, 0)));
    producer.commit(SOON).unwrap();

    // Offsets: 0 aborted, 1 its marker, 2 committed, 3 its marker.
    assert_eq!(aborted.offset(0), SlotOffset::Known(0));
    assert_eq!(committed.offset(0), SlotOffset::Known(2));
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    let mut partition = reader.partition(&topic, 0, 0).unwrap();
    assert_eq!(read_to_end(&mut partition), [(2, "committed".to_owned())]);
    assert_eq!(partition.position(), 4, "behind the marker");
    assert_eq!(end(&topic, 0), 4);
}

/// The broker writes a record and its answer is lost; the transaction is aborted before the record is sent again. Its
/// sequence number is taken: a record that got the same would be taken for it, and not be written.
#[test]
fn what_is_sent_after_an_abort_is_written_although_an_answer_was_lost() {
    let broker = Broker::start(faust_broker::Config::default()).unwrap();
    let config = Config::new(broker.bootstrap_servers()).set("retry.backoff.ms", "1000");
    let admin = Admin::new(&config).unwrap();
    admin.create_topics(&[NewTopic::new("words", 1)], SOON).unwrap();
    let start = || {
        let producer = TransactionalProducer::new(&config, "writer").unwrap();
        producer.init(SOON).unwrap();
        producer
    };
    let written = || {
        let of = [(TopicPartition::new("words", 0), OffsetSpec::Latest)];
        admin.list_offsets(&of, Isolation::ReadUncommitted, SOON).unwrap().remove(0).unwrap()
    };

    let producer = start();
    producer.begin().unwrap();
    broker.faults().add("Produce lose-answer nth=1".parse().unwrap());
    send(&producer, "words", "first", None);
    eventually("it is written", || written() == Some(1));
    // The client notices that its connection is gone.
    std::thread::sleep(Duration::from_millis(200));
    let producer = match producer.abort(SOON) {
        Ok(()) => producer,
        Err(error) => {
            assert_eq!(error.kind, TxnErrorKind::Fatal, "{error}");
            start()
        }
    };
    producer.begin().unwrap();
    send(&producer, "words", "second", None);
    producer.commit(SOON).unwrap();
    let reader = Reader::data(&config, "reader").unwrap();
    let found = read_to_end(&mut reader.partition("words", 0, 0).unwrap());
    assert_eq!(found.iter().map(|(_, value)| value).collect::<Vec<_>>(), ["second"]);
}

#[test]
fn what_is_sent_together_is_part_of_the_transaction() {
    let topic = topic(2);
    let producer = producer(&unique("txn"));
    let handle = producer.topic(&topic).unwrap();
    let records = |value: &'static [u8]| {
        let record = |n| Record { partition: n / 50, value: Some(value), ..Record::default() };
        (0..100).map(record).collect::<Vec<_>>()
    };
    let refused = producer.send_all(&handle, &records(b"outside"), None);
    assert!(matches!(refused, Err((0, SendError::Refused { .. }))), "{refused:?}");
    for (value, commit) in [(b"dropped".as_slice(), false), (b"kept", true), (b"again", true)] {
        producer.begin().unwrap();
        let deliveries = Deliveries::new(1);
        producer.send_all(&handle, &records(value), Some((&deliveries, 0))).unwrap();
        deliveries.wait(SOON).unwrap();
        if commit { producer.commit(SOON) } else { producer.abort(SOON) }.unwrap();
    }
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    for partition in 0..2 {
        let read = read_to_end(&mut reader.partition(&topic, partition, 0).unwrap());
        let values: Vec<_> = read.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, [["kept"; 50], ["again"; 50]].concat());
    }
}

#[test]
fn an_open_transaction_is_the_end_for_readers_and_not_for_the_log() {
    let topic = topic(1);
    let producer = producer(&unique("txn"));
    producer.begin().unwrap();
    let deliveries = Deliveries::new(1);
    send(&producer, &topic, "open", Some((&deliveries, 0)));
    deliveries.wait(SOON).unwrap();
    let latest = [(TopicPartition::new(&topic, 0), OffsetSpec::Latest)];
    let committed = admin().list_offsets(&latest, Isolation::ReadCommitted, SOON).unwrap();
    let all = admin().list_offsets(&latest, Isolation::ReadUncommitted, SOON).unwrap();
    assert_eq!((committed[0].clone().unwrap(), all[0].clone().unwrap()), (Some(0), Some(1)));

    let reader = Reader::restore(&config(), &unique("group")).unwrap();
    let mut partition = reader.partition(&topic, 0, 0).unwrap();
    assert_eq!(read_to_end(&mut partition), []);
    assert_eq!(partition.position(), 0);
    // The end is reported anew when it moves.
    producer.commit(SOON).unwrap();
    let found = read_to_end(&mut partition);
    assert_eq!(found, [(0, "open".to_owned())]);
    assert_eq!(partition.position(), 2);
}

fn committed(
    admin: &Admin,
    group: &str,
    partition: &TopicPartition,
    stable: bool,
) -> Result<Option<Committed>, Error> {
    admin
        .committed(group, std::slice::from_ref(partition), stable, SOON)
        .map(|mut all| all.remove(0))
}

#[test]
fn offsets_and_their_metadata_are_committed_with_the_records() {
    let (topic, group) = (topic(1), unique("group"));
    let place = TopicPartition::new(&topic, 0);
    let admin = admin();
    assert_eq!(committed(&admin, &group, &place, true).unwrap(), None);
    let first = Commit { partition: place.clone(), offset: 1, metadata: "first".to_owned() };
    admin.commit(&group, std::slice::from_ref(&first), SOON).unwrap();
    let found = committed(&admin, &group, &place, true).unwrap().unwrap();
    assert_eq!((found.offset, found.metadata.as_str()), (1, "first"));

    // A member of this group, as far as the broker can tell, would be needed for more: see the
    // tests of membership.
    let stranger = GroupMetadata::new(&group, 7, "nobody", None).unwrap();
    let producer = producer(&unique("txn"));
    producer.begin().unwrap();
    send(&producer, &topic, "v", None);
    let refused =
        producer.send_offsets(&[(place.clone(), 2, "second")], &stranger, SOON).unwrap_err();
    assert_eq!(refused.kind, TxnErrorKind::Abortable, "{refused}");
    producer.abort(SOON).unwrap();
    assert_eq!(committed(&admin, &group, &place, true).unwrap().unwrap().offset, 1);
}

#[test]
fn a_newer_producer_of_the_same_id_fences_the_older_and_ends_its_transaction() {
    let (topic, id) = (topic(1), unique("txn"));
    let old = producer(&id);
    old.begin().unwrap();
    let deliveries = Deliveries::new(1);
    send(&old, &topic, "old", Some((&deliveries, 0)));
    deliveries.wait(SOON).unwrap();
    let new = producer(&id);
    // The old transaction is aborted: readers are not held up.
    let reader = Reader::data(&config(), &unique("group")).unwrap();
    assert_eq!(read_to_end(&mut reader.partition(&topic, 0, 0).unwrap()), []);
    let fenced = old.commit(SOON).unwrap_err();
    assert_eq!(fenced.kind, TxnErrorKind::Fatal, "{fenced}");
    new.begin().unwrap();
    send(&new, &topic, "new", None);
    new.commit(SOON).unwrap();
}

#[test]
fn calls_in_the_wrong_order_and_without_a_broker_are_errors() {
    let producer = producer(&unique("txn"));
    assert_eq!(producer.commit(SOON).unwrap_err().kind, TxnErrorKind::Fatal);
    let handle = producer.topic("any").unwrap();
    assert!(producer.send(&handle, &Record::default(), None).is_err(), "no transaction is open");

    let nowhere = Config::new("127.0.0.1:1").on_event(|_| ());
    let producer = TransactionalProducer::new(&nowhere, "txn").unwrap();
    let start = Instant::now();
    let late = producer.init(Duration::from_millis(500)).unwrap_err();
    assert!(late.kind == TxnErrorKind::Retriable, "{late}");
    assert!(start.elapsed() < Duration::from_secs(3));
}
