//! The program under chaos: two agents with a topic in between, tables on both sides of it, and an output that names its
//! cause; windows, sessions and rows that expire, which see the same records at a pace of their own; a copy everywhere.
use faust::prelude::*;
use std::collections::BTreeMap;

/// What a customer orders, at a time.
#[topic("orders", key = customer, partitions = 4)]
struct Order {
    id: u64,
    customer: String,
    item: String,
    amount: u64,
}

/// An order again, where the item's own partition sees it.
#[topic("sales", key = item, partitions = 4)]
struct Sale {
    id: u64,
    item: String,
    amount: u64,
}

/// What has been sold of an item so far, this order included.
#[topic("receipts", key = item, partitions = 4)]
struct Receipt {
    id: u64,
    item: String,
    total: u64,
}

/// What a customer has spent.
#[table("spent")]
struct Spent {
    key: String,
    value: u64,
}

/// What has been sold of an item.
#[table("sold")]
struct Sold {
    key: String,
    value: u64,
}

/// What has been sold of an item in ten seconds.
#[table("recent", window = tumbling(10s), expires = 6h)]
struct Recent {
    key: String,
    value: u64,
}

/// What has been sold of an item in two seconds, until that is told.
#[table("trend", window = tumbling(2s), grace = 3s, expires = 20s)]
struct Trend {
    key: String,
    value: u64,
}

/// What has been sold of an item at short distances, until that is told.
#[table("rush", window = session(300ms), grace = 3s, expires = 20s)]
struct Rush {
    key: String,
    value: u64,
}

/// How many sales of an item there were at short distances so far.
#[table("streak", ttl = 300ms)]
struct Streak {
    key: String,
    value: u64,
}

/// How long a streak was at a sale.
#[topic("lengths", key = item, partitions = 4)]
struct Length {
    id: u64,
    item: String,
    length: u64,
}

/// What a window of a table was when it closed: from its first millisecond to behind its last.
#[topic("closings", key = item, partitions = 4)]
struct Closing {
    table: String,
    item: String,
    first: i64,
    end: i64,
    total: u64,
}

#[agent]
async fn take(order: Event<Order>, spent: Table<Spent>, sales: Sink<Sale>) -> Result<()> {
    spent.update(&order.customer, |sum| *sum += order.amount).await?;
    let Order { id, item, amount, .. } = order.into_inner();
    sales.send(Sale { id, item, amount }).await
}

#[agent]
async fn sell(
    sale: Event<Sale>,
    sold: Table<Sold>,
    recent: Table<Recent>,
    receipts: Sink<Receipt>,
) -> Result<()> {
    recent.at(&sale).update(&sale.item, |sum| *sum += sale.amount).await?;
    let total = sold
        .update(&sale.item, |sum| {
            *sum += sale.amount;
            *sum
        })
        .await?;
    let Sale { id, item, .. } = sale.into_inner();
    receipts.send(Receipt { id, item, total }).await
}

#[agent]
async fn watch(
    sale: Event<Sale>,
    trend: Table<Trend>,
    rush: Table<Rush>,
    streak: Table<Streak>,
    lengths: Sink<Length>,
) -> Result<()> {
    let Sale { item, amount, .. } = &*sale;
    trend.at(&sale).update(item, |sum| *sum += amount).await?;
    rush.update_session(&sale, item, |sum| *sum += amount, |sum, later| *sum += later).await?;
    let length = streak
        .update(item, |length| {
            *length += 1;
            *length
        })
        .await?;
    let Sale { id, item, .. } = sale.into_inner();
    lengths.send(Length { id, item, length }).await
}

#[window_close(Trend)]
async fn trend_closes(row: Closed<Trend>, closings: Sink<Closing>) -> Result<()> {
    closings.send(closing("trend", row.window, row.key, row.value)).await
}

#[window_close(Rush)]
async fn rush_closes(row: Closed<Rush>, closings: Sink<Closing>) -> Result<()> {
    closings.send(closing("rush", row.window, row.key, row.value)).await
}

fn closing(table: &str, window: faust::Window, item: String, total: u64) -> Closing {
    let (first, end) = (window.start.as_millis(), window.end.as_millis());
    Closing { table: table.into(), item, first, end, total }
}

/// What every customer has spent, as this worker knows.
#[page("/everywhere")]
async fn everywhere(spent: Global<Spent>) -> Result<Json<BTreeMap<String, u64>>> {
    Ok(Json(spent.rows().await?.into_iter().collect()))
}

#[app("ledger", agents(take, sell, watch), windows(trend_closes, rush_closes), pages(everywhere))]
struct Ledger;

pub(crate) fn main() -> std::process::ExitCode {
    faust::main::<Ledger>()
}
