//! Compaction and retention: what must stay stays at its offset, what may go goes, and a killed broker loses neither.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::raw::{From, Raw, batch, produce};
use common::{Cluster, Seen, TestProducer, eventually, unique, values};
use kafka_protocol::messages::InitProducerIdRequest;
use rdkafka::consumer::Consumer;
use rdkafka::producer::BaseRecord;

/// Closes segments quickly, and compacts them for little.
const EAGER: [(&str, &str); 3] =
    [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.01")];
/// Longer than `segment.ms`.
const ROLL: Duration = Duration::from_millis(150);

fn send(producer: &TestProducer, topic: &str, key: &str, value: Option<&str>) {
    let mut record = BaseRecord::<str, str>::to(topic).partition(0).key(key);
    record.payload = value;
    producer.producer.send(record).map_err(|(error, _)| error).unwrap();
}

fn send_all<'a>(producer: &TestProducer, topic: &str, records: &[(&'a str, Option<&'a str>)]) {
    records.iter().for_each(|(key, value)| send(producer, topic, key, *value));
    producer.settle();
}

/// Closes the segment that is written to, so that all before this may be compacted. Kafka looks every 15 s.
fn roll(cluster: &Cluster, topic: &str) {
    sleep(ROLL);
    send_all(&cluster.producer(&[]), topic, &[("last", Some("-"))]);
}

fn latest(seen: &[Seen]) -> BTreeMap<String, String> {
    let mut latest = BTreeMap::new();
    for record in seen {
        let key = record.key.clone().unwrap();
        match &record.value {
            Some(value) => latest.insert(key, value.clone()),
            None => latest.remove(&key),
        };
    }
    latest
}

behaviours!(
    of_each_key_the_latest_record_stays_at_its_offset,
    a_tombstone_stays_for_a_while_and_then_goes,
    nothing_of_an_aborted_transaction_stays_and_an_open_one_holds_compaction_back,
);

fn of_each_key_the_latest_record_stays_at_its_offset(cluster: &Cluster) {
    for codec in ["none", "lz4"] {
        let topic = cluster.topic("compacted", 1, &EAGER);
        let producer = cluster.producer(&[("compression.type", codec)]);
        let keys: Vec<_> = (0..10).map(|key| format!("key-{key}")).collect();
        for round in 0..30 {
            let value = format!("{round}");
            keys.iter().for_each(|key| send(&producer, &topic, key, Some(&value)));
            producer.settle();
        }
        roll(cluster, &topic);
        let before = cluster.read(&topic, 1, "read_committed");
        let expected = latest(&before);
        eventually("it is compacted", || {
            cluster.read(&topic, 1, "read_committed").len() == keys.len() + 1
        });
        let after = cluster.read(&topic, 1, "read_committed");
        assert_eq!(latest(&after), expected, "{codec}");
        assert!(after.iter().all(|record| before.contains(record)), "{codec}: unchanged");
        let consumer = cluster.consumer(&[]);
        let bounds = consumer.fetch_watermarks(&topic, 0, Duration::from_secs(5)).unwrap();
        assert_eq!(bounds, (0, 301), "{codec}");
        // Somebody who has read half of it goes on behind the gap.
        let mut from = rdkafka::TopicPartitionList::new();
        from.add_partition_offset(&topic, 0, rdkafka::Offset::Offset(17)).unwrap();
        consumer.assign(&from).unwrap();
        eventually("the next record", || {
            consumer
                .poll(Duration::from_millis(100))
                .and_then(Result::ok)
                .is_some_and(|next| rdkafka::Message::offset(&next) == 290)
        });
    }
}

fn a_tombstone_stays_for_a_while_and_then_goes(cluster: &Cluster) {
    let topic =
        cluster.topic("deleted", 1, &[&EAGER[..], &[("delete.retention.ms", "2000")]].concat());
    let producer = cluster.producer(&[]);
    send_all(&producer, &topic, &[("a", Some("1")), ("b", Some("1")), ("a", None)]);
    roll(cluster, &topic);
    let keys = || {
        let seen = cluster.read(&topic, 1, "read_committed");
        let last = seen.iter().filter(|record| record.key.as_deref() != Some("last"));
        last.map(|record| (record.key.clone().unwrap(), record.value.clone())).collect::<Vec<_>>()
    };
    let b = ("b".to_owned(), Some("1".to_owned()));
    eventually("the record goes, its tombstone does not", || {
        keys() == [b.clone(), ("a".to_owned(), None)]
    });
    eventually("the tombstone goes", || {
        // Compaction needs something to do.
        roll(cluster, &topic);
        keys() == [b.clone()]
    });
}

fn nothing_of_an_aborted_transaction_stays_and_an_open_one_holds_compaction_back(
    cluster: &Cluster,
) {
    let topic =
        cluster.topic("transactions", 1, &[&EAGER[..], &[("delete.retention.ms", "500")]].concat());
    let producer = cluster.transactional(&unique("id"));
    for (value, commits) in
        [("first", true), ("aborted", false), ("second", true), ("aborted", false)]
    {
        producer.begin();
        send_all(&producer, &topic, &[("key", Some(value))]);
        if commits { producer.commit() } else { producer.abort() }
    }
    // Compaction goes segment by segment: the open transaction begins in the next one.
    sleep(ROLL);
    let open = cluster.transactional(&unique("open"));
    open.begin();
    send_all(&open, &topic, &[("open", Some("1"))]);
    let plain = cluster.producer(&[]);
    send_all(&plain, &topic, &[("open", Some("2")), ("open", Some("3"))]);
    roll(cluster, &topic);
    roll(cluster, &topic);
    eventually("what is before the open transaction is compacted", || {
        let seen = cluster.read(&topic, 1, "read_uncommitted");
        let held = ["second", "1", "2", "3"];
        values(&seen).starts_with(&held)
    });
    // The ends of the aborted transactions go too; whoever reads from the beginning must not miss what follows.
    open.commit();
    for _ in 0..8 {
        roll(cluster, &topic);
        sleep(Duration::from_millis(200));
    }
    eventually("all of it is compacted", || {
        roll(cluster, &topic);
        let seen = cluster.read(&topic, 1, "read_committed");
        values(&seen).starts_with(&["second", "3", "-"])
    });
    producer.begin();
    send_all(&producer, &topic, &[("key", Some("third"))]);
    producer.commit();
    let seen = cluster.read(&topic, 1, "read_committed");
    assert_eq!(latest(&seen)["key"], "third", "the producer of aborted transactions is read");
}

/// A broker process with small segments.
struct Process {
    folder: tempfile::TempDir,
    child: Child,
    cluster: Cluster,
}

fn run(folder: &Path) -> (Child, Cluster) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faust-broker"));
    command.args(["--port", "0", "--data", folder.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let cluster = Cluster::at(line.trim().rsplit(' ').next().unwrap());
    (child, cluster)
}

impl Process {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, cluster) = run(folder.path());
        Self { folder, child, cluster }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.kill();
        (self.child, self.cluster) = run(self.folder.path());
    }

    /// The files of partition 0 of a topic, in order.
    fn files(&self, topic: &str) -> Vec<PathBuf> {
        let topic = self.folder.path().join("topics").join(topic);
        let id = std::fs::read_dir(topic).unwrap().next().unwrap().unwrap().path();
        let files = std::fs::read_dir(id.join("0")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_broker_that_is_killed_while_it_compacts_has_every_latest_record() {
    let mut process = Process::start();
    let topic = process.cluster.topic("killed", 1, &EAGER);
    let mut expected = BTreeMap::new();
    let mut end = 0;
    for round in 0..5 {
        let producer = process.cluster.producer(&[("compression.type", "lz4")]);
        for step in 0..10 {
            for key in 0..200 {
                let (key, value) =
                    (format!("{}", key * (step + 1) % 307), format!("{round}-{step}-{key}"));
                send(&producer, &topic, &key, Some(&value));
                expected.insert(key, value);
                end += 1;
            }
            producer.settle();
            sleep(Duration::from_millis(60 + 13 * round));
        }
        process.restart();
        let seen = process.cluster.read(&topic, 1, "read_committed");
        assert_eq!(latest(&seen), expected, "round {round}");
        assert_eq!(seen.last().unwrap().offset, end - 1, "round {round}");
        assert!(seen.is_sorted_by_key(|record| record.offset));
    }
    assert!(process.cluster.read(&topic, 1, "read_committed").len() < end as usize / 2);
}

#[test]
fn what_was_merged_into_an_earlier_file_and_what_was_begun_is_removed_at_the_start() {
    let mut process = Process::start();
    let topic = process.cluster.topic("merged", 1, &EAGER);
    let producer = process.cluster.producer(&[]);
    let mut old = BTreeMap::new();
    for round in 0..3 {
        send_all(&producer, &topic, &[("a", Some("old")), ("b", Some("old"))]);
        sleep(ROLL);
        send_all(&producer, &topic, &[("a", Some("new")), ("c", Some(&round.to_string()))]);
        for file in process.files(&topic) {
            old.entry(file.clone()).or_insert_with(|| std::fs::read(file).unwrap());
        }
    }
    roll(&process.cluster, &topic);
    eventually("one file of what was several", || process.files(&topic).len() == 2);
    process.kill();
    // As if it had died right after the rename, and while it wrote the next draft.
    let files = process.files(&topic);
    for (file, bytes) in old.iter().filter(|(file, _)| !files.contains(file)) {
        std::fs::write(file, bytes).unwrap();
    }
    std::fs::write(files[0].with_extension("draft"), b"half").unwrap();
    assert!(process.files(&topic).len() > 3);
    (process.child, process.cluster) = run(process.folder.path());
    let seen = process.cluster.read(&topic, 1, "read_committed");
    let found: Vec<_> = seen.iter().map(|record| record.key.as_deref().unwrap()).collect();
    assert_eq!(found, ["b", "a", "c", "last"]);
    assert!(seen.is_sorted_by_key(|record| record.offset));
    assert_eq!(process.files(&topic), files);
}

#[test]
fn a_producer_whose_records_are_all_superseded_goes_on_after_a_restart() {
    let mut process = Process::start();
    let topic = process.cluster.topic("numbers", 1, &EAGER);
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let mut raw = Raw::connect(&process.cluster.bootstrap);
    let producer_id = raw.call(1, &request.with_transaction_timeout_ms(60_000)).producer_id.0;
    let from = |sequence| From { producer_id, epoch: 0, sequence, transactional: false };
    for sequence in 0..3 {
        assert_eq!(produce(&mut raw, &topic, batch(from(sequence), 0, &["old"])).0, 0);
    }
    send_all(&process.cluster.producer(&[]), &topic, &[("key", Some("new"))]);
    roll(&process.cluster, &topic);
    eventually("it is compacted", || {
        values(&process.cluster.read(&topic, 1, "read_committed")) == ["new", "-"]
    });
    process.restart();
    let mut raw = Raw::connect(&process.cluster.bootstrap);
    assert_eq!(produce(&mut raw, &topic, batch(from(2), 0, &["old"])), (0, 2), "the same again");
    assert_eq!(produce(&mut raw, &topic, batch(from(7), 0, &["gap"])).0, 45);
    assert_eq!(produce(&mut raw, &topic, batch(from(3), 0, &["next"])).0, 0);
}

#[test]
fn old_segments_go_where_a_topic_says_so() {
    let mut process = Process::start();
    let segments = [("segment.ms", "100")];
    let kept = process.cluster.topic("kept", 1, &segments);
    let aged =
        process.cluster.topic("aged", 1, &[&segments[..], &[("retention.ms", "500")]].concat());
    let large = process.cluster.topic(
        "large",
        1,
        &[&segments[..], &[("retention.bytes", "2000")]].concat(),
    );
    let producer = process.cluster.producer(&[]);
    let value = "x".repeat(1000);
    for _ in 0..10 {
        for topic in [&kept, &aged, &large] {
            send_all(&producer, topic, &[("key", Some(&value))]);
        }
        sleep(ROLL);
    }
    let count = |process: &Process, topic| process.cluster.read(topic, 1, "read_committed").len();
    eventually("what is old is gone", || count(&process, &aged) == 1);
    eventually("what is too much is gone", || count(&process, &large) <= 3);
    assert_eq!(count(&process, &kept), 10, "who asks for nothing keeps everything");
    let bounds = |process: &Process| {
        let consumer = process.cluster.consumer(&[]);
        consumer.fetch_watermarks(&aged, 0, Duration::from_secs(5)).unwrap()
    };
    assert_eq!(bounds(&process), (9, 10));
    process.restart();
    assert_eq!(bounds(&process), (9, 10));
}
