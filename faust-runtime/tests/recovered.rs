//! A hook that runs when tables have been recovered.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use faust::prelude::*;
use faust::testing::TestApp;
use std::sync::{Arc, Mutex};

#[topic("words", key = word, partitions = 4)]
struct Word {
    word: String,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, counts: Table<Count>) -> Result<()> {
    counts.update(&word.word, |n| *n += 1).await
}

/// How many rows there were at each call.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<u64>>>);

#[task]
async fn warm(counts: View<Count>, calls: State<Calls>) -> Result<()> {
    calls.0.lock().unwrap().push(counts.local().len());
    Ok(())
}

#[page("/calls")]
async fn calls(calls: State<Calls>) -> Result<String> {
    Ok(format!("{:?}", calls.0.lock().unwrap()))
}

#[app("warm", agents(count), pages(calls), on_recovered(warm))]
struct Warm;

#[tokio::test(flavor = "current_thread")]
async fn it_is_called_once_a_recovery_when_all_rows_are_there() -> Result<()> {
    let mut app = TestApp::start::<Warm>().await?;
    assert_eq!(app.get("/calls").await?.1, "[0]", "once, for all partitions");
    for word in ["a", "b", "c", "d", "e"] {
        app.send(Word { word: word.into() }).await?;
    }
    app.run_until_idle().await?;
    assert_eq!(app.get("/calls").await?.1, "[0]");
    app.restart().await?;
    assert_eq!(app.get("/calls").await?.1, "[5]", "a new worker has a state of its own");
    Ok(())
}
