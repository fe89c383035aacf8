//! Sliding windows, against a plain computation of what they are.

#![expect(clippy::unwrap_used, reason = "a test")]

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Settings, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

const SIZE: i64 = 10;

#[topic("clicks", key = user, partitions = 1)]
struct Click {
    user: String,
    n: u64,
}

#[table("recent", window = sliding(10ms))]
struct Recent {
    key: String,
    value: Vec<u64>,
}

#[table("closing", window = sliding(10ms), grace = 5ms, expires = 5ms)]
struct Closing {
    key: String,
    value: Vec<u64>,
}

#[topic("closed", key = user)]
struct Sent {
    user: String,
    start: i64,
    seen: Vec<u64>,
}

#[agent]
async fn count(click: Event<Click>, recent: Table<Recent>, closing: Table<Closing>) -> Result<()> {
    let add = |seen: &mut Vec<u64>| seen.push(click.n);
    let changed = recent.update_each(&click, &click.user, add).await?;
    assert!(changed > 0);
    closing.update_each(&click, &click.user, add).await?;
    Ok(())
}

#[window_close(Closing)]
async fn close(row: Closed<Closing>, closed: Sink<Sent>) -> Result<()> {
    let start = row.window.start.as_millis();
    assert_eq!(row.window.end.as_millis(), start + SIZE);
    closed.send(Sent { user: row.key, start, seen: row.value }).await
}

#[app("sliding", agents(count), windows(close))]
struct Slides;

async fn start() -> TestApp {
    let settings = Settings { topic_partitions: 1, ..Settings::default() };
    TestApp::start_with::<Slides>(settings).await.unwrap()
}

async fn click(app: &TestApp, user: &str, n: u64, time: i64) {
    app.send_at(Click { user: user.into(), n }, Timestamp::from_millis(time)).await.unwrap();
}

type Windows = BTreeMap<i64, Vec<u64>>;

fn sorted(mut seen: Vec<u64>) -> Vec<u64> {
    seen.sort_unstable();
    seen
}

fn windows(app: &TestApp, user: &str) -> Windows {
    let rows = app.table::<Recent>().rows().unwrap().into_iter();
    rows.filter(|(_, key, _)| key == user)
        .map(|(start, _, seen)| (start.as_millis(), sorted(seen)))
        .collect()
}

/// One that ends with each event, one that begins behind it where that has events.
fn wanted(events: &[(i64, u64)]) -> Windows {
    let starts: BTreeSet<i64> =
        events.iter().flat_map(|(time, _)| [time - SIZE + 1, time + 1]).collect();
    let content = |start: i64| -> Vec<u64> {
        let of = events.iter().filter(|(time, _)| (start..start + SIZE).contains(time));
        sorted(of.map(|(_, n)| *n).collect())
    };
    let windows = starts.into_iter().map(|start| (start, content(start)));
    windows.filter(|(_, seen)| !seen.is_empty()).collect()
}

struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

#[tokio::test]
async fn whatever_the_order_of_events_the_windows_are_those_of_all_events() {
    for seed in 0..60 {
        let app = start().await;
        let mut random = Random(seed);
        let mut events: BTreeMap<&str, Vec<(i64, u64)>> = BTreeMap::new();
        let spread = [15, 40, 120][seed as usize % 3];
        for n in 0..25 {
            let user = ["ada", "bob"][random.below(2) as usize];
            let time = 1_000 + random.below(spread) as i64;
            events.entry(user).or_default().push((time, n));
            click(&app, user, n, time).await;
        }
        app.run_until_idle().await.unwrap();
        for (user, events) in events {
            assert_eq!(windows(&app, user), wanted(&events), "seed {seed}, {user}: {events:?}");
        }
    }
}

#[tokio::test]
async fn windows_of_the_first_moments_are_windows_too() {
    let app = start().await;
    for (n, time) in [(1, 0), (2, 3), (3, 15)] {
        click(&app, "ada", n, time).await;
    }
    app.run_until_idle().await.unwrap();
    assert_eq!(windows(&app, "ada"), wanted(&[(0, 1), (3, 2), (15, 3)]));
}

#[tokio::test]
async fn sliding_windows_close_once_with_what_was_not_too_late() {
    for seed in 0..20 {
        let mut app = start().await;
        let mut random = Random(seed);
        let (mut time, mut events) = (1_000, Vec::new());
        for n in 0..40 {
            time += random.below(12) as i64;
            // Less late than the grace.
            let at = time - random.below(5) as i64;
            events.push((at, n));
            click(&app, "ada", n, at).await;
            if n % 13 == 0 {
                app.restart().await.unwrap();
            }
        }
        click(&app, "bob", 0, time + 1_000).await;
        app.run_until_idle().await.unwrap();
        let sent = app.outputs::<Sent>().unwrap().into_iter().map(|output| output.record);
        let mut closed = Windows::new();
        for Sent { user, start, seen } in sent {
            assert_eq!(user, "ada");
            assert!(closed.insert(start, sorted(seen)).is_none(), "closed twice");
        }
        assert_eq!(closed, wanted(&events), "seed {seed}");
        assert!(app.table::<Closing>().rows().unwrap().len() < 10, "what has expired is gone");
    }
}
