//! An event costs no allocation of the engine's own: what is read is shared, the agent's loop is boxed once, rows are
//! found and changed in place. Two agents on one topic share what was read of it, so the second one's allocations are
//! those of its events alone, the broker's (in memory) left out.

// Both would be the allocator of the process.
#![cfg(not(feature = "mimalloc"))]

use allocation_counter::measure;
use faust::App;
use faust::prelude::*;
use faust::testing::TestApp;
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

#[app("once", agents(idle))]
struct Once;

#[app("add", agents(idle, add))]
struct Add;

#[app("tell", agents(idle, tell))]
struct Tell;

#[app("pass-on", agents(idle, pass_on))]
struct PassOn;

const SENSORS: u64 = 100;
const EVENTS: u64 = 10_000;

/// How often the app allocates while it processes so many events of sensors that it knows.
fn allocations<A: App>(events: u64) -> u64 {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let settings = Settings { topic_partitions: 1, ..Settings::default() };
    let app = runtime.block_on(TestApp::start_with::<A>(settings)).unwrap();
    let run = |events| {
        for n in 0..events {
            let reading = Reading { sensor: n % SENSORS, value: n };
            runtime.block_on(app.send(reading)).unwrap();
        }
        measure(|| runtime.block_on(app.run_until_idle()).unwrap()).count_total
    };
    // Once as many as will come, so that what grows has grown.
    run(2 * EVENTS);
    run(events)
}

/// What each further event costs, in allocations.
fn each<A: App>() -> f64 {
    let (half, whole) = (allocations::<A>(EVENTS), allocations::<A>(2 * EVENTS));
    (whole as f64 - half as f64) / EVENTS as f64
}

#[test]
fn an_event_that_changes_a_row_allocates_nothing() {
    let more = each::<Add>() - each::<Once>();
    assert!(more < 0.01, "{more} allocations an event");
}

#[test]
fn an_event_that_sends_the_latest_of_its_key_allocates_nothing() {
    let more = each::<Tell>() - each::<Once>();
    assert!(more < 0.01, "{more} allocations an event");
}

#[test]
fn an_event_that_sends_allocates_nothing() {
    let more = each::<PassOn>() - each::<Once>();
    assert!(more < 0.01, "{more} allocations an event");
}
