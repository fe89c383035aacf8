//! What is larger than a record may be fails its event, not the worker.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use faust::prelude::*;
use faust::testing::TestApp;
use futures::StreamExt;

/// Kafka's own limit, as librdkafka has it by default.
const LIMIT: usize = 1_000_000;

#[topic("texts", key = key)]
struct Text {
    key: String,
    size: usize,
}

#[topic("copies", key = key)]
struct Copy {
    key: String,
    text: String,
}

#[table("rows")]
struct Stored {
    key: String,
    value: String,
}

#[agent]
async fn store(text: Event<Text>, rows: Table<Stored>) -> Result<()> {
    rows.update(&text.key, |row| row.push_str(&"x".repeat(text.size))).await
}

#[agent]
async fn copy(text: Event<Text>, copies: Sink<Copy>) -> Result<()> {
    copies.send(Copy { key: text.key.clone(), text: "x".repeat(text.size) }).await
}

#[agent]
async fn newest(text: Event<Text>, copies: Sink<Copy>) -> Result<()> {
    copies.send_latest(Copy { key: text.key.clone(), text: "x".repeat(text.size) }).await
}

/// Goes on after a send that was refused.
#[agent]
async fn stubborn(text: Event<Text>, copies: Sink<Copy>) -> Result<()> {
    let sent = copies.send(Copy { key: text.key.clone(), text: "x".repeat(text.size) }).await;
    let text = if sent.is_err() { "too large" } else { "sent" };
    copies.send(Copy { key: "answer".into(), text: text.into() }).await
}

#[agent]
async fn in_turns(mut texts: Stream<Text>, rows: Table<Stored>) -> Result<()> {
    while let Some(text) = texts.next().await {
        rows.update(&text.key, |row| row.push_str(&"x".repeat(text.size))).await?;
    }
    Ok(())
}

#[app("storing", agents(store))]
struct Storing;

#[app("copying", agents(copy))]
struct Copying;

#[app("latest", agents(newest))]
struct Latest;

#[app("stubborn", agents(stubborn))]
struct Stubborn;

#[app("turns", agents(in_turns))]
struct Turns;

async fn run<A: faust::App>(sizes: &[usize]) -> TestApp {
    let app = TestApp::start::<A>().await.unwrap();
    for size in sizes {
        app.send(Text { key: "a".into(), size: *size }).await.unwrap();
        app.run_until_idle().await.unwrap();
    }
    app
}

fn why(app: &TestApp) -> Vec<String> {
    let letters = app.dead_letters().into_iter().flatten();
    letters.filter(|(name, _)| name == "faust-error").map(|(_, error)| error).collect()
}

async fn check_rows<A: faust::App>() {
    let app = run::<A>(&[10, LIMIT, LIMIT / 2, LIMIT / 2, 10]).await;
    let row = app.table::<Stored>().get(&"a".into()).await.unwrap().unwrap();
    assert_eq!(row.len(), LIMIT / 2 + 20, "what fits is there, what does not is not");
    let why = why(&app);
    assert_eq!(why.len(), 2, "{why:?}");
    for part in ["`rows`", "key a", "1000013 bytes", "message.max.bytes"] {
        assert!(why.iter().any(|error| error.contains(part)), "{part}: {why:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_row_that_is_new_or_grows_fails_its_event() {
    check_rows::<Storing>().await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_row_that_is_too_large_fails_its_turn() {
    check_rows::<Turns>().await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_record_that_is_too_large_fails_its_event_and_others_leave() {
    for app in [run::<Copying>(&[5, LIMIT, 7]).await, run::<Latest>(&[5, LIMIT, 7]).await] {
        let copies = app.outputs::<Copy>().unwrap();
        let sizes: Vec<usize> = copies.iter().map(|copy| copy.record.text.len()).collect();
        assert_eq!(sizes, [5, 7]);
        let why = why(&app);
        assert!(why.len() == 1 && why[0].contains("message.max.bytes"), "{why:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_agent_may_go_on_after_a_record_that_is_too_large() {
    let app = run::<Stubborn>(&[LIMIT]).await;
    let copies = app.outputs::<Copy>().unwrap();
    let texts: Vec<String> = copies.into_iter().map(|copy| copy.record.text).collect();
    assert_eq!(texts, ["too large"]);
    assert!(app.dead_letters().is_empty());
}
