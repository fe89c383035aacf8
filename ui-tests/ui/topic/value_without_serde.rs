#![allow(unused)]
use faust::prelude::*;

struct Money(u64);

#[topic("payments")]
struct Payment {
    key: String,
    value: Money, //~
}

#[agent]
async fn book(payment: Event<Payment>) -> Result<()> {
    Ok(())
}

#[app("bank", agents(book))]
struct Bank;

fn main() {}
