//! An event happens completely or not at all: its rows, its sends, its reply.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use faust::prelude::*;
use faust::testing::TestApp;
use std::sync::atomic::{AtomicU32, Ordering};

#[topic("jobs", key = name, partitions = 2)]
struct Job {
    name: String,
    fail: String,
}

#[topic("results", key = name, partitions = 2)]
struct Outcome {
    name: String,
}

#[table("done")]
struct Done {
    key: String,
    value: u64,
}

#[derive(Default, Clone)]
struct Attempts(std::sync::Arc<AtomicU32>);

/// Writes and sends first, and fails afterwards in the way that the job says.
#[agent]
async fn work(
    job: Event<Job>,
    done: Table<Done>,
    results: Sink<Outcome>,
    attempts: State<Attempts>,
) -> Result<u64> {
    let n = done
        .update(&job.name, |n| {
            *n += 1;
            *n
        })
        .await?;
    results.send(Outcome { name: job.name.clone() }).await?;
    assert_eq!(done.get(&job.name).await?, Some(n), "an event sees what it wrote");
    let attempt = attempts.0.fetch_add(1, Ordering::Relaxed) + 1;
    match job.fail.as_str() {
        "never" => Ok(n),
        "twice" if attempt > 2 => Ok(n),
        "by a panic" => panic!("as asked"),
        "in an update" => done.update(&job.name, |_| panic!("in the closure")).await,
        _ => Err(format!("attempt {attempt} fails").into()),
    }
}

#[app("atomic", agents(work))]
struct Atomic;

fn job(fail: &str) -> Job {
    Job { name: "tea".into(), fail: fail.into() }
}

async fn check(fail: &str, rows: Option<u64>, error: Option<&str>) -> Result<()> {
    let app = TestApp::start::<Atomic>().await?;
    app.send(job(fail)).await?;
    app.run_until_idle().await?;
    assert_eq!(app.table::<Done>().get(&"tea".into()).await?, rows, "{fail}");
    assert_eq!(app.outputs::<Outcome>()?.len() as u64, rows.unwrap_or(0), "{fail}");
    let letters = app.dead_letters();
    let header = |name: &str| -> Option<String> {
        letters.first()?.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    assert_eq!(header("faust-error").as_deref(), error, "{fail}");
    if error.is_some() {
        assert_eq!(header("faust-attempts").as_deref(), Some("4"), "three retries");
        assert_eq!(header("faust-topic").as_deref(), Some("jobs"));
        assert_eq!(header("faust-offset").as_deref(), Some("0"));
    }
    // The partition goes on.
    app.send(job("never")).await?;
    app.run_until_idle().await?;
    assert_eq!(app.table::<Done>().get(&"tea".into()).await?, Some(rows.unwrap_or(0) + 1));
    Ok(())
}

#[tokio::test]
async fn an_event_that_succeeds_takes_effect_once() -> Result<()> {
    check("never", Some(1), None).await
}

#[tokio::test]
async fn an_event_that_succeeds_on_its_third_attempt_takes_effect_once() -> Result<()> {
    check("twice", Some(1), None).await
}

#[tokio::test]
async fn an_event_that_fails_for_good_leaves_a_dead_letter_and_nothing_else() -> Result<()> {
    check("always", None, Some("attempt 4 fails")).await
}

#[tokio::test]
async fn a_panic_counts_as_an_error() -> Result<()> {
    check("by a panic", None, Some("panicked: as asked")).await
}

#[tokio::test]
async fn a_panic_within_an_update_releases_the_row() -> Result<()> {
    check("in an update", None, Some("panicked: in the closure")).await
}

#[tokio::test]
async fn a_record_that_cannot_be_decoded_is_kept_in_the_dead_letters_and_the_rest_goes_on()
-> Result<()> {
    let app = TestApp::start::<Atomic>().await?;
    app.send_bytes("jobs", Some(b"tea"), Some(b"{\"name\": 7}"), app.now())?;
    app.send_bytes("jobs", Some(b"tea"), None, app.now())?;
    app.send(job("never")).await?;
    app.run_until_idle().await?;
    assert_eq!(app.table::<Done>().get(&"tea".into()).await?, Some(1));
    let letters = app.dead_letters();
    assert_eq!(letters.len(), 2);
    assert!(
        letters[0]
            .iter()
            .any(|(name, value)| name == "faust-error" && value.contains("invalid type"))
    );
    assert!(
        letters[1].iter().any(|(name, value)| name == "faust-error" && value.contains("tombstone"))
    );
    Ok(())
}

#[tokio::test]
async fn who_asks_gets_the_reply_or_the_final_error() -> Result<()> {
    let app = TestApp::start::<Atomic>().await?;
    assert_eq!(app.ask::<work>(job("never")).await?, 1);
    let error = app.ask::<work>(job("always")).await.unwrap_err().to_string();
    assert!(error.contains("agent `work` failed: attempt"), "{error}");
    assert_eq!(app.ask::<work>(job("never")).await?, 2);
    Ok(())
}
