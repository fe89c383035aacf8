//! A broker process that is killed comes back with everything it acknowledged.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::raw::{From, NOBODY, Raw, batch, produce, text};
use common::{Cluster, admin_options, unique, values};
use futures::executor::block_on;
use kafka_protocol::messages::*;
use rdkafka::admin::{AdminClient, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

/// A broker process and its data folder.
struct Process {
    folder: TempDir,
    child: Child,
    cluster: Cluster,
}

fn run(mut command: Command) -> (Child, Cluster) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit(' ').next().unwrap();
    let cluster = Cluster::at(address);
    (child, cluster)
}

fn broker(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faust-broker"));
    command.args(["--port", "0", "--data", folder.to_str().unwrap()]);
    command
}

impl Process {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, cluster) = run(broker(folder.path()));
        Self { folder, child, cluster }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn kill_and_restart(&mut self) {
        self.kill();
        (self.child, self.cluster) = run(broker(self.folder.path()));
    }

    /// The last file of partition 0 of a topic.
    fn log_file(&self, topic: &str) -> PathBuf {
        let topic = self.folder.path().join("topics").join(topic);
        let id = std::fs::read_dir(topic).unwrap().next().unwrap().unwrap().path();
        let files = std::fs::read_dir(id.join("0")).unwrap();
        files.map(|file| file.unwrap().path()).max().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn topics_settings_records_and_offsets() {
    let mut process = Process::start();
    let topic = process.cluster.topic("kept", 2, &[("message.timestamp.type", "LogAppendTime")]);
    let gone = process.cluster.topic("gone", 1, &[]);
    let producer = process.cluster.producer(&[]);
    (0..500).for_each(|index| producer.send(&topic, index % 2, &index.to_string()));
    producer.settle();
    block_on(process.cluster.admin().delete_topics(&[&gone], &admin_options())).unwrap();
    let group = unique("group");
    let consumer = process.cluster.consumer(&[("group.id", &group)]);
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&topic, 0, Offset::Offset(77)).unwrap();
    offsets.elements_for_topic(&topic)[0].set_metadata("how far");
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    let before = process.cluster.read(&topic, 2, "read_committed");

    for _ in 0..2 {
        process.kill_and_restart();
        assert_eq!(process.cluster.read(&topic, 2, "read_committed"), before);
        assert_eq!(process.cluster.committed(&group, &topic), Some((77, "how far".to_owned())));
        let admin: AdminClient<DefaultClientContext> = process.cluster.admin();
        let described =
            block_on(admin.describe_configs(&[ResourceSpecifier::Topic(&topic)], &admin_options()))
                .unwrap();
        let config = described[0].as_ref().unwrap().get("message.timestamp.type");
        assert_eq!(config.unwrap().value.as_deref(), Some("LogAppendTime"));
        assert!(!process.folder.path().join("topics").join(&gone).exists());
    }
    process.cluster.producer(&[]).send_all(&topic, ["next"]);
    assert_eq!(process.cluster.read(&topic, 2, "read_committed").len(), 501);
}

/// A member that slept through the restart would else take what it had for the latest word.
#[test]
fn the_generations_of_a_group_go_on() {
    let mut process = Process::start();
    let join = |process: &Process| {
        let protocol = join_group_request::JoinGroupRequestProtocol::default();
        let request = JoinGroupRequest::default()
            .with_group_id(text("group").into())
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(10_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol.with_name(text("range"))]);
        let answer = Raw::connect(&process.cluster.bootstrap).call(2, &request);
        assert_eq!(answer.error_code, 0);
        answer.generation_id
    };
    let mut before = join(&process);
    for _ in 0..2 {
        process.kill_and_restart();
        let now = join(&process);
        assert!(now > before, "{now} after {before}");
        before = now;
    }
}

#[test]
fn a_running_idempotent_producer_goes_on() {
    let mut process = Process::start();
    let topic = process.cluster.topic("sequence", 1, &[]);
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let request = request.with_transaction_timeout_ms(60_000);
    let mut raw = Raw::connect(&process.cluster.bootstrap);
    let producer_id = raw.call(1, &request).producer_id.0;
    let from = |sequence| From { producer_id, epoch: 0, sequence, transactional: false };
    assert_eq!(produce(&mut raw, &topic, batch(from(0), 0, &["a", "b"])), (0, 0));
    process.kill_and_restart();
    let mut raw = Raw::connect(&process.cluster.bootstrap);
    assert_eq!(produce(&mut raw, &topic, batch(from(0), 0, &["a", "b"])), (0, 0), "the same again");
    assert_eq!(produce(&mut raw, &topic, batch(from(5), 0, &["gap"])).0, 45);
    assert_eq!(produce(&mut raw, &topic, batch(from(2), 0, &["c"])), (0, 2));
    assert_ne!(raw.call(1, &request).producer_id.0, producer_id, "an id is given once");
}

#[test]
fn aborted_and_dangling_transactions() {
    let mut process = Process::start();
    let (topic, id) = (process.cluster.topic("dangling", 1, &[]), unique("id"));
    let producer = process.cluster.transactional(&id);
    for (value, commits) in [("committed", true), ("aborted", false)] {
        producer.begin();
        producer.send_all(&topic, [value]);
        if commits { producer.commit() } else { producer.abort() }
    }
    producer.begin();
    producer.send_all(&topic, ["dangling"]);
    process.kill_and_restart();
    process.cluster.producer(&[]).send_all(&topic, ["behind"]);
    assert_eq!(values(&process.cluster.read(&topic, 1, "read_committed")), ["committed"]);
    let next = process.cluster.transactional(&id);
    assert_eq!(values(&process.cluster.read(&topic, 1, "read_committed")), ["committed", "behind"]);
    next.begin();
    next.send_all(&topic, ["next"]);
    next.commit();
    process.kill_and_restart();
    let seen = process.cluster.read(&topic, 1, "read_committed");
    assert_eq!(values(&seen), ["committed", "behind", "next"]);
}

/// The journal of a broker that was killed right after the decision: what follows it is cut off.
#[test]
fn a_decided_transaction_is_finished_at_the_next_start() {
    let mut process = Process::start();
    let (topic, group, id) =
        (process.cluster.topic("decided", 1, &[]), unique("group"), unique("id"));
    let mut raw = Raw::connect(&process.cluster.bootstrap);
    let request = InitProducerIdRequest::default().with_transactional_id(Some(text(&id).into()));
    let producer = raw.call(1, &request.with_transaction_timeout_ms(60_000)).producer_id;
    let transactional_id = || TransactionalId::from(text(&id));
    let added = add_partitions_to_txn_request::AddPartitionsToTxnTopic::default()
        .with_name(text(&topic).into())
        .with_partitions(vec![0]);
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transactional_id())
        .with_v3_and_below_producer_id(producer)
        .with_v3_and_below_topics(vec![added]);
    raw.call(0, &request);
    let from = From { producer_id: producer.0, epoch: 0, sequence: 0, transactional: true };
    assert_eq!(produce(&mut raw, &topic, batch(from, 0, &["decided"])), (0, 0));
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(transactional_id())
        .with_producer_id(producer)
        .with_group_id(text(&group).into());
    assert_eq!(raw.call(0, &request).error_code, 0);
    let partition = txn_offset_commit_request::TxnOffsetCommitRequestPartition::default();
    let offsets = txn_offset_commit_request::TxnOffsetCommitRequestTopic::default()
        .with_name(text(&topic).into())
        .with_partitions(vec![partition.with_committed_offset(9)]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(transactional_id())
        .with_group_id(text(&group).into())
        .with_producer_id(producer)
        .with_topics(vec![offsets]);
    assert_eq!(raw.call(0, &request).topics[0].partitions[0].error_code, 0);
    let size = std::fs::metadata(process.log_file(&topic)).unwrap().len();
    let request = EndTxnRequest::default()
        .with_transactional_id(transactional_id())
        .with_producer_id(producer)
        .with_committed(true);
    assert_eq!(raw.call(0, &request).error_code, 0);
    process.kill();

    let journal = process.folder.path().join("journal");
    let lines = std::fs::read_to_string(&journal).unwrap();
    let decision = lines.lines().position(|line| line.contains("TransactionPrepared")).unwrap();
    let kept: Vec<_> = lines.split_inclusive('\n').take(decision + 1).collect();
    assert!(kept.len() < lines.lines().count(), "something follows the decision");
    std::fs::write(&journal, kept.concat()).unwrap();
    let log = OpenOptions::new().write(true).open(process.log_file(&topic)).unwrap();
    log.set_len(size).unwrap();

    (process.child, process.cluster) = run(broker(process.folder.path()));
    assert_eq!(values(&process.cluster.read(&topic, 1, "read_committed")), ["decided"]);
    assert_eq!(process.cluster.committed(&group, &topic).unwrap().0, 9);
    let mut raw = Raw::connect(&process.cluster.bootstrap);
    assert_eq!(raw.call(0, &request).error_code, 0, "the producer asks again");
}

#[test]
fn a_torn_end_is_cut() {
    let mut process = Process::start();
    let topic = process.cluster.topic("torn", 1, &[]);
    let mut raw = Raw::connect(&process.cluster.bootstrap);
    for value in ["a", "b", "c"] {
        assert_eq!(produce(&mut raw, &topic, batch(NOBODY, 0, &[value])).0, 0);
    }
    process.kill();
    let path = process.log_file(&topic);
    let whole = std::fs::read(&path).unwrap();
    // Half of the last batch; all of it with a wrong byte; then garbage behind sound batches.
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let garbage = [&whole[..whole.len() / 3 * 2], &[0; 200]].concat();
    for torn in [&whole[..whole.len() - 5], &flipped, &garbage] {
        std::fs::write(&path, torn).unwrap();
        let mut journal =
            OpenOptions::new().append(true).open(process.folder.path().join("journal")).unwrap();
        journal.write_all(b"0123abcd {\"Topic").unwrap();
        (process.child, process.cluster) = run(broker(process.folder.path()));
        assert_eq!(values(&process.cluster.read(&topic, 1, "read_committed")), ["a", "b"]);
        let mut raw = Raw::connect(&process.cluster.bootstrap);
        assert_eq!(produce(&mut raw, &topic, batch(NOBODY, 0, &["next"])), (0, 2));
        process.kill();
    }
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    // No file may grow past 64 KiB. The signal that says so is ignored, so that writes fail.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\""]);
    command.arg(env!("CARGO_BIN_EXE_faust-broker"));
    command.args(["--port", "0", "--data", folder.path().to_str().unwrap()]).stderr(Stdio::null());
    let (child, cluster) = run(command);
    let mut process = Process { folder, child, cluster };
    let topic = process.cluster.topic("full", 1, &[]);
    let mut raw = Raw::connect(&process.cluster.bootstrap);
    let large = "x".repeat(10_000);
    let mut kept = 0;
    let refused = loop {
        let (error, offset) = produce(&mut raw, &topic, batch(NOBODY, 0, &[&large]));
        if error != 0 {
            break error;
        }
        assert_eq!(offset, kept);
        kept += 1;
        assert!(kept < 100, "the disk is never full");
    };
    assert_eq!(refused, 56, "KAFKA_STORAGE_ERROR");
    // What still fits goes on at the next offset.
    assert_eq!(produce(&mut raw, &topic, batch(NOBODY, 0, &["small"])), (0, kept));
    let expected = usize::try_from(kept).unwrap() + 1;
    assert_eq!(process.cluster.read(&topic, 1, "read_committed").len(), expected);
    process.kill_and_restart();
    assert_eq!(process.cluster.read(&topic, 1, "read_committed").len(), expected);
}
