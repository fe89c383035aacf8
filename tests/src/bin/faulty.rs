//! An agent that fails in every way there is, after it has written and sent.
use faust::prelude::*;

/// What is ordered, and what goes wrong with it.
#[topic("orders", key = item, partitions = 1)]
struct Order {
    item: String,
    fault: Option<Fault>,
}

/// What goes wrong.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Fault {
    Error,
    Panic,
    /// It never ends.
    Hang,
}

/// One order that went well.
#[topic("receipts", key = item, partitions = 1)]
struct Receipt {
    item: String,
}

/// How often an item was ordered.
#[table("sales")]
struct Sale {
    key: String,
    value: u64,
}

#[agent]
#[allow(clippy::panic, reason = "a fault")]
async fn sell(order: Event<Order>, sales: Table<Sale>, receipts: Sink<Receipt>) -> Result<()> {
    sales.update(&order.item, |n| *n += 1).await?;
    receipts.send(Receipt { item: order.item.clone() }).await?;
    match order.fault {
        None => Ok(()),
        Some(Fault::Error) => Err(format!("{} is sold out", order.item).into()),
        Some(Fault::Panic) => panic!("{} broke", order.item),
        Some(Fault::Hang) => {
            println!("{} hangs", order.item);
            std::future::pending().await
        }
    }
}

#[app("faulty", agents(sell))]
struct Faulty;

fn main() -> std::process::ExitCode {
    faust::main::<Faulty>()
}
