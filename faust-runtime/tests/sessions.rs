//! Sessions: windows that last as long as the events of a key come.

#![expect(clippy::unwrap_used, reason = "a test")]

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Settings, Timestamp};
use std::collections::BTreeMap;

#[topic("clicks", key = user, partitions = 1)]
struct Click {
    user: String,
    n: u64,
    fail: bool,
}

/// What the events of a session were, in the order of their numbers.
#[table("visits", window = session(10s), grace = 5s, expires = 1min)]
struct Visit {
    key: String,
    value: Vec<u64>,
}

#[topic("closings", key = user)]
struct Closing {
    user: String,
    from: i64,
    to: i64,
    seen: Vec<u64>,
}

/// The session as its event sees it, before and after.
#[topic("looks", key = user)]
struct Look {
    user: String,
    late: bool,
    before: usize,
    after: usize,
}

#[agent(concurrency = 4)]
async fn visit(click: Event<Click>, visits: Table<Visit>, looks: Sink<Look>) -> Result<()> {
    let user = &click.user;
    let late = visits.is_late(&click)?;
    let before = visits.session(&click, user).await?.map_or(0, |session| session.value.len());
    let add = |seen: &mut Vec<u64>| {
        seen.push(click.n);
        seen.sort_unstable();
        seen.len()
    };
    let join = |seen: &mut Vec<u64>, mut later: Vec<u64>| seen.append(&mut later);
    let after = visits.update_session(&click, user, add, join).await?;
    let again = visits.session(&click, user).await?.map_or(0, |session| session.value.len());
    assert!(late || again == after, "an event sees what it has written");
    looks.send(Look { user: user.clone(), late, before, after }).await?;
    if click.fail { Err("told to".into()) } else { Ok(()) }
}

#[window_close(Visit)]
async fn close(row: Closed<Visit>, closings: Sink<Closing>) -> Result<()> {
    let (from, to) = (row.window.start.as_millis(), row.window.end.as_millis());
    closings.send(Closing { user: row.key, from, to, seen: row.value }).await
}

#[app("visits", agents(visit), windows(close))]
struct Visits;

async fn start() -> TestApp {
    let settings = Settings { topic_partitions: 1, max_retries: 0, ..Settings::default() };
    TestApp::start_with::<Visits>(settings).await.unwrap()
}

async fn click(app: &TestApp, user: &str, n: u64, second: i64) {
    let click = Click { user: user.into(), n, fail: false };
    app.send_at(click, Timestamp::from_millis(second * 1000)).await.unwrap();
    // One after the other: events of one key are, but those of several keys may overtake each other.
    app.run_until_idle().await.unwrap();
}

fn rows(app: &TestApp, user: &str) -> Vec<(i64, Vec<u64>)> {
    let rows = app.table::<Visit>().rows().unwrap().into_iter();
    rows.filter(|(_, key, _)| key == user)
        .map(|(from, _, seen)| (from.as_millis() / 1000, seen))
        .collect()
}

fn closings(app: &TestApp) -> Vec<(String, i64, i64, Vec<u64>)> {
    let closings = app.outputs::<Closing>().unwrap().into_iter().map(|output| output.record);
    closings.map(|Closing { user, from, to, seen }| (user, from / 1000, to, seen)).collect()
}

#[tokio::test]
async fn a_session_lasts_as_long_as_events_come_at_most_the_gap_apart() {
    let app = start().await;
    for (n, second) in [(1, 100), (2, 110), (3, 119), (4, 130), (5, 141)] {
        click(&app, "ada", n, second).await;
    }
    click(&app, "bob", 9, 141).await;
    assert_eq!(rows(&app, "bob"), [(141, vec![9])]);
    assert_eq!(rows(&app, "ada"), [(100, vec![1, 2, 3]), (130, vec![4]), (141, vec![5])]);
    assert_eq!(app.table::<Visit>().count().unwrap(), 4);
}

#[tokio::test]
async fn an_event_between_two_sessions_joins_them() {
    let app = start().await;
    for (n, second) in [(1, 100), (3, 115), (2, 107)] {
        click(&app, "ada", n, second).await;
    }
    assert_eq!(rows(&app, "ada"), [(100, vec![1, 2, 3])]);
    let looks: Vec<Look> = app.outputs().unwrap().into_iter().map(|output| output.record).collect();
    let seen: Vec<_> = looks.iter().map(|look| (look.before, look.after)).collect();
    assert_eq!(seen, [(0, 1), (0, 1), (1, 3)]);
}

#[tokio::test]
async fn of_an_event_that_fails_nothing_remains_of_the_sessions_that_it_joined() {
    let app = start().await;
    for (n, second) in [(1, 100), (3, 115)] {
        click(&app, "ada", n, second).await;
    }
    let failing = Click { user: "ada".into(), n: 2, fail: true };
    app.send_at(failing, Timestamp::from_millis(107_000)).await.unwrap();
    app.run_until_idle().await.unwrap();
    assert_eq!(rows(&app, "ada"), [(100, vec![1]), (115, vec![3])]);
    assert_eq!(app.dead_letters().len(), 1);
}

#[tokio::test]
async fn a_session_closes_once_with_its_first_and_last_event() {
    let mut app = start().await;
    for (n, second) in [(1, 100), (2, 105), (3, 113)] {
        click(&app, "ada", n, second).await;
    }
    click(&app, "bob", 4, 127).await;
    assert_eq!(closings(&app), [], "113 and the gap and the grace is 128");
    click(&app, "bob", 5, 135).await;
    assert_eq!(closings(&app), [("ada".into(), 100, 113_001, vec![1, 2, 3])]);
    app.restart().await.unwrap();
    // It would have met the one that is closed.
    click(&app, "ada", 6, 114).await;
    assert_eq!(closings(&app).len(), 1);
    let looks: Vec<Look> = app.outputs().unwrap().into_iter().map(|output| output.record).collect();
    assert!(looks.last().unwrap().late);
    click(&app, "cyd", 7, 300).await;
    let closed: Vec<_> =
        closings(&app).into_iter().map(|(user, from, _, _)| (user, from)).collect();
    assert_eq!(closed, [("ada".into(), 100), ("bob".into(), 127)]);
    assert_eq!(
        app.table::<Visit>().count().unwrap(),
        2,
        "of those before, the last one closed is kept"
    );
}

/// Any order of events that are not too late gives the sessions that all of them together have.
#[tokio::test]
async fn sessions_are_those_of_the_events_in_their_order() {
    for seed in 0..20u64 {
        let app = start().await;
        let mut random = seed;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let mut events: BTreeMap<&str, Vec<(i64, u64)>> = BTreeMap::new();
        let mut time = 1_000;
        for n in 0..60 {
            time += next(7) as i64;
            // At most 4 seconds late: less than the grace.
            let (user, at) = (["ada", "bob"][next(2) as usize], time - next(5) as i64);
            events.entry(user).or_default().push((at, n));
            click(&app, user, n, at).await;
        }
        for (user, mut events) in events {
            events.sort_unstable();
            let mut wanted: Vec<(i64, Vec<u64>)> = Vec::new();
            let mut last = i64::MIN;
            for (at, n) in events {
                match wanted.last_mut() {
                    Some((_, seen)) if at - last <= 10 => seen.push(n),
                    _ => wanted.push((at, vec![n])),
                }
                last = at;
            }
            for (_, seen) in &mut wanted {
                seen.sort_unstable();
            }
            // What has expired is gone.
            let kept = rows(&app, user);
            let wanted = &wanted[wanted.len() - kept.len()..];
            let kept: Vec<_> = kept
                .into_iter()
                .map(|(from, mut seen)| {
                    seen.sort_unstable();
                    (from, seen)
                })
                .collect();
            assert_eq!(kept, wanted, "seed {seed}, {user}");
            assert!(!kept.is_empty());
        }
    }
}
