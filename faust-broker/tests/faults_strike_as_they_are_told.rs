//! Faults on purpose: what a client sees of them, and that nothing else changes.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::fmt::Debug;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::raw::{NOBODY, Raw, batch, fetch_request, produce, produce_request, text};
use common::{Cluster, eventually, unique, values};
use faust_broker::{Broker, Config};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Request;
use rdkafka::producer::Producer;

fn broker() -> (Broker, Cluster) {
    let broker = Broker::start(Config::default()).unwrap();
    let cluster = Cluster::at(&broker.bootstrap_servers());
    (broker, cluster)
}

fn arm(broker: &Broker, fault: &str) {
    broker.faults().add(fault.parse().unwrap());
}

/// A request is refused with the code at every version from `first` to `last`, in an answer that is sound.
fn refused<Q: Request + Debug>(broker: &Broker, first: i16, last: i16, request: impl Fn(i16) -> Q)
where
    Q::Response: Debug,
{
    let mut raw = Raw::connect(&broker.bootstrap_servers());
    for version in first..=last {
        let answer = format!("{:?}", raw.call(version, &request(version)));
        assert!(answer.contains("error_code: 15"), "API {} version {version}: {answer}", Q::KEY);
    }
}

#[test]
fn every_request_that_can_be_refused_is_refused_at_every_version() {
    let (broker, _) = broker();
    for api in [
        "Produce",
        "Fetch",
        "ListOffsets",
        "OffsetCommit",
        "OffsetFetch",
        "FindCoordinator",
        "JoinGroup",
        "Heartbeat",
        "LeaveGroup",
        "SyncGroup",
        "InitProducerId",
        "AddPartitionsToTxn",
        "AddOffsetsToTxn",
        "EndTxn",
        "TxnOffsetCommit",
    ] {
        arm(&broker, &format!("{api} error=15"));
    }
    let records = batch(NOBODY, 0, &["a"]);
    refused(&broker, 3, 9, |_| produce_request("t", records.clone()));
    refused(&broker, 4, 12, |_| fetch_request("t", 0, 0));
    refused(&broker, 1, 7, |_| {
        let partition = list_offsets_request::ListOffsetsPartition::default();
        let topic = list_offsets_request::ListOffsetsTopic::default();
        ListOffsetsRequest::default().with_topics(vec![topic.with_partitions(vec![partition])])
    });
    refused(&broker, 2, 8, |_| {
        let partition = offset_commit_request::OffsetCommitRequestPartition::default();
        let topic = offset_commit_request::OffsetCommitRequestTopic::default();
        OffsetCommitRequest::default().with_topics(vec![topic.with_partitions(vec![partition])])
    });
    refused(&broker, 1, 8, |version| {
        let topic = offset_fetch_request::OffsetFetchRequestTopic::default();
        let topics = Some(vec![topic.with_partition_indexes(vec![0])]);
        let group = offset_fetch_request::OffsetFetchRequestGroup::default();
        match version {
            8.. => OffsetFetchRequest::default().with_groups(vec![group]),
            _ => OffsetFetchRequest::default().with_topics(topics),
        }
    });
    refused(&broker, 0, 4, |version| {
        let keys = if version >= 4 { vec![text("k")] } else { Vec::new() };
        FindCoordinatorRequest::default().with_coordinator_keys(keys)
    });
    refused(&broker, 0, 7, |_| JoinGroupRequest::default());
    refused(&broker, 0, 4, |_| HeartbeatRequest::default());
    refused(&broker, 0, 5, |_| LeaveGroupRequest::default());
    refused(&broker, 0, 5, |_| SyncGroupRequest::default());
    refused(&broker, 0, 4, |_| InitProducerIdRequest::default().with_transactional_id(None));
    refused(&broker, 0, 3, |_| {
        let topic = add_partitions_to_txn_request::AddPartitionsToTxnTopic::default();
        let topics = vec![topic.with_partitions(vec![0])];
        AddPartitionsToTxnRequest::default().with_v3_and_below_topics(topics)
    });
    refused(&broker, 0, 3, |_| AddOffsetsToTxnRequest::default());
    refused(&broker, 0, 3, |_| EndTxnRequest::default());
    refused(&broker, 0, 3, |_| {
        let partition = txn_offset_commit_request::TxnOffsetCommitRequestPartition::default();
        let topic = txn_offset_commit_request::TxnOffsetCommitRequestTopic::default();
        TxnOffsetCommitRequest::default().with_topics(vec![topic.with_partitions(vec![partition])])
    });
    assert!(broker.faults().strikes() > 60);
}

#[test]
fn a_request_is_dropped_or_carried_out_unanswered_or_late() {
    let (broker, cluster) = broker();
    let topic = cluster.topic("struck", 1, &[]);
    let request = produce_request(&topic, batch(NOBODY, 0, &["lost"]));
    arm(&broker, "Produce drop nth=1");
    let mut raw = Raw::connect(&cluster.bootstrap);
    raw.send(7, &request);
    assert!(raw.frame().is_none(), "the connection is closed");

    arm(&broker, "Produce lose-answer nth=1");
    let mut raw = Raw::connect(&cluster.bootstrap);
    raw.send(7, &produce_request(&topic, batch(NOBODY, 0, &["kept"])));
    assert!(raw.frame().is_none(), "the connection is closed");

    arm(&broker, "Produce delay=300ms nth=1");
    let begun = Instant::now();
    let mut raw = Raw::connect(&cluster.bootstrap);
    assert_eq!(produce(&mut raw, &topic, batch(NOBODY, 0, &["late"])).0, 0);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(values(&cluster.read(&topic, 1, "read_committed")), ["kept", "late"]);
    assert_eq!(broker.faults().strikes(), 3);
}

#[test]
fn a_silent_connection_stays_open_and_the_others_answer() {
    let (broker, cluster) = broker();
    arm(&broker, "Heartbeat silence nth=1");
    let mut silent = Raw::connect(&cluster.bootstrap);
    silent.send(0, &HeartbeatRequest::default());
    silent.send(0, &ApiVersionsRequest::default());
    eventually("it is struck", || broker.faults().strikes() == 1);
    let mut other = Raw::connect(&cluster.bootstrap);
    assert_ne!(other.call(0, &HeartbeatRequest::default()).error_code, 15);
    silent.timeout(Duration::from_millis(300));
    let waited = Instant::now();
    assert!(silent.frame().is_none());
    assert!(waited.elapsed() >= Duration::from_millis(300), "it is silent, not closed");
}

/// A broker process that takes faults from its standard input.
fn process(folder: &Path) -> (Child, Cluster) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faust-broker"));
    command.args(["--faults", "--port", "0", "--data", folder.to_str().unwrap()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let cluster = Cluster::at(line.trim().rsplit(' ').next().unwrap());
    (child, cluster)
}

#[test]
fn a_broker_that_dies_in_the_middle_of_a_commit_finishes_it_at_its_next_start() {
    for moment in ["prepared", "between-markers", "marked"] {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, cluster) = process(folder.path());
        let topic = cluster.topic("half", 2, &[]);
        let producer = cluster.transactional(&unique("id"));
        let mut told = child.stdin.take().unwrap();
        writeln!(told, "die at={moment} nth=2").unwrap();
        // The line is read by another thread: it may miss some transactions, which are whole then.
        let mut rounds = 0;
        while child.try_wait().unwrap().is_none() {
            producer.begin();
            producer.send(&topic, 0, "left");
            producer.send(&topic, 1, "right");
            rounds += 1;
            producer.settle();
            if producer.producer.commit_transaction(Duration::from_secs(1)).is_err() {
                eventually("it is dead", || child.try_wait().unwrap().is_some());
            }
        }
        assert!(!child.wait().unwrap().success(), "{moment}: it aborts");
        let (mut child, cluster) = process(folder.path());
        let seen = cluster.read(&topic, 2, "read_committed");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(
            seen.len(),
            2 * rounds,
            "{moment}: what was decided is done, in both partitions"
        );
    }
}
