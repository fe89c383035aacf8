//! Where a group begins that has never read a topic, and where it goes on when its position is gone.

use super::errors::failure;
use super::*;
use crate::kafka::memory::{Connection, Process};
use crate::kafka::{Broker, TopicPartition};
use crate::time::Timestamp;
use crate::{ChangedOffsets, StartAt};

/// A line at a time, in seconds after the start of the clock.
fn line(world: &World, text: &str, at: i64) {
    world.cluster.create("lines", 2);
    let value = serde_json::json!({ "text": text }).to_string();
    let time = Timestamp::from_millis(world.cluster.now().as_millis() + at * 1000);
    world.cluster.append("lines", 0, None, Some(value.as_bytes()), Some(time));
}

/// What is counted of `old` lines that were there before, and of one that came later.
async fn counted_from(start: impl Fn(&World) -> StartAt) -> Vec<String> {
    pause();
    let mut world = World::new(Guarantee::ExactlyOnce, 1);
    for (text, at) in [("one", 1), ("two", 2), ("three", 3)] {
        line(&world, text, at);
    }
    world.start = start(&world);
    let mut member = world.start(0, None);
    assert!(member.run().await);
    line(&world, "new", 4);
    assert!(member.run().await);
    member.rows("counts").into_keys().collect()
}

#[tokio::test]
async fn the_earliest_start_is_the_oldest_record() {
    assert_eq!(counted_from(|_| StartAt::Earliest).await, ["new", "one", "three", "two"]);
}

#[tokio::test]
async fn the_latest_start_is_what_comes_after_it() {
    // The words that the app itself sends are all processed, whichever task starts first.
    assert_eq!(counted_from(|_| StartAt::Latest).await, ["new"]);
}

#[tokio::test]
async fn a_start_at_a_time_is_the_first_record_of_that_time_or_later() {
    let second = |world: &World, n: i64| {
        StartAt::Time(Timestamp::from_millis(world.cluster.now().as_millis() + n * 1000))
    };
    assert_eq!(counted_from(|world| second(world, 2)).await, ["new", "three", "two"]);
    assert_eq!(
        counted_from(|world| second(world, 9)).await,
        ["new"],
        "the end, where there is none"
    );
}

/// A world whose lines are counted; then more came, and retention has removed some of them before they were read.
async fn with_a_gap() -> World {
    pause();
    let world = World::new(Guarantee::ExactlyOnce, 1);
    line(&world, "before", 0);
    let mut member = world.start(0, None);
    assert!(member.run().await);
    member.stop().await;
    for text in ["lost", "lost", "kept"] {
        line(&world, text, 1);
    }
    let of = TopicPartition::new("lines", 0);
    let broker = Connection::new(world.cluster.clone(), Process::default());
    let end = broker.offsets(vec![of.clone()], crate::kafka::At::End).await.unwrap();
    broker.delete_records(vec![(of, end[0] - 1)]).await.unwrap();
    world
}

#[tokio::test]
async fn records_that_were_deleted_before_they_were_read_are_not_passed_over_in_silence() {
    let world = with_a_gap().await;
    let error = failure(&mut world.start(0, None)).await;
    for part in ["lines/0", "offset 1", "--offsets accept", "--offsets reset"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn accept_goes_on_from_the_oldest_record_that_is_there() {
    let mut world = with_a_gap().await;
    world.offsets = Some(ChangedOffsets::Accept);
    let mut member = world.start(0, None);
    assert!(member.run().await);
    let words: Vec<_> = member.rows("counts").into_iter().collect();
    assert_eq!(words, [("before".into(), 1), ("kept".into(), 1)]);
    // It is settled: nothing is asked again.
    member.stop().await;
    world.offsets = None;
    assert!(world.start(0, None).run().await);
}

#[tokio::test]
async fn reset_begins_again_with_what_is_there() {
    let mut world = with_a_gap().await;
    world.offsets = Some(ChangedOffsets::Reset);
    let mut member = world.start(0, None);
    assert!(member.run().await);
    assert_eq!(member.rows("counts").get("kept"), Some(&1));
}
