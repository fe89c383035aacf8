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

#[agent]
async fn count(counts: Table<Count>, word: Event<Word>) -> Result<()> { //~
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
