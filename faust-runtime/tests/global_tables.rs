//! A copy of a table on every worker.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use faust::prelude::*;
use faust::testing::TestApp;

#[topic("rates", key = currency, partitions = 4)]
struct Rate {
    currency: String,
    cents: Option<u64>,
}

#[topic("orders", key = id, partitions = 2)]
struct Order {
    id: u64,
    currency: String,
}

#[table("current")]
struct Current {
    key: String,
    value: u64,
}

#[table("priced")]
struct Priced {
    key: u64,
    value: Option<u64>,
}

#[agent]
async fn note(rate: Event<Rate>, current: Table<Current>) -> Result<()> {
    match rate.cents {
        Some(cents) => current.insert(&rate.currency, cents).await?,
        None => current.remove(&rate.currency).await?,
    };
    Ok(())
}

/// An order may come in before its partition's owner has read any rate.
#[agent]
async fn price(order: Event<Order>, current: Global<Current>, priced: Table<Priced>) -> Result<()> {
    priced.insert(&order.id, current.get(&order.currency).await?).await?;
    Ok(())
}

#[page("/rates")]
async fn rates(current: Global<Current>) -> Result<String> {
    let names = |rows: Vec<(String, u64)>| {
        rows.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    };
    let all = names(current.rows().await?);
    let range = names(current.range("EUR".."SEK").await?);
    let prefix = names(current.prefix("N").await?);
    let known = current.contains("NOK").await?;
    Ok(format!("{} of {all} | {range} | {prefix} | {known}", current.len()))
}

#[app("prices", agents(note, price), pages(rates))]
struct Prices;

fn rate(currency: &str, cents: u64) -> Rate {
    Rate { currency: currency.into(), cents: Some(cents) }
}

async fn with_rates() -> Result<TestApp> {
    let app = TestApp::start::<Prices>().await?;
    for (n, currency) in ["NOK", "EUR", "SEK", "DKK", "NZD", "USD"].into_iter().enumerate() {
        app.send(rate(currency, n as u64)).await?;
    }
    app.run_until_idle().await?;
    Ok(app)
}

#[tokio::test(flavor = "current_thread")]
async fn every_row_is_read_wherever_it_was_written() -> Result<()> {
    let app = with_rates().await?;
    let expected = "6 of DKK EUR NOK NZD SEK USD | EUR NOK NZD | NOK NZD | true";
    assert_eq!(app.get("/rates").await?, (200, expected.into()));
    for id in 0..20 {
        app.send(Order { id, currency: "SEK".into() }).await?;
    }
    app.run_until_idle().await?;
    let rows = app.table::<Priced>().rows()?;
    assert_eq!(rows.len(), 20);
    assert!(rows.into_iter().all(|(_, _, cents)| cents == Some(2)));
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn what_changes_and_what_is_removed_reaches_the_copy() -> Result<()> {
    let app = with_rates().await?;
    app.send(Rate { currency: "NOK".into(), cents: None }).await?;
    app.send(rate("NZD", 70)).await?;
    app.run_until_idle().await?;
    for (id, currency) in [(1, "NOK"), (2, "NZD")] {
        app.send(Order { id, currency: currency.into() }).await?;
    }
    app.run_until_idle().await?;
    assert_eq!(app.table::<Priced>().get(&2).await?, Some(Some(70)));
    // `None` as a value is no row.
    assert_eq!(app.table::<Priced>().get(&1).await?, None);
    assert!(app.get("/rates").await?.1.ends_with("| NZD | false"));
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn after_a_restart_no_event_runs_before_the_copy_has_what_was_committed() -> Result<()> {
    let mut app = with_rates().await?;
    for id in 0..10 {
        // They are there when the worker starts, and nothing holds them back but the copy.
        app.send(Order { id, currency: "USD".into() }).await?;
    }
    app.restart().await?;
    let rows = app.table::<Priced>().rows()?;
    assert_eq!(rows.len(), 10);
    assert!(rows.into_iter().all(|(_, _, cents)| cents == Some(5)));
    app.send(rate("USD", 50)).await?;
    app.run_until_idle().await?;
    app.restart().await?;
    app.send(Order { id: 11, currency: "USD".into() }).await?;
    app.run_until_idle().await?;
    assert_eq!(app.table::<Priced>().get(&11).await?, Some(Some(50)));
    Ok(())
}
