//! What comes back onto an empty disk: all of it from the changelogs, and each row as it was.

use super::tables::{Rows, of, rows};
use super::*;
use crate::App;
use crate::prelude::*;
use crate::time::Timestamp;

#[topic("facts", key = name, partitions = 1, crate = crate)]
struct Fact {
    name: String,
    n: u64,
}

#[table("numbers", crate = crate)]
struct Number {
    key: String,
    value: u64,
}

#[table("texts", crate = crate)]
struct Text {
    key: String,
    value: String,
}

#[table("flags", crate = crate)]
struct Flag {
    key: String,
    value: bool,
}

#[table("lists", crate = crate)]
struct List {
    key: String,
    value: Vec<u64>,
}

/// As `numbers`, and with other values.
#[table("sums", crate = crate)]
struct Sum {
    key: String,
    value: u64,
}

#[table("pairs", key = (name, n), partition_by = name, crate = crate)]
struct Pair {
    name: String,
    n: u64,
    times: u64,
}

/// Numbers stay zero, texts empty, flags false; lists begin empty and are changed in place.
#[agent(crate = crate)]
async fn keep(
    fact: Event<Fact>,
    numbers: Table<Number>,
    texts: Table<Text>,
    flags: Table<Flag>,
    lists: Table<List>,
    sums: Table<Sum>,
    pairs: Table<Pair>,
) -> Result<()> {
    numbers.insert(&fact.name, 0).await?;
    texts.insert(&fact.name, String::new()).await?;
    flags.insert(&fact.name, false).await?;
    lists.update(&fact.name, |list| list.extend((fact.n > 0).then_some(fact.n))).await?;
    sums.update(&fact.name, |sum| *sum += fact.n).await?;
    pairs.update(&(fact.name.clone(), fact.n), |pair| pair.times += 1).await
}

#[app("facts", agents(keep), crate = crate)]
struct Facts;

const NAMES: [&str; 4] = ["a", "ab", "b\"", ""];

fn fact(world: &World, name: &str, n: u64, second: i64) {
    let value = serde_json::json!({ "name": name, "n": n }).to_string();
    let (key, value) = (Some(name.as_bytes()), Some(value.as_bytes()));
    let time = Timestamp::from_millis(second * 1000);
    world.cluster.append("facts", 0, key, value, Some(time));
}

fn world(app: crate::AppDef, workers: usize) -> World {
    let world = World { app, ..World::new(Guarantee::ExactlyOnce, workers) };
    world.cluster.create("facts", 1);
    world
}

/// What a worker has when everything is processed; then it stops.
async fn run(world: &World, worker: usize) -> Rows {
    let mut member = world.start(worker, None);
    assert!(member.run().await);
    let rows = rows(&member);
    member.stop().await;
    rows
}

fn value(rows: &Rows, table: &str, key: &str) -> serde_json::Value {
    serde_json::from_slice(&rows[&(table.to_string(), key.as_bytes().to_vec())]).unwrap()
}

/// Every name once with 0 and once with its own number, by a worker whose disk is gone then; and what the next one has.
async fn with_facts() -> (World, Rows, Rows) {
    pause();
    let world = world(Facts::APP, 3);
    for (n, name) in (1..).zip(NAMES) {
        fact(&world, name, 0, 0);
        fact(&world, name, n, 1);
    }
    let (before, after) = (run(&world, 0).await, run(&world, 1).await);
    (world, before, after)
}

#[tokio::test]
async fn a_value_that_looks_like_nothing_is_a_row_after_a_recovery() {
    let (_, before, after) = with_facts().await;
    for table in ["numbers", "texts", "flags"] {
        assert_eq!(of(&after, table), NAMES.len(), "{table}");
    }
    assert_eq!(value(&after, "numbers", "a"), 0);
    assert_eq!(value(&after, "texts", ""), "");
    assert_eq!(value(&after, "flags", "ab"), false);
    assert_eq!(after, before);
}

#[tokio::test]
async fn tables_of_the_same_keys_are_restored_each_from_its_own_changelog() {
    pause();
    let world = world(Facts::APP, 2);
    for (n, name) in (1..).zip(NAMES) {
        fact(&world, name, n, 0);
    }
    let before = run(&world, 0).await;
    // What is left of a table that the app does not have any more, and of another app.
    for stranger in ["facts-gone-changelog", "other-sums-changelog"] {
        world.cluster.create(stranger, 1);
        for name in NAMES {
            let (key, value) = (Some(name.as_bytes()), Some(&b"99"[..]));
            world.cluster.append(stranger, 0, key, value, None);
        }
    }
    let after = run(&world, 1).await;
    for (n, name) in (1..).zip(NAMES) {
        assert_eq!(value(&after, "numbers", name), 0);
        assert_eq!(value(&after, "sums", name), n, "{name}");
    }
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_value_that_is_changed_in_place_is_in_the_changelog() {
    let (world, before, after) = with_facts().await;
    assert_eq!(value(&before, "lists", "ab"), serde_json::json!([2]));
    assert_eq!(after, before);
    fact(&world, "ab", 7, 2);
    run(&world, 1).await;
    let after = run(&world, 2).await;
    assert_eq!(value(&after, "lists", "ab"), serde_json::json!([2, 7]), "on a third disk");
    assert_eq!(value(&after, "lists", "a"), serde_json::json!([1]));
}

#[tokio::test]
async fn a_composite_key_finds_its_row_after_a_recovery() {
    let (world, before, _) = with_facts().await;
    for (n, name) in (1..).zip(NAMES) {
        fact(&world, name, n, 2);
    }
    let after = run(&world, 1).await;
    assert_eq!(of(&after, "pairs"), of(&before, "pairs"), "no row is there twice");
    let times =
        |rows: &Rows, n: u64| value(rows, "pairs", &format!("[\"ab\",{n}]"))["times"].clone();
    assert_eq!((times(&after, 0), times(&after, 2)), (1.into(), 2.into()));
}

#[table("minutes", window = tumbling(1min), grace = 10s, expires = 5min, crate = crate)]
struct Minute {
    key: String,
    value: u64,
}

#[topic("closings", key = word, partitions = 1, crate = crate)]
struct Over {
    word: String,
    start: i64,
    n: u64,
}

#[agent(crate = crate)]
async fn count(fact: Event<Fact>, minutes: Table<Minute>) -> Result<()> {
    minutes.at(&fact).update(&fact.name, |n| *n += fact.n).await
}

#[window_close(Minute, crate = crate)]
async fn over(row: Closed<Minute>, closings: Sink<Over>) -> Result<()> {
    let start = row.window.start.as_millis();
    closings.send(Over { word: row.key, start, n: row.value }).await
}

#[app("minutes", agents(count), windows(over), crate = crate)]
struct Minutes;

fn closings(world: &World) -> Vec<(String, i64, u64)> {
    let seen = world.cluster.records("closings").into_iter();
    let closings = seen.map(|seen| serde_json::from_slice(&seen.value.unwrap()).unwrap());
    closings.map(|Over { word, start, n }| (word, start / 1000, n)).collect()
}

/// Windows by their starts in seconds.
fn windows(rows: &Rows) -> Vec<(i64, u64)> {
    let start = |key: &[u8]| i64::from_be_bytes(*key.first_chunk::<8>().unwrap()) / 1000;
    let n = |value: &[u8]| serde_json::from_slice(value).unwrap();
    rows.iter().map(|((_, key), value)| (start(key), n(value))).collect()
}

#[tokio::test]
async fn windows_that_were_restored_close_with_their_values_and_expire() {
    pause();
    let world = world(Minutes::APP, 4);
    for (n, second) in [(1, 0), (2, 30), (4, 65)] {
        fact(&world, "a", n, second);
    }
    assert_eq!(windows(&run(&world, 0).await), [(0, 3), (60, 4)]);
    assert_eq!(closings(&world), [], "both may still get events");
    // Each of these has an empty disk.
    fact(&world, "b", 8, 125);
    assert_eq!(windows(&run(&world, 1).await), [(0, 3), (60, 4), (120, 8)]);
    assert_eq!(closings(&world), [("a".into(), 0, 3)]);
    fact(&world, "c", 16, 1000);
    let left = run(&world, 2).await;
    assert_eq!(closings(&world)[1..], [("a".into(), 60, 4), ("b".into(), 120, 8)]);
    // Five minutes behind their ends, but for the one where the closer is.
    assert_eq!(windows(&left), [(120, 8), (960, 16)]);
    assert_eq!(run(&world, 3).await, left, "what has expired does not come back");
    assert_eq!(closings(&world).len(), 3, "and closes once");
}
