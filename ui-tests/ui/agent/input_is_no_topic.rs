#![allow(unused)]
use faust::prelude::*;

struct Order {
    id: u64,
}

#[agent]
async fn bill(orders: Stream<Order>) -> Result<()> { //~
    Ok(())
}

#[app("shop", agents(bill))]
struct Shop;

fn main() {}
