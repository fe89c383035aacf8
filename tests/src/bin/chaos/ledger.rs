//! The program under chaos: two agents with a topic in between, tables on both sides of it, and an output that names its
//! cause.
use faust::prelude::*;

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

#[app("ledger", agents(take, sell))]
struct Ledger;

pub(crate) fn main() -> std::process::ExitCode {
    faust::main::<Ledger>()
}
