#![allow(unused)]
use faust::prelude::*;

#[derive(Clone, Default)]
struct Money(u64);

#[table("balances", key = account)]
struct Balance {
    account: String,
    amount: Money, //~
}

fn main() {}
