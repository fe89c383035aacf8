//! Tables that keep the history of their values.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use faust::prelude::*;
use faust::testing::TestApp;
use std::collections::BTreeMap;

#[topic("quotes", key = item, partitions = 1)]
struct Quote {
    item: String,
    cents: Option<u64>,
}

#[topic("questions", key = item, partitions = 1)]
struct Question {
    item: String,
    minute: i64,
}

#[table("prices", history = 1h)]
struct Price {
    key: String,
    value: u64,
}

#[table("stock", key = (shop, item), partition_by = item, history = 1h)]
struct Stock {
    shop: u8,
    item: String,
    pieces: u64,
}

#[agent]
async fn quote(quote: Event<Quote>, prices: Table<Price>, stock: Table<Stock>) -> Result<()> {
    let price = prices.history(&quote.item);
    match quote.cents {
        Some(cents) => price.put(quote.timestamp(), cents).await?,
        None => price.end(quote.timestamp()).await?,
    };
    let pieces = quote.cents.unwrap_or_default();
    let row = Stock { shop: 7, item: quote.item.clone(), pieces };
    stock.history(&(7, quote.item.clone())).put(quote.timestamp(), row).await?;
    Ok(())
}

#[table("answers")]
struct Answer {
    key: String,
    value: Vec<Option<u64>>,
}

#[agent]
async fn look(asked: Event<Question>, prices: Table<Price>, answers: Table<Answer>) -> Result<()> {
    let found = prices.history(&asked.item).at(minute(asked.minute)).await?;
    answers.update(&asked.item, |all| all.push(found)).await
}

#[page("/price/{item}/{minute}")]
async fn price(Path(of): Path<(String, i64)>, prices: View<Price>) -> Result<String> {
    let (then, latest) = (prices.get_at(&of.0, minute(of.1)).await?, prices.latest(&of.0).await?);
    Ok(format!("{then:?} {latest:?}"))
}

#[app("prices", agents(quote), pages(price))]
struct Prices;

#[app("asked", agents(quote, look))]
struct Asked;

fn minute(n: i64) -> Timestamp {
    Timestamp::from_millis(n * 60_000)
}

async fn send(app: &TestApp, quotes: &[(i64, &str, Option<u64>)]) -> Result<()> {
    for (at, item, cents) in quotes {
        let quote = Quote { item: item.to_string(), cents: *cents };
        app.send_at(quote, minute(*at)).await?;
    }
    app.run_until_idle().await
}

async fn shown(app: &TestApp, item: &str, at: i64) -> Result<String> {
    Ok(app.get(&format!("/price/{item}/{at}")).await?.1)
}

#[tokio::test(flavor = "current_thread")]
async fn a_value_holds_from_its_time_on_until_the_next_one() -> Result<()> {
    let mut app = TestApp::start::<Prices>().await?;
    // Not in order, and beside an item whose name begins the same.
    let quotes =
        [(10, "tea", Some(1)), (30, "tea", Some(3)), (20, "tea", Some(2)), (25, "te", Some(9))];
    send(&app, &quotes).await?;
    send(&app, &[(40, "tea", None)]).await?;
    let expected =
        [(9, "None"), (10, "Some(1)"), (19, "Some(1)"), (20, "Some(2)"), (39, "Some(3)")];
    for _ in 0..2 {
        for (at, value) in expected {
            assert_eq!(shown(&app, "tea", at).await?, format!("{value} None"), "minute {at}");
        }
        assert_eq!(shown(&app, "te", 50).await?, "Some(9) Some(9)");
        assert_eq!(shown(&app, "milk", 50).await?, "None None");
        app.restart().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_older_than_the_history_goes_but_for_what_held_when_it_begins() -> Result<()> {
    let app = TestApp::start::<Prices>().await?;
    let quotes: Vec<_> = (0..10).map(|n| (n * 10, "tea", Some(n as u64))).collect();
    send(&app, &quotes).await?;
    // At minute 90 minute 30 is the earliest that is kept, and a version began right there.
    let rows = || app.table::<Price>().rows().unwrap().len();
    assert_eq!(rows(), 7);
    send(&app, &[(95, "tea", Some(10)), (20, "tea", Some(99))]).await?;
    assert_eq!(shown(&app, "tea", 36).await?, "Some(3) Some(10)", "it began at 30, before 35");
    assert_eq!(rows(), 8, "one that is late is not written");
    send(&app, &[(300, "tea", Some(11))]).await?;
    assert_eq!(rows(), 2);
    assert_eq!(shown(&app, "tea", 299).await?, "Some(10) Some(11)");
    let stock = app.table::<Stock>().rows()?;
    assert_eq!(stock.len(), 2, "whole rows under composite keys as well");
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn an_event_finds_what_a_model_says_whatever_is_committed() -> Result<()> {
    let app = TestApp::start::<Asked>().await?;
    let (mut model, mut seed, mut last) = (BTreeMap::new(), 7u64, 0);
    for round in 0..150 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let at = (seed >> 33) as i64 % 50;
        let cents = Some(seed >> 40).filter(|cents| cents % 4 > 0);
        send(&app, &[(at, "tea", cents)]).await?;
        model.insert(at, cents);
        last = last.max(at);
        let asked = (seed >> 50) as i64 % 60;
        // At the time of the quotes: now, everything of them would be forgotten.
        app.send_at(Question { item: "tea".into(), minute: asked }, minute(last)).await?;
        app.run_until_idle().await?;
        let expected = model.range(..=asked).next_back().and_then(|(_, cents)| *cents);
        let answers = app.table::<Answer>().get(&"tea".into()).await?.unwrap();
        assert_eq!(answers.last(), Some(&expected), "round {round}");
    }
    Ok(())
}
