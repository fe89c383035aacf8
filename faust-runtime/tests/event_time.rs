//! The time of an event goes with it: over every hop, under other keys, through whatever sends it on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Guarantee, Settings, Timestamp};
use futures::StreamExt;
use std::time::Duration;

#[topic("orders", key = id, partitions = 2)]
struct Order {
    id: u64,
    customer: String,
}

#[topic("by-customer", key = customer, partitions = 3)]
struct CustomerOrder {
    customer: String,
    id: u64,
}

#[topic("bills", key = customer, partitions = 2)]
#[derive(Debug)]
struct Bill {
    customer: String,
    id: u64,
}

#[topic("latest", key = customer, partitions = 1)]
struct Latest {
    customer: String,
    id: u64,
}

#[table("hours", window = tumbling(1h))]
struct Hour {
    key: String,
    value: u64,
}

/// Rows that age, written from the events of another key.
#[table("fresh", ttl = 1h)]
struct Fresh {
    key: String,
    value: u64,
}

/// An event at a time; it takes a while.
#[agent]
async fn regroup(
    order: Event<Order>,
    orders: Sink<CustomerOrder>,
    fresh: Remote<Fresh>,
) -> Result<()> {
    let Order { id, customer } = &*order;
    tokio::time::sleep(Duration::from_millis(40)).await;
    fresh.insert(customer, *id).await?;
    orders.send(CustomerOrder { customer: customer.clone(), id: *id }).await
}

/// A loop of its own.
#[agent]
async fn pass(
    mut orders: Stream<CustomerOrder>,
    bills: Sink<Bill>,
    latest: Sink<Latest>,
) -> Result<()> {
    while let Some(order) = orders.next().await {
        let CustomerOrder { customer, id } = &*order;
        latest.send_latest(Latest { customer: customer.clone(), id: *id }).await?;
        bills.send(Bill { customer: customer.clone(), id: *id }).await?;
    }
    Ok(())
}

#[agent]
async fn count(bill: Event<Bill>, hours: Table<Hour>) -> Result<()> {
    hours.at(&bill).update(&bill.customer, |n| *n += bill.id).await
}

#[app("times", agents(regroup, pass, count))]
struct Times;

/// Orders of three hours, long before the test's clock.
fn hour(id: u64) -> Timestamp {
    Timestamp::from_millis(1_600_000_000_000 + (id as i64) * 3_600_000)
}

async fn start(guarantee: Guarantee) -> Result<TestApp> {
    TestApp::start_with::<Times>(Settings { guarantee, ..Settings::default() }).await
}

#[tokio::test]
async fn the_time_of_an_event_survives_every_hop_and_every_change_of_key() -> Result<()> {
    for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
        let mut app = start(guarantee).await?;
        for (id, customer) in [(1, "ada"), (2, "bob"), (3, "ada")] {
            app.send_at(Order { id, customer: customer.into() }, hour(id)).await?;
            // Some of it is on its way, some is not.
            app.restart().await?;
        }
        app.run_until_idle().await?;
        let bills = app.outputs::<Bill>()?;
        assert_eq!(bills.len(), 3, "{guarantee:?}");
        assert!(bills.iter().all(|bill| bill.timestamp == hour(bill.record.id)), "{bills:?}");
        let latest = app.outputs::<Latest>()?;
        assert!(latest.iter().all(|latest| latest.timestamp == hour(latest.record.id)));
        for (id, customer) in [(1, "ada"), (2, "bob"), (3, "ada")] {
            let sum = app.table::<Hour>().get_at(hour(id), &customer.into()).await?;
            assert_eq!(sum, Some(id), "{guarantee:?}: the window of order {id}");
        }
        assert_eq!(app.table::<Hour>().count()?, 3);
    }
    Ok(())
}

#[tokio::test]
async fn a_row_that_is_written_from_elsewhere_has_the_age_of_the_event_that_wrote_it() -> Result<()>
{
    let app = start(Guarantee::ExactlyOnce).await?;
    let customer = "ada".to_string();
    app.send_at(Order { id: 1, customer: customer.clone() }, hour(1)).await?;
    app.run_until_idle().await?;
    assert_eq!(app.table::<Fresh>().get(&customer).await?, Some(1));
    // Two hours of event time later, in the same partition.
    app.send_at(Order { id: 3, customer: customer.clone() }, hour(3)).await?;
    let other = |n: u64| format!("customer {n}");
    for n in 0..20 {
        app.send_at(Order { id: 4, customer: other(n) }, hour(4)).await?;
    }
    app.run_until_idle().await?;
    assert_eq!(app.table::<Fresh>().get(&customer).await?, None, "an hour after hour 3");
    assert_eq!(app.table::<Fresh>().get(&other(7)).await?, Some(4));
    Ok(())
}
