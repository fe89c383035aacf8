#![allow(unused)]
use faust::prelude::*;

#[topic("orders", key = id)]
struct Order<'a> {
    id: &'a str,
    at: u64,
    detail: Lazy<'a, String>, //~
}

#[agent]
async fn bill(order: Event<Order<'_>>) -> Result<()> {
    Ok(())
}

#[app("shop", agents(bill))]
struct Shop;

fn main() {}
