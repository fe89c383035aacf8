#![allow(unused)]
use faust::prelude::*;

#[derive(Clone, PartialEq, Eq, Hash, faust::Serialize, faust::Deserialize)]
#[serde(crate = "faust::serde")]
struct Id<'a>(&'a str);

#[topic("orders", key = id)]
struct Order<'a> {
    id: Id<'a>, //~
    item: &'a str,
}

#[table("bills")]
struct Bill {
    key: String,
    value: u64,
}

#[agent]
async fn bill(order: Event<Order<'_>>, bills: Table<Bill>) -> Result<()> {
    Ok(())
}

#[app("shop", agents(bill))]
struct Shop;

fn main() {}
