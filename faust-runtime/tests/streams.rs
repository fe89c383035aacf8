//! An agent with a loop of its own: turns, failures, and what comes first afterwards.

use faust::prelude::*;
use faust::testing::TestApp;
use futures::StreamExt;

#[topic("numbers", key = group, partitions = 1)]
struct Number {
    group: String,
    n: u64,
}

#[table("sums")]
struct Sum {
    key: String,
    value: u64,
}

#[agent]
async fn add(mut numbers: Stream<Number>, sums: Table<Sum>) -> Result<()> {
    while let Some(number) = numbers.next().await {
        sums.update(&number.group, |sum| *sum += number.n).await?;
        if number.n == 13 {
            return Err("thirteen".into());
        }
    }
    Ok(())
}

/// Takes what is there, up to four, and writes it at once.
#[agent]
async fn batch(numbers: Stream<Number>, sums: Table<Sum>) -> Result<()> {
    let mut batches = numbers.ready_chunks(4);
    while let Some(batch) = batches.next().await {
        for number in &batch {
            sums.update(&number.group, |sum| *sum += number.n).await?;
            if number.n == 13 {
                return Err("thirteen".into());
            }
        }
    }
    Ok(())
}

#[app("single", agents(add))]
struct Single;

#[app("batched", agents(batch))]
struct Batched;

async fn check<A: faust::App>() -> Result<()> {
    let app = TestApp::start::<A>().await?;
    for n in [1, 2, 13, 4, 5, 6, 13, 8] {
        app.send(Number { group: "all".into(), n }).await?;
    }
    app.run_until_idle().await?;
    assert_eq!(app.table::<Sum>().get(&"all".into()).await?, Some(1 + 2 + 4 + 5 + 6 + 8));
    let letters = app.dead_letters();
    assert_eq!(letters.len(), 2, "only what fails by itself: {letters:?}");
    assert!(
        letters.iter().flatten().any(|(name, value)| name == "faust-error" && value == "thirteen")
    );
    app.send(Number { group: "all".into(), n: 9 }).await?;
    app.run_until_idle().await?;
    assert_eq!(app.table::<Sum>().get(&"all".into()).await?, Some(35));
    Ok(())
}

#[tokio::test]
async fn a_loop_that_fails_starts_again_with_the_event_that_failed() -> Result<()> {
    check::<Single>().await
}

#[tokio::test]
async fn a_batch_that_fails_comes_again_one_event_at_a_time() -> Result<()> {
    check::<Batched>().await
}
