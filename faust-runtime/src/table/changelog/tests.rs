//! What recovery makes of stores and changelogs, on a broker in memory.

use super::*;
use crate::kafka::memory::{Cluster, Connection, Process};
use crate::kafka::{Broker, Offset, Outgoing, TopicPartition, Transactional};
use crate::table::store::memory::{Disk, MemoryStores};
use crate::table::store::{Mark, Store, StoreBatch, StoreError, Stores};
use futures::future::join;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const OWNER: &str = "app changelog";

/// A changelog of one partition, and a disk.
struct World {
    cluster: Cluster,
    disk: Disk,
}

impl World {
    fn new() -> Self {
        let cluster = Cluster::new();
        cluster.create("changelog", 1);
        Self { cluster, disk: Disk::default() }
    }

    fn log(&self, records: &[(&str, Option<&str>)]) {
        for (key, value) in records {
            let value = value.map(str::as_bytes);
            self.cluster.append("changelog", 0, Some(key.as_bytes()), value, None);
        }
    }

    fn broker(&self) -> Connection {
        Connection::new(self.cluster.clone(), Process::default())
    }

    /// A store as an earlier run has left it.
    fn store(&self, rows: &[(&str, &str)], mark: Mark) {
        let store = MemoryStores::new(self.disk.clone()).open("t", 0).unwrap();
        let rows = rows.iter().map(|(k, v)| (k.as_bytes(), Some(v.as_bytes()))).collect();
        store.write(&StoreBatch { rows, ..StoreBatch::default() }, &mark).unwrap();
    }

    async fn recover_into(&self, stores: &dyn Stores) -> Result<Recovered, RecoveryError> {
        let of = TopicPartition::new("changelog", 0);
        recover(&self.broker(), stores, OWNER, "t", &of, &Pace::new(None), &|_, _, _| {}).await
    }

    async fn recover(&self) -> Recovered {
        self.recover_into(&MemoryStores::new(self.disk.clone())).await.unwrap()
    }
}

fn rows(store: &dyn Store) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    store
        .scan(b"", &mut |key, value| {
            rows.push((text(key), text(value)));
            true
        })
        .unwrap();
    rows
}

fn mark(world: &World, changelog: Offset) -> Mark {
    let at = world.cluster.now().as_millis();
    Mark { owner: OWNER.into(), changelog, at, ..Mark::default() }
}

#[tokio::test]
async fn the_newest_value_of_each_key_is_what_is_restored() {
    let world = World::new();
    for n in 0..50 {
        let (n, key) = (n.to_string(), format!("{}", n % 7));
        world.log(&[(&key, Some(&n)), ("gone", Some(&n)), ("gone", None)]);
    }
    let recovered = world.recover().await;
    let expected =
        (0..7).map(|key| (key.to_string(), (if key == 0 { 49 } else { 42 + key }).to_string()));
    assert_eq!(rows(&*recovered.store), expected.collect::<Vec<_>>());
    assert_eq!((recovered.replayed, recovered.store.len()), (150, 7));
    assert_eq!(recovered.mark.changelog, 150);
}

#[tokio::test]
async fn a_store_that_is_behind_gets_only_what_it_lacks() {
    let world = World::new();
    world.log(&[("a", Some("1")), ("b", Some("1"))]);
    world.store(&[("a", "1"), ("b", "1")], mark(&world, 2));
    world.log(&[("b", None), ("c", Some("2"))]);
    let recovered = world.recover().await;
    assert_eq!(rows(&*recovered.store), [("a".into(), "1".into()), ("c".into(), "2".into())]);
    assert_eq!((recovered.replayed, recovered.store.len()), (2, 2));
}

/// Stores that are damaged until they are set aside.
struct Unreadable(MemoryStores, AtomicBool);

impl Stores for Unreadable {
    fn open(&self, table: &str, partition: u32) -> Result<Arc<dyn Store>, StoreError> {
        match self.1.load(Ordering::Relaxed) {
            true => self.0.open(table, partition),
            false => Err(StoreError::Damaged { path: "stores".into(), cause: "torn".into() }),
        }
    }

    fn set_aside(&self, table: &str, partition: u32) -> Result<(), StoreError> {
        self.1.store(true, Ordering::Relaxed);
        self.0.set_aside(table, partition)
    }

    fn partitions(&self, table: &str) -> BTreeSet<u32> {
        self.0.partitions(table)
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_rebuilt_from_the_start_of_its_changelog() {
    let world = World::new();
    world.log(&[("a", Some("1"))]);
    let stores = Unreadable(MemoryStores::new(world.disk.clone()), AtomicBool::new(false));
    let recovered = world.recover_into(&stores).await.unwrap();
    assert_eq!(rows(&*recovered.store), [("a".into(), "1".into())]);
}

#[tokio::test]
async fn rows_that_were_deleted_from_the_changelog_do_not_come_back_from_an_old_store() {
    let world = World::new();
    world.log(&[("a", Some("1")), ("a", Some("2"))]);
    world.store(&[("a", "2")], mark(&world, 2));
    let of = TopicPartition::new("changelog", 0);
    world.broker().delete_records(vec![(of, 2)]).await.unwrap();
    world.log(&[("b", Some("1"))]);
    assert_eq!(rows(&*world.recover().await.store), [("b".into(), "1".into())]);
}

#[tokio::test]
async fn a_store_that_does_not_fit_its_changelog_is_rebuilt() {
    let log = [("a", Some("1")), ("b", Some("2")), ("c", Some("3"))];
    for (what, mark_of) in [
        (
            "another app's",
            (|world| Mark { owner: "other".into(), ..mark(world, 2) }) as fn(&World) -> Mark,
        ),
        ("behind the start", |world| mark(world, 1)),
        ("beyond the end", |world| mark(world, 9)),
    ] {
        let world = World::new();
        world.log(&log);
        let of = TopicPartition::new("changelog", 0);
        world.broker().delete_records(vec![(of, 2)]).await.unwrap();
        world.store(&[("stale", "0")], mark_of(&world));
        let recovered = world.recover().await;
        assert_eq!(rows(&*recovered.store), [("c".into(), "3".into())], "{what}");
        assert_eq!(recovered.mark.owner, OWNER);
    }
}

/// A changelog that keeps removals for an hour, and a store that has seen a row which was removed since; compaction has
/// removed the removal too.
async fn after(minutes: i64) -> Vec<(String, String)> {
    let world = World::new();
    world.cluster.set("changelog", "delete.retention.ms", "3600000");
    let at = world.cluster.now().as_millis() - minutes * 60_000;
    world.log(&[("b", Some("1"))]);
    world.store(&[("a", "1"), ("b", "1")], Mark { at, ..mark(&world, 1) });
    world.log(&[("c", Some("2"))]);
    rows(&*world.recover().await.store)
}

#[tokio::test]
async fn a_store_that_is_older_than_removals_are_kept_is_rebuilt() {
    let (a, b, c) = (("a", "1"), ("b", "1"), ("c", "2"));
    let owned = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
        rows.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    };
    assert_eq!(after(59).await, owned(&[a, b, c]), "the removal would be there");
    assert_eq!(after(61).await, owned(&[b, c]));
}

#[tokio::test]
async fn a_store_that_lacks_nothing_may_be_as_old_as_it_likes() {
    let world = World::new();
    world.log(&[("a", Some("1"))]);
    world.store(&[("a", "1")], Mark { at: 0, ..mark(&world, 1) });
    let recovered = world.recover().await;
    assert_eq!((rows(&*recovered.store).len(), recovered.replayed), (1, 0));
}

#[tokio::test]
async fn a_store_whose_changelog_was_made_anew_is_rebuilt_although_its_offset_is_there() {
    let world = World::new();
    world.log(&[("a", Some("1"))]);
    world.recover().await;
    world.cluster.make_anew("changelog");
    world.log(&[("b", Some("1")), ("c", Some("1"))]);
    let rows = rows(&*world.recover().await.store);
    assert_eq!(rows, [("b".into(), "1".into()), ("c".into(), "1".into())]);
}

/// A transaction on the changelog that is open.
async fn open_transaction(world: &World, key: &str) -> Box<dyn Transactional> {
    let broker = world.broker();
    let mut txn = broker.transactional("somebody").await.unwrap();
    txn.begin(0).unwrap();
    let (topic, key) = (broker.topic_id("changelog"), Some(key.as_bytes()));
    let value = Some(&b"never"[..]);
    let record = Outgoing { topic, partition: 0, key, value, timestamp: None, headers: &[] };
    txn.send(&record, None).unwrap();
    txn
}

#[tokio::test(start_paused = true)]
async fn a_changelog_that_ends_with_what_was_aborted_is_read_to_its_end() {
    let world = World::new();
    world.log(&[("a", Some("1"))]);
    open_transaction(&world, "b").await.abort().await.unwrap();
    let recovered = timeout(Duration::from_secs(5), world.recover()).await.unwrap();
    assert_eq!(rows(&*recovered.store), [("a".into(), "1".into())]);
    assert_eq!(recovered.mark.changelog, 3, "behind the record and its marker");
}

#[tokio::test(start_paused = true)]
async fn a_recovery_waits_for_a_transaction_that_is_open_and_for_no_record_of_it() {
    let world = World::new();
    world.log(&[("a", Some("1"))]);
    let mut open = open_transaction(&world, "b").await;
    world.log(&[("c", Some("1"))]);
    let early = timeout(Duration::from_secs(5), world.recover()).await;
    assert!(early.is_err(), "it may be committed still");
    let abort = async {
        sleep(Duration::from_secs(1)).await;
        open.abort().await.unwrap();
    };
    let (recovered, ()) = join(timeout(Duration::from_secs(5), world.recover()), abort).await;
    let recovered = rows(&*recovered.unwrap().store);
    assert_eq!(recovered, [("a".into(), "1".into()), ("c".into(), "1".into())]);
}
