//! Two agents at one table, several lanes of one agent, keys that belong elsewhere, and more rows than the cache holds.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use faust::Settings;
use faust::prelude::*;
use faust::testing::TestApp;
use std::time::Duration;
use tokio::time::sleep;

#[topic("orders", key = id, partitions = 2)]
struct Order {
    id: u64,
    wait: u64,
}

#[table("seen")]
struct Seen {
    key: u64,
    value: Vec<i64>,
}

#[table("both", scope = partition)]
struct Both {
    key: String,
    value: u64,
}

/// Holds `a`, then wants `b`.
#[agent]
async fn first(_order: Event<Order>, both: Table<Both>) -> Result<()> {
    both.update("a", |n| *n += 1).await?;
    sleep(Duration::from_millis(3)).await;
    both.update("b", |n| *n += 1).await
}

/// Holds `b`, then wants `a`.
#[agent]
async fn second(_order: Event<Order>, both: Table<Both>) -> Result<()> {
    both.update("b", |n| *n += 1).await?;
    sleep(Duration::from_millis(2)).await;
    both.update("a", |n| *n += 1).await
}

#[app("shared", agents(first, second))]
struct Shared;

#[tokio::test]
async fn agents_that_wait_for_each_others_rows_both_get_through() -> Result<()> {
    let app = TestApp::start::<Shared>().await?;
    for id in 0..40 {
        app.send(Order { id, wait: 0 }).await?;
    }
    app.run_until_idle().await?;
    let mut sums = [0, 0];
    for (_, key, n) in app.table::<Both>().rows()? {
        sums[usize::from(key == "b")] += n;
    }
    assert_eq!(sums, [80, 80]);
    assert!(app.dead_letters().is_empty());
    Ok(())
}

#[agent(concurrency = 4)]
async fn slow(order: Event<Order>, seen: Table<Seen>) -> Result<()> {
    sleep(Duration::from_millis(order.wait)).await;
    seen.update(&order.id, |offsets| offsets.push(order.offset())).await
}

#[app("lanes", agents(slow))]
struct Lanes;

#[tokio::test]
async fn lanes_keep_the_order_of_each_key_and_lose_nothing_over_a_restart() -> Result<()> {
    let mut app = TestApp::start::<Lanes>().await?;
    for n in 0..200 {
        app.send(Order { id: n % 7, wait: (n * 31) % 17 }).await?;
        if n == 100 {
            app.advance(Duration::from_millis(30)).await?;
            app.restart().await?;
        }
    }
    app.run_until_idle().await?;
    let rows = app.table::<Seen>().rows()?;
    assert_eq!(rows.iter().map(|(_, _, offsets)| offsets.len()).sum::<usize>(), 200);
    for (_, id, offsets) in rows {
        assert!(offsets.is_sorted(), "order {id}: {offsets:?}");
    }
    Ok(())
}

#[agent]
async fn misplaced(order: Event<Order>, seen: Table<Seen>) -> Result<()> {
    for id in 0..10 {
        seen.update(&(order.id + id), |offsets| offsets.push(0)).await?;
    }
    Ok(())
}

#[app("misplaced", agents(misplaced))]
struct Misplaced;

#[tokio::test]
async fn a_row_under_a_key_of_another_partition_is_an_error_that_names_both() -> Result<()> {
    let app = TestApp::start::<Misplaced>().await?;
    app.send(Order { id: 1, wait: 0 }).await?;
    app.run_until_idle().await?;
    assert_eq!(app.table::<Seen>().count()?, 0, "nothing of the event remains");
    let letters = app.dead_letters();
    let (_, error) = letters[0].iter().find(|(name, _)| name == "faust-error").unwrap();
    assert!(
        error.contains("table `seen`: key") && error.contains("belongs to partition"),
        "{error}"
    );
    Ok(())
}

#[agent]
async fn remember(order: Event<Order>, seen: Table<Seen>) -> Result<()> {
    seen.update(&order.id, |offsets| offsets.push(order.offset())).await
}

#[app("many", agents(remember))]
struct Many;

#[tokio::test]
async fn more_rows_than_the_cache_holds_are_all_kept() -> Result<()> {
    let settings = Settings { cache_bytes: 20_000, ..Settings::default() };
    let app = TestApp::start_with::<Many>(settings).await?;
    for round in 0..3 {
        for id in 0..2000 {
            app.send(Order { id, wait: round }).await?;
        }
    }
    app.run_until_idle().await?;
    assert_eq!(app.table::<Seen>().count()?, 2000);
    for (_, id, offsets) in app.table::<Seen>().rows()? {
        assert_eq!(offsets.len(), 3, "order {id}");
    }
    Ok(())
}

#[agent]
async fn spawns(order: Event<Order>, seen: Table<Seen>) -> Result<()> {
    let id = order.id;
    let outside = tokio::task::spawn_local(async move {
        seen.update(&id, |offsets| offsets.push(0)).await.map_err(|error| error.to_string())
    });
    let error = outside.await?.unwrap_err();
    assert!(error.contains("belongs to an event"), "{error}");
    Ok(())
}

#[app("spawns", agents(spawns))]
struct Spawns;

#[tokio::test]
async fn a_write_outside_of_an_event_is_an_error_that_says_so() -> Result<()> {
    let app = TestApp::start::<Spawns>().await?;
    app.send(Order { id: 1, wait: 0 }).await?;
    app.run_until_idle().await?;
    assert!(app.dead_letters().is_empty(), "{:?}", app.dead_letters());
    Ok(())
}
