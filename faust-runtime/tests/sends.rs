//! What agents send: when it leaves, with which time, and of several records which.

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Guarantee, Settings};

#[topic("votes", key = who, partitions = 1)]
struct Vote {
    who: String,
    last: bool,
}

#[topic("totals", key = who, partitions = 1)]
struct Total {
    who: String,
    n: u64,
}

#[table("tally")]
struct Tally {
    key: String,
    value: u64,
}

#[agent]
async fn count(vote: Event<Vote>, tally: Table<Tally>, totals: Sink<Total>) -> Result<()> {
    let n = tally
        .update(&vote.who, |n| {
            *n += 1;
            *n
        })
        .await?;
    let total = Total { who: vote.who.clone(), n };
    if vote.last { totals.send(total).await } else { totals.send_latest(total).await }
}

#[app("latest", agents(count))]
struct Latest;

async fn start(guarantee: Guarantee) -> Result<TestApp> {
    TestApp::start_with::<Latest>(Settings { guarantee, ..Settings::default() }).await
}

async fn vote(app: &TestApp, who: &str, last: bool) -> Result<()> {
    app.send(Vote { who: who.into(), last }).await
}

fn totals(app: &TestApp, who: &str) -> Result<Vec<u64>> {
    let totals = app.outputs::<Total>()?.into_iter().map(|output| output.record);
    Ok(totals.filter(|total| total.who == who).map(|total| total.n).collect())
}

#[tokio::test]
async fn of_several_records_of_a_key_only_the_newest_leaves() -> Result<()> {
    for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
        let app = start(guarantee).await?;
        for _ in 0..100 {
            vote(&app, "ada", false).await?;
            vote(&app, "bob", false).await?;
        }
        app.run_until_idle().await?;
        for who in ["ada", "bob"] {
            let totals = totals(&app, who)?;
            assert_eq!(totals.last(), Some(&100), "{guarantee:?}");
            assert!(totals.len() < 50 && totals.is_sorted(), "{guarantee:?}: {totals:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_plain_send_lets_the_record_that_waits_leave_first() -> Result<()> {
    for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
        let app = start(guarantee).await?;
        for _ in 0..3 {
            vote(&app, "ada", false).await?;
        }
        vote(&app, "ada", true).await?;
        app.run_until_idle().await?;
        let totals = totals(&app, "ada")?;
        assert!(totals.ends_with(&[3, 4]), "{guarantee:?}: {totals:?}");
        assert!(totals.is_sorted(), "{guarantee:?}: {totals:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_an_agent_sends_carries_the_time_of_its_event() -> Result<()> {
    let app = start(Guarantee::ExactlyOnce).await?;
    let time = Timestamp::from_millis(1_600_000_000_000);
    app.send_at(Vote { who: "ada".into(), last: true }, time).await?;
    app.run_until_idle().await?;
    let outputs = app.outputs::<Total>()?;
    assert_eq!(outputs[0].timestamp, time);
    Ok(())
}
