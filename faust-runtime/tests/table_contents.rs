//! How a table begins, and how it is emptied.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Deserialize, Serialize, Settings};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Clone, Serialize, Deserialize)]
enum Do {
    Put(u64),
    Clear,
    ClearAndFail,
    ClearAndPut(u64),
}

#[topic("changes", key = name, partitions = 1)]
struct Change {
    name: String,
    what: Do,
}

#[table("rates", key = name, initial = first_rates)]
#[derive(Debug, PartialEq)]
struct Rate {
    name: String,
    cents: u64,
}

static CALLS: AtomicU32 = AtomicU32::new(0);

async fn first_rates() -> Result<Vec<Rate>> {
    CALLS.fetch_add(1, Ordering::Relaxed);
    // As from somewhere else: it is waited for.
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    Ok([("EUR", 100), ("NOK", 9)].map(|(name, cents)| Rate { name: name.into(), cents }).into())
}

#[agent]
async fn change(change: Event<Change>, rates: Table<Rate>) -> Result<u64> {
    match change.what {
        Do::Put(cents) => {
            rates.update(&change.name, |rate| rate.cents = cents).await?;
            Ok(1)
        }
        Do::Clear => rates.clear().await,
        Do::ClearAndFail => {
            rates.clear().await?;
            assert!(rates.rows().await?.is_empty());
            Err("refused".into())
        }
        Do::ClearAndPut(cents) => {
            let removed = rates.clear().await?;
            rates.update(&change.name, |rate| rate.cents = cents).await?;
            Ok(removed)
        }
    }
}

#[app("exchange", agents(change))]
struct Exchange;

fn change_of(name: &str, what: Do) -> Change {
    Change { name: name.into(), what }
}

fn rates(app: &TestApp) -> BTreeMap<String, u64> {
    let rows = app.table::<Rate>().rows().unwrap().into_iter();
    rows.map(|(_, name, rate)| (name, rate.cents)).collect()
}

fn these<const N: usize>(rates: [(&str, u64); N]) -> BTreeMap<String, u64> {
    rates.map(|(name, cents)| (name.to_string(), cents)).into()
}

#[tokio::test(flavor = "current_thread")]
async fn a_table_that_was_never_used_has_its_first_rows_before_the_first_event_and_once()
-> Result<()> {
    let mut app = TestApp::start::<Exchange>().await?;
    assert_eq!(rates(&app), these([("EUR", 100), ("NOK", 9)]));
    app.send(change_of("NOK", Do::Put(10))).await?;
    app.run_until_idle().await?;
    let calls = CALLS.load(Ordering::Relaxed);
    app.restart().await?;
    assert_eq!(rates(&app), these([("EUR", 100), ("NOK", 10)]));
    assert_eq!(app.ask::<change>(change_of("", Do::Clear)).await?, 2);
    app.run_until_idle().await?;
    app.restart().await?;
    assert_eq!(rates(&app), these([]), "one that is empty was used");
    assert!(CALLS.load(Ordering::Relaxed) <= calls + 1, "the other test's");
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_clear_is_part_of_its_event() -> Result<()> {
    let mut app = TestApp::start::<Exchange>().await?;
    app.send(change_of("SEK", Do::ClearAndFail)).await?;
    app.run_until_idle().await?;
    assert_eq!((rates(&app).len(), app.dead_letters().len()), (2, 1));
    assert_eq!(app.ask::<change>(change_of("SEK", Do::ClearAndPut(8))).await?, 2);
    app.run_until_idle().await?;
    assert_eq!(rates(&app), these([("SEK", 8)]));
    app.restart().await?;
    assert_eq!(rates(&app), these([("SEK", 8)]));
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_clear_of_more_rows_than_an_event_may_stage_is_refused_and_says_so() -> Result<()> {
    let settings = Settings { stage_bytes: 64 << 10, max_retries: 0, ..Settings::default() };
    let app = TestApp::start_with::<Exchange>(settings).await?;
    for n in 0..300 {
        app.send(change_of(&format!("R{n}"), Do::Put(n))).await?;
    }
    app.send(change_of("", Do::Clear)).await?;
    app.run_until_idle().await?;
    assert_eq!(rates(&app).len(), 302, "nothing is removed");
    let letters = app.dead_letters();
    let error = letters.iter().flatten().find(|(name, _)| name == "faust-error").unwrap();
    assert!(error.1.contains("256 rows") && error.1.contains("`stage_bytes`"), "{}", error.1);
    Ok(())
}

/// Nobody needs it elsewhere: what this worker has seen.
#[table("seen", changelog = false)]
struct Seen {
    key: String,
    value: u64,
}

#[agent]
async fn see(change: Event<Change>, seen: Table<Seen>) -> Result<u64> {
    seen.update(&change.name, |n| {
        *n += 1;
        *n
    })
    .await
}

#[app("local", agents(see))]
struct Local;

#[tokio::test(flavor = "current_thread")]
async fn a_table_without_a_changelog_is_on_the_disk_and_nowhere_else() -> Result<()> {
    let mut app = TestApp::start::<Local>().await?;
    for n in 1..4 {
        assert_eq!(app.ask::<see>(change_of("a", Do::Clear)).await?, n);
    }
    app.run_until_idle().await?;
    app.restart().await?;
    assert_eq!(app.ask::<see>(change_of("a", Do::Clear)).await?, 4);
    let error = app.send_bytes("local-seen-changelog", None, None, app.now());
    assert!(error.is_err(), "there is no such topic");
    Ok(())
}
