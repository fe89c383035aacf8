#![allow(unused)]
use faust::prelude::*;

#[derive(Clone, Default)]
struct Money(u64);

#[table("balances")]
struct Balance {
    key: String,
    value: Money, //~
}

#[topic("payments", key = account)]
struct Payment {
    account: String,
}

#[agent]
async fn book(payment: Event<Payment>, balances: Table<Balance>) -> Result<()> {
    Ok(())
}

#[app("bank", agents(book))]
struct Bank;

fn main() {}
