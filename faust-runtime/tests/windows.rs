//! Windows: which rows an event changes, what is late, and what happens when a window closes.

#![expect(clippy::unwrap_used, reason = "a test")]

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Settings, Timestamp};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

#[topic("clicks", key = user, partitions = 1)]
struct Click {
    user: String,
    n: u64,
}

#[table("tumbling", window = tumbling(10s), grace = 5s, expires = 1min)]
struct Tumbling {
    key: String,
    value: u64,
}

#[table("hopping", window = hopping(10s, step = 5s), grace = 5s)]
struct Hopping {
    key: String,
    value: u64,
}

#[table("halves", window = tumbling(500ms))]
struct Half {
    key: String,
    value: u64,
}

/// What a look at the windows around an event shows.
#[topic("looks", key = user)]
struct Look {
    user: String,
    closed: bool,
    took: usize,
    here: u64,
    current: u64,
    before: u64,
    half: u64,
}

#[topic("closings", key = user)]
struct Closing {
    user: String,
    start: i64,
    end: i64,
    n: u64,
}

#[table("sums")]
struct Sum {
    key: String,
    value: u64,
}

#[agent]
async fn count(
    click: Event<Click>,
    tumbling: Table<Tumbling>,
    hopping: Table<Hopping>,
    halves: Table<Half>,
    looks: Sink<Look>,
) -> Result<()> {
    let user = &click.user;
    let here = tumbling.at(&click);
    let closed = here.is_closed()?;
    here.update(user, |n| *n += click.n).await?;
    let took = hopping.update_each(&click, user, |n| *n += click.n).await?;
    let half = halves
        .at(&click)
        .update(user, |n| {
            *n += 1;
            *n
        })
        .await?;
    looks
        .send(Look {
            user: user.clone(),
            closed,
            took,
            here: here.get(user).await?.unwrap_or_default(),
            current: tumbling.current()?.get(user).await?.unwrap_or_default(),
            before: tumbling.delta(Duration::from_secs(10))?.get(user).await?.unwrap_or_default(),
            half,
        })
        .await
}

#[window_close(Tumbling)]
async fn close(row: Closed<Tumbling>, closings: Sink<Closing>, sums: Table<Sum>) -> Result<()> {
    if row.value == 13 {
        sums.update(&row.key, |n| *n += 1_000_000).await?;
        return Err("thirteen".into());
    }
    sums.update(&row.key, |n| *n += row.value).await?;
    let (start, end) = (row.window.start.as_millis(), row.window.end.as_millis());
    closings.send(Closing { user: row.key, start, end, n: row.value }).await
}

#[window_close(Hopping, name = "close-hopping")]
async fn close_hopping(row: Closed<Hopping>, closings: Sink<Closing>) -> Result<()> {
    let (start, end) = (row.window.start.as_millis(), row.window.end.as_millis());
    closings.send(Closing { user: format!("hopping {}", row.key), start, end, n: row.value }).await
}

#[app("windows", agents(count), windows(close, close_hopping))]
struct Windows;

async fn click(app: &TestApp, user: &str, n: u64, second: f64) {
    let time = Timestamp::from_millis((second * 1000.0) as i64);
    app.send_at(Click { user: user.into(), n }, time).await.unwrap();
}

async fn start() -> TestApp {
    let settings = Settings { topic_partitions: 1, ..Settings::default() };
    TestApp::start_with::<Windows>(settings).await.unwrap()
}

fn looks(app: &TestApp) -> Vec<Look> {
    app.outputs().unwrap().into_iter().map(|output| output.record).collect()
}

/// Who, the window's start and the value, in the order in which they were sent.
fn closings(app: &TestApp) -> Vec<(String, i64, u64)> {
    let closings = app.outputs::<Closing>().unwrap().into_iter().map(|output| output.record);
    closings.map(|closing| (closing.user, closing.start / 1000, closing.n)).collect()
}

fn tumbling(app: &TestApp) -> Vec<(String, i64, u64)> {
    closings(app).into_iter().filter(|(user, _, _)| !user.starts_with("hopping")).collect()
}

fn row(user: &str, second: i64, n: u64) -> (String, i64, u64) {
    (user.to_string(), second, n)
}

#[tokio::test]
async fn an_event_changes_each_window_that_it_is_in() {
    let app = start().await;
    for second in [1.0, 4.0, 7.0, 12.0] {
        click(&app, "ada", 1, second).await;
    }
    app.run_until_idle().await.unwrap();
    let hopping = app.table::<Hopping>().rows().unwrap().into_iter();
    let hopping: BTreeMap<i64, u64> =
        hopping.map(|(start, _, n)| (start.as_millis() / 1000, n)).collect();
    assert_eq!(hopping, [(0, 3), (5, 2), (10, 1)].into());
    let took: Vec<usize> = looks(&app).iter().map(|look| look.took).collect();
    assert_eq!(took, [1, 1, 2, 2], "none of them begins before 1970");
}

#[tokio::test]
async fn windows_are_found_by_the_event_by_the_present_one_and_by_those_before() {
    let app = start().await;
    for (n, second) in [(1, 1.0), (2, 9.0), (4, 11.0), (8, 21.2), (16, 21.4), (32, 21.6)] {
        click(&app, "ada", n, second).await;
    }
    app.run_until_idle().await.unwrap();
    let seen: Vec<_> =
        looks(&app).iter().map(|look| (look.here, look.current, look.before)).collect();
    assert_eq!(seen, [(1, 1, 0), (3, 3, 0), (4, 4, 3), (8, 8, 4), (24, 24, 4), (56, 56, 4)]);
    let halves: Vec<u64> = looks(&app).iter().map(|look| look.half).collect();
    assert_eq!(halves, [1, 1, 1, 1, 2, 1], "windows may be shorter than a second");
}

#[tokio::test]
async fn an_event_after_the_grace_is_late_and_changes_nothing() {
    let app = start().await;
    for (n, second) in [(1, 1.0), (2, 14.0), (4, 9.0), (8, 15.0), (16, 9.0), (32, 12.0)] {
        click(&app, "ada", n, second).await;
    }
    app.run_until_idle().await.unwrap();
    let closed: Vec<bool> = looks(&app).iter().map(|look| look.closed).collect();
    assert_eq!(closed, [false, false, false, false, true, false]);
    let rows = app.table::<Tumbling>().rows().unwrap().into_iter();
    let rows: Vec<_> = rows.map(|(start, _, n)| (start.as_millis() / 1000, n)).collect();
    assert_eq!(rows, [(0, 5), (10, 42)]);
    let took: Vec<usize> = looks(&app).iter().map(|look| look.took).collect();
    assert_eq!(took, [1, 2, 2, 2, 1, 2], "of two windows one may still be open");
}

#[tokio::test]
async fn each_row_of_a_window_is_given_once_when_the_window_closes() {
    let app = start().await;
    click(&app, "bob", 1, 1.0).await;
    click(&app, "ada", 2, 2.0).await;
    click(&app, "ada", 4, 12.0).await;
    click(&app, "ada", 8, 14.9).await;
    app.run_until_idle().await.unwrap();
    assert_eq!(closings(&app), [], "until 15 the first window takes events");
    click(&app, "cyd", 1, 15.0).await;
    app.run_until_idle().await.unwrap();
    assert_eq!(tumbling(&app), [row("ada", 0, 2), row("bob", 0, 1)]);
    click(&app, "cyd", 1, 47.0).await;
    app.run_until_idle().await.unwrap();
    assert_eq!(tumbling(&app)[2..], [row("ada", 10, 12), row("cyd", 10, 1)]);
    let hopping: Vec<_> =
        closings(&app).into_iter().filter(|(user, _, _)| user == "hopping ada").collect();
    let row = |second, n| row("hopping ada", second, n);
    assert_eq!(hopping, [row(0, 2), row(5, 12), row(10, 12)]);
    let sums = app.table::<Sum>();
    assert_eq!(sums.get(&"ada".into()).await.unwrap(), Some(14));
    let outputs = app.outputs::<Closing>().unwrap();
    assert!(outputs.iter().all(|output| output.timestamp.as_millis() == output.record.end - 1));
}

#[tokio::test]
async fn windows_close_after_a_restart_and_none_closes_twice() {
    let mut app = start().await;
    click(&app, "ada", 1, 1.0).await;
    click(&app, "ada", 2, 11.0).await;
    click(&app, "ada", 4, 16.0).await;
    app.run_until_idle().await.unwrap();
    app.restart().await.unwrap();
    assert_eq!(tumbling(&app), [row("ada", 0, 1)]);
    click(&app, "ada", 8, 26.0).await;
    app.run_until_idle().await.unwrap();
    app.restart().await.unwrap();
    click(&app, "ada", 16, 100.0).await;
    app.run_until_idle().await.unwrap();
    assert_eq!(tumbling(&app), [row("ada", 0, 1), row("ada", 10, 6), row("ada", 20, 8)]);
    let kept: Vec<_> = app.table::<Tumbling>().rows().unwrap();
    let kept: Vec<_> =
        kept.into_iter().map(|(start, _, n)| (start.as_millis() / 1000, n)).collect();
    assert_eq!(
        kept,
        [(20, 8), (100, 16)],
        "kept for a minute behind its end, and while a closer is at it"
    );
}

#[tokio::test]
async fn more_rows_than_are_read_at_a_time_close_in_their_order() {
    let app = start().await;
    for n in 0..1_000 {
        click(&app, &format!("user {n:04}"), n, 1.0).await;
    }
    click(&app, "last", 1, 15.0).await;
    app.run_until_idle().await.unwrap();
    let closed: Vec<_> = tumbling(&app).into_iter().map(|(user, _, _)| user).collect();
    // 13 fails.
    let wanted: Vec<_> = (0..1_000).filter(|n| *n != 13).map(|n| format!("user {n:04}")).collect();
    assert_eq!(closed, wanted);
}

#[tokio::test]
async fn a_row_whose_closing_fails_goes_to_the_dead_letters_and_nothing_of_it_remains() {
    let app = start().await;
    click(&app, "ada", 13, 1.0).await;
    click(&app, "bob", 1, 2.0).await;
    click(&app, "bob", 1, 15.0).await;
    app.run_until_idle().await.unwrap();
    assert_eq!(tumbling(&app), [row("bob", 0, 1)]);
    assert_eq!(app.table::<Sum>().get(&"ada".into()).await.unwrap(), None);
    let letters = app.dead_letters();
    assert_eq!(letters.len(), 1);
    let header = |name: &str| letters[0].iter().find(|(known, _)| known == name).unwrap().1.clone();
    assert_eq!(header("faust-error"), "thirteen");
    assert_eq!(header("faust-table"), "tumbling");
    assert_eq!(header("faust-window"), "1970-01-01T00:00:00Z/1970-01-01T00:00:10Z");
    assert_eq!(header("faust-attempts"), "4");
}

static SEEN: Mutex<Vec<(i64, u64)>> = Mutex::new(Vec::new());

#[table("slow", window = tumbling(10s), grace = 0s)]
struct Slow {
    key: String,
    value: u64,
}

#[agent(concurrency = 4)]
async fn slow(click: Event<Click>, rows: Table<Slow>) -> Result<()> {
    rows.at(&click).update(&click.user, |n| *n += click.n).await?;
    tokio::time::sleep(Duration::from_millis(click.n)).await;
    Ok(())
}

#[window_close(Slow)]
async fn seen(row: Closed<Slow>) -> Result<()> {
    SEEN.lock().unwrap().push((row.window.start.as_millis(), row.value));
    Ok(())
}

#[app("slow", agents(slow), windows(seen))]
struct SlowApp;

#[tokio::test]
async fn a_window_waits_for_the_events_that_have_written_to_it() {
    let app = TestApp::start::<SlowApp>().await.unwrap();
    click(&app, "ada", 1, 0.0).await;
    app.run_until_idle().await.unwrap();
    // This takes a second, in which the next one closes its window.
    click(&app, "ada", 1_000, 1.0).await;
    click(&app, "bob", 1, 10.0).await;
    app.run_until_idle().await.unwrap();
    assert_eq!(*SEEN.lock().unwrap(), [(0, 1_001)]);
}
