//! How far agents that read one topic come apart.

use faust::Settings;
use faust::prelude::*;
use faust::testing::TestApp;
use std::time::Duration;

#[topic("clicks", key = user, partitions = 1)]
struct Click {
    user: String,
    number: u64,
}

#[table("quick")]
struct Quick {
    key: String,
    value: u64,
}

#[table("slow")]
struct Slow {
    key: String,
    value: u64,
}

#[agent]
async fn quick(click: Event<Click>, rows: Table<Quick>) -> Result<()> {
    rows.update(&click.user, |n| *n += 1).await
}

#[agent]
async fn slow(click: Event<Click>, rows: Table<Slow>) -> Result<()> {
    if click.number == 0 {
        tokio::time::sleep(Duration::from_secs(1_000)).await;
    }
    rows.update(&click.user, |n| *n += 1).await
}

#[app("two", agents(quick, slow))]
struct TwoAgents;

#[tokio::test]
async fn an_agent_waits_for_a_slower_one_once_it_is_two_thousand_records_ahead() {
    let settings = Settings { topic_partitions: 1, ..Settings::default() };
    let app = TestApp::start_with::<TwoAgents>(settings).await.unwrap();
    let all = 10_000;
    for number in 0..all {
        app.send(Click { user: "ada".into(), number }).await.unwrap();
    }
    let idle = tokio::time::timeout(Duration::from_secs(900), app.run_until_idle()).await;
    assert!(idle.is_err(), "the slow one has not begun");
    let ahead = app.table::<Quick>().get(&"ada".into()).await.unwrap().unwrap();
    assert!((2_000..4_000).contains(&ahead), "{ahead}");

    app.run_until_idle().await.unwrap();
    assert_eq!(app.table::<Quick>().get(&"ada".into()).await.unwrap(), Some(all));
    assert_eq!(app.table::<Slow>().get(&"ada".into()).await.unwrap(), Some(all));
}
