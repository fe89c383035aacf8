//! Stream time: what it goes by, and whom it makes late.

#![expect(clippy::unwrap_used, reason = "a test")]

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Settings, Timestamp};
use std::time::Duration;

#[topic("clicks", key = user, partitions = 1)]
struct Click {
    user: String,
    /// How long the slow ones take over it.
    takes: u64,
}

#[table("quick", window = tumbling(10s), grace = 0s)]
struct Quick {
    key: String,
    value: u64,
}

#[table("slow", window = tumbling(10s), grace = 0s)]
struct Slow {
    key: String,
    value: u64,
}

#[agent]
async fn quick(click: Event<Click>, rows: Table<Quick>) -> Result<()> {
    rows.at(&click).update(&click.user, |n| *n += 1).await
}

#[agent]
async fn slow(click: Event<Click>, rows: Table<Slow>) -> Result<()> {
    tokio::time::sleep(Duration::from_millis(click.takes)).await;
    rows.at(&click).update(&click.user, |n| *n += 1).await
}

#[app("two", agents(quick, slow))]
struct TwoAgents;

#[agent(concurrency = 4)]
async fn several(click: Event<Click>, rows: Table<Slow>) -> Result<()> {
    tokio::time::sleep(Duration::from_millis(click.takes)).await;
    rows.at(&click).update(&click.user, |n| *n += 1).await
}

#[app("several", agents(several))]
struct Several;

async fn start<A: faust::App>() -> TestApp {
    let settings = Settings { topic_partitions: 1, ..Settings::default() };
    TestApp::start_with::<A>(settings).await.unwrap()
}

async fn click(app: &TestApp, user: &str, takes: u64, second: i64) {
    let time = Timestamp::from_millis(second * 1000);
    app.send_at(Click { user: user.into(), takes }, time).await.unwrap();
}

/// Lets it run for some milliseconds, and leaves it in the middle of things.
async fn run_for(millis: u64, app: &TestApp) {
    let idle = tokio::time::timeout(Duration::from_millis(millis), app.run_until_idle()).await;
    assert!(idle.is_err(), "there was more to do");
}

/// The windows' starts in seconds, and what is in them.
fn rows<T: faust::Row<Value = u64>>(app: &TestApp) -> Vec<(i64, u64)> {
    let rows = app.table::<T>().rows().unwrap();
    rows.into_iter().map(|(start, _, n)| (start.as_millis() / 1000, n)).collect()
}

const EACH_ONCE: [(i64, u64); 4] = [(0, 1), (10, 1), (20, 1), (30, 1)];

#[tokio::test]
async fn an_agent_is_not_late_because_another_one_is_ahead_of_it_on_the_same_topic() {
    let app = start::<TwoAgents>().await;
    for second in [1, 11, 21, 31] {
        click(&app, "ada", 1_000, second).await;
    }
    app.run_until_idle().await.unwrap();
    assert_eq!(rows::<Quick>(&app), EACH_ONCE);
    assert_eq!(rows::<Slow>(&app), EACH_ONCE);
}

#[tokio::test]
async fn nor_is_it_after_a_restart() {
    let mut app = start::<TwoAgents>().await;
    for second in [1, 11, 21, 31] {
        click(&app, "ada", 1_000, second).await;
    }
    run_for(1_500, &app).await;
    assert_eq!(rows::<Quick>(&app), EACH_ONCE);
    assert_eq!(rows::<Slow>(&app), EACH_ONCE[..1]);
    app.restart().await.unwrap();
    app.run_until_idle().await.unwrap();
    assert_eq!(rows::<Slow>(&app), EACH_ONCE);
}

#[tokio::test]
async fn what_is_late_is_late_after_a_restart_for_the_agent_that_was_further() {
    let mut app = start::<TwoAgents>().await;
    click(&app, "ada", 0, 31).await;
    app.run_until_idle().await.unwrap();
    app.restart().await.unwrap();
    click(&app, "ada", 0, 1).await;
    app.run_until_idle().await.unwrap();
    assert_eq!(rows::<Quick>(&app), [(30, 1)]);
    assert_eq!(rows::<Slow>(&app), [(30, 1)]);
}

#[tokio::test]
async fn a_slow_event_is_not_late_because_faster_ones_overtake_it() {
    let app = start::<Several>().await;
    click(&app, "ada", 5_000, 1).await;
    click(&app, "bob", 0, 11).await;
    click(&app, "cyd", 0, 21).await;
    app.run_until_idle().await.unwrap();
    assert_eq!(rows::<Slow>(&app), [(0, 1), (10, 1), (20, 1)]);
    // What has overtaken counts when the slow one is done.
    click(&app, "ada", 0, 2).await;
    app.run_until_idle().await.unwrap();
    assert_eq!(rows::<Slow>(&app), [(0, 1), (10, 1), (20, 1)]);
}

#[tokio::test]
async fn what_had_overtaken_counts_after_a_restart_too() {
    let mut app = start::<Several>().await;
    click(&app, "ada", 5_000, 1).await;
    click(&app, "bob", 0, 21).await;
    run_for(1_500, &app).await;
    assert_eq!(rows::<Slow>(&app), [(20, 1)]);
    app.restart().await.unwrap();
    app.run_until_idle().await.unwrap();
    assert_eq!(rows::<Slow>(&app), [(0, 1), (20, 1)]);
    click(&app, "ada", 0, 2).await;
    app.run_until_idle().await.unwrap();
    assert_eq!(rows::<Slow>(&app), [(0, 1), (20, 1)]);
}
