//! Offsets without a record: compaction has removed it, or it belongs to a transaction, or to one that was aborted.

use super::tables::rows;
use super::*;
use crate::App;
use crate::kafka::memory::{Connection, Process};
use crate::kafka::{Broker, Outgoing, TopicPartition};
use crate::prelude::*;
use std::time::Duration;
use tokio::time::sleep;

#[topic("numbers", key = key, partitions = 1, crate = crate)]
struct Number {
    key: String,
    n: u64,
}

#[table("seen", crate = crate)]
struct Seen {
    key: String,
    value: Vec<u64>,
}

/// Finishes them out of their order.
#[agent(concurrency = 4, crate = crate)]
async fn see(number: Event<Number>, seen: Table<Seen>) -> Result<()> {
    sleep(Duration::from_millis((number.n * 31) % 13)).await;
    seen.update(&number.key, |all| all.push(number.n)).await
}

#[app("gaps", agents(see), crate = crate)]
struct Gaps;

const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn number(world: &World, n: u64) {
    let key = KEYS[n as usize % KEYS.len()];
    let value = serde_json::json!({ "key": key, "n": n }).to_string();
    world.cluster.append("numbers", 0, Some(key.as_bytes()), Some(value.as_bytes()), None);
}

/// A record of a transaction that is aborted, and its marker: two offsets of which readers see nothing.
async fn aborted(broker: &Connection) {
    let mut txn = broker.transactional("elsewhere").await.unwrap();
    txn.begin(0).unwrap();
    let topic = broker.topic_id("numbers");
    let (key, value) = (Some(&b"a"[..]), Some(&b"{\"key\":\"a\",\"n\":999}"[..]));
    let record = Outgoing { topic, partition: 0, key, value, timestamp: None, headers: &[] };
    txn.send(&record, None).unwrap();
    txn.abort().await.unwrap();
}

/// Thirty numbers, most of them; gaps of one and of several offsets at the begin, between them and at the end.
async fn world() -> World {
    let world = World { app: Gaps::APP, ..World::new(Guarantee::ExactlyOnce, 1) };
    let broker = Connection::new(world.cluster.clone(), Process::default());
    world.cluster.create("numbers", 1);
    for n in 0..30 {
        number(&world, n);
        if n % 11 == 10 {
            aborted(&broker).await;
        }
    }
    aborted(&broker).await;
    for n in GONE {
        world.cluster.compact_away("numbers", 0, offset(n));
    }
    world
}

const GONE: [u64; 8] = [0, 1, 5, 13, 14, 15, 16, 28];

fn offset(n: u64) -> i64 {
    (n + 2 * (n / 11)) as i64
}

/// Each number once under its key, and those of a key in their order.
fn expected() -> BTreeMap<String, Vec<u64>> {
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for n in (0..30).filter(|n| !GONE.contains(n)) {
        seen.entry(KEYS[n as usize % KEYS.len()].into()).or_default().push(n);
    }
    seen
}

fn seen(member: &Member) -> BTreeMap<String, Vec<u64>> {
    let rows = rows(member).into_iter();
    rows.map(|((_, key), value)| {
        (String::from_utf8(key).unwrap(), serde_json::from_slice(&value).unwrap())
    })
    .collect()
}

/// The group's position, and the end of the log.
async fn positions(world: &World) -> (i64, i64) {
    let broker = Connection::new(world.cluster.clone(), Process::default());
    let of = vec![TopicPartition::new("numbers", 0)];
    let end = broker.offsets(of.clone(), crate::kafka::At::End).await.unwrap();
    let committed = broker.committed(of, true).await.unwrap();
    (committed[0].as_ref().unwrap().offset, end[0])
}

#[tokio::test]
async fn commits_pass_offsets_without_a_record_and_no_record_is_taken_for_one() {
    pause();
    let undisturbed = world().await;
    let mut member = undisturbed.start(0, None);
    assert!(member.run().await);
    assert_eq!(seen(&member), expected());
    let (committed, end) = positions(&undisturbed).await;
    assert_eq!((committed, end), (36, 36), "behind what was aborted");
    let (steps, _) = member.process.steps();
    assert!(steps > 15, "{steps} steps");
    for step in 1..=steps {
        let world = world().await;
        world.start(0, Some(step)).run().await;
        let mut member = world.start(0, None);
        assert!(member.run().await);
        assert_eq!(seen(&member), expected(), "after a kill at {step}");
        assert_eq!(positions(&world).await, (36, 36), "after a kill at {step}");
    }
}
