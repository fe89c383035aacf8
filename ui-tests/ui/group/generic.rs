#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[derive(AgentParam)]
struct Ledger<T> { //~
    counts: Table<T>,
}

fn main() {}
