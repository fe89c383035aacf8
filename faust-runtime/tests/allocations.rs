//! An event costs no allocation of the engine's own: what is read is shared, the agent's loop is boxed once, rows are
//! found and changed in place. Two agents on one topic share what was read of it, so the second one's allocations are
//! those of its events alone, the broker's (in memory) left out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
// Both would be the allocator of the process.
#![cfg(not(feature = "mimalloc"))]

use allocation_counter::measure;
use faust::prelude::*;
use faust::testing::TestApp;
use faust::{App, Guarantee};
use tokio::runtime::Builder;

#[topic("readings", key = sensor)]
struct Reading {
    sensor: u64,
    value: u64,
}

#[topic("totals", key = sensor)]
struct Total {
    sensor: u64,
    total: u64,
}

#[topic("words")]
struct Word<'a> {
    key: &'a str,
    value: Lazy<'a, ()>,
}

#[topic("counts")]
struct Counted<'a> {
    key: &'a str,
    value: u64,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[table("sums")]
struct Sum {
    key: u64,
    value: u64,
}

#[agent]
async fn idle(_: Event<Reading>) -> Result<()> {
    Ok(())
}

#[agent]
async fn add(reading: Event<Reading>, sums: Table<Sum>) -> Result<()> {
    sums.update(&reading.sensor, |sum| *sum += reading.value).await
}

#[agent]
async fn tell(reading: Event<Reading>, totals: Sink<Total>) -> Result<()> {
    totals.send_latest(Total { sensor: reading.sensor, total: reading.value }).await
}

#[agent]
async fn pass_on(reading: Event<Reading>, totals: Sink<Total>) -> Result<()> {
    totals.send(Total { sensor: reading.sensor, total: reading.value }).await
}

#[agent]
async fn read(_: Event<Word<'_>>) -> Result<()> {
    Ok(())
}

#[agent]
async fn count(
    word: Event<Word<'_>>,
    counts: Table<Count>,
    counted: Sink<Counted<'_>>,
) -> Result<()> {
    let value = counts.update(word.key, |n| {
        *n += 1;
        *n
    });
    counted.send_latest(Counted { key: word.key, value: value.await? }).await
}

#[app("once", agents(idle))]
struct Once;

#[app("read", agents(read))]
struct Read;

#[app("count", agents(read, count))]
struct Counting;

#[app("add", agents(idle, add))]
struct Add;

#[app("tell", agents(idle, tell))]
struct Tell;

#[app("pass-on", agents(idle, pass_on))]
struct PassOn;

const SENSORS: u64 = 100;
const EVENTS: u64 = 10_000;

/// How often the app allocates while it processes so many events of sensors that it knows.
fn allocations<A: App>(guarantee: Guarantee, events: u64) -> u64 {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let settings = Settings { guarantee, topic_partitions: 1, ..Settings::default() };
    let app = runtime.block_on(TestApp::start_with::<A>(settings)).unwrap();
    let run = |events| {
        for n in 0..events {
            let key = (n % SENSORS).to_string();
            for (topic, value) in
                [("readings", format!(r#"{{"sensor":{key},"value":{n}}}"#)), ("words", "{}".into())]
            {
                // The app has one of the topics.
                let _ =
                    app.send_bytes(topic, Some(key.as_bytes()), Some(value.as_bytes()), app.now());
            }
        }
        measure(|| runtime.block_on(app.run_until_idle()).unwrap()).count_total
    };
    // Once as many as will come, so that what grows has grown.
    run(2 * EVENTS);
    run(events)
}

/// What each further event costs, in allocations.
fn each<A: App>(guarantee: Guarantee) -> f64 {
    let half = allocations::<A>(guarantee, EVENTS);
    let whole = allocations::<A>(guarantee, 2 * EVENTS);
    (whole as f64 - half as f64) / EVENTS as f64
}

/// What an event of the second agent allocates.
fn second<A: App>(guarantee: Guarantee) -> f64 {
    each::<A>(guarantee) - each::<Once>(guarantee)
}

#[test]
fn an_event_that_changes_a_row_allocates_nothing() {
    let more = second::<Add>(Guarantee::ExactlyOnce);
    assert!(more < 0.01, "{more} allocations an event");
}

#[test]
fn an_event_whose_records_borrow_allocates_nothing() {
    let more = each::<Counting>(Guarantee::ExactlyOnce) - each::<Read>(Guarantee::ExactlyOnce);
    assert!(more < 0.01, "{more} allocations an event");
}

#[test]
fn an_event_that_sends_the_latest_of_its_key_allocates_nothing() {
    for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
        let more = second::<Tell>(guarantee);
        assert!(more < 0.01, "{guarantee:?}: {more} allocations an event");
    }
}

/// The broker in memory keeps the key and the value of each record: two.
const KEPT: f64 = 2.0;

#[test]
fn an_event_that_sends_allocates_nothing() {
    for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
        let more = second::<PassOn>(guarantee) - KEPT;
        assert!(more < 0.01, "{guarantee:?}: {more} allocations an event");
    }
}
