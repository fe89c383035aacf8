//! Rows that are written from elsewhere.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use faust::prelude::*;
use faust::testing::TestApp;
use std::collections::BTreeMap;

#[topic("orders", key = id, partitions = 2)]
struct Order {
    id: u64,
    customer: String,
    fails: bool,
}

/// Nobody but remote writers writes it: its partitions are those of a new topic.
#[table("limits")]
struct Limit {
    key: String,
    value: Option<u64>,
}

#[table("carts", key = (customer, item), partition_by = customer)]
struct Cart {
    customer: String,
    item: u64,
    pieces: u32,
}

/// Events are of orders, rows of customers.
#[agent]
async fn order(order: Event<Order>, carts: Remote<Cart>, limits: Remote<Limit>) -> Result<()> {
    let cart = Cart { customer: order.customer.clone(), item: order.id, pieces: 1 };
    carts.insert(&(order.customer.clone(), order.id), cart).await?;
    limits.insert(&order.customer, Some(order.id)).await?;
    if order.fails {
        return Err("refused".into());
    }
    Ok(())
}

#[page("/limit/{customer}/{to}")]
async fn set(Path(to): Path<(String, u64)>, limits: Remote<Limit>) -> Result<()> {
    match to.1 {
        0 => limits.remove(&to.0).await,
        limit => limits.insert(&to.0, Some(limit)).await,
    }
}

#[app("remote", agents(order), pages(set))]
struct App;

fn order_of(id: u64, customer: &str) -> Order {
    Order { id, customer: customer.into(), fails: false }
}

fn limits(app: &TestApp) -> BTreeMap<String, Option<u64>> {
    let rows = app.table::<Limit>().rows().unwrap();
    rows.into_iter().map(|(_, key, value)| (key, value)).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_page_writes_a_row_of_any_partition_and_removes_it() -> Result<()> {
    let mut app = TestApp::start::<App>().await?;
    for (customer, limit) in [("ada", 1), ("bob", 2), ("cyd", 3), ("ada", 4), ("bob", 0)] {
        assert_eq!(app.get(&format!("/limit/{customer}/{limit}")).await?.0, 200);
    }
    app.run_until_idle().await?;
    let expected = [("ada".to_string(), Some(4)), ("cyd".to_string(), Some(3))].into();
    assert_eq!(limits(&app), expected);
    app.restart().await?;
    assert_eq!(limits(&app), expected);
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn an_agent_s_remote_writes_are_part_of_its_event() -> Result<()> {
    let app = TestApp::start::<App>().await?;
    app.send(order_of(1, "ada")).await?;
    app.send(Order { fails: true, ..order_of(2, "bob") }).await?;
    app.send(order_of(3, "cyd")).await?;
    app.run_until_idle().await?;
    let expected = [("ada".to_string(), Some(1)), ("cyd".to_string(), Some(3))].into();
    assert_eq!(limits(&app), expected);
    let carts = app.table::<Cart>().rows()?;
    let mut keys: Vec<_> = carts.into_iter().map(|(_, key, _)| key).collect();
    keys.sort();
    assert_eq!(keys, [("ada".to_string(), 1), ("cyd".to_string(), 3)]);
    assert_eq!(app.dead_letters().len(), 1);
    Ok(())
}
