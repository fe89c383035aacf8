#![allow(unused)]
use faust::prelude::*;

#[derive(Clone, faust::Serialize, faust::Deserialize)]
#[serde(crate = "faust::serde")]
struct Money(u64);

#[table("balances", key = account)]
struct Balance {
    account: String,
    amount: Money, //~
}

fn main() {}
