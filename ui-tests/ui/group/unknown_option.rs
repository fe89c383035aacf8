#![allow(unused)]
use faust::prelude::*;

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[derive(AgentParam)]
#[faust(krate = other)] //~
struct Ledger {
    counts: Table<Count>,
}

fn main() {}
