#![allow(unused)]
use faust::prelude::*;

struct Order {
    id: u64,
}

#[table("bills")]
struct Bill {
    key: u64,
    value: u64,
}

#[agent]
async fn bill(order: Event<Order>, bills: Table<Bill>) -> Result<()> { //~
    Ok(())
}

#[app("shop", agents(bill))]
struct Shop;

fn main() {}
