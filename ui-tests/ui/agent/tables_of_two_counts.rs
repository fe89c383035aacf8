#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("counts", partitions = 4)]
struct Count {
    key: String,
    value: u64,
}

#[table("lengths", partitions = 8)]
struct Length {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, counts: Table<Count>, lengths: Table<Length>) -> Result<()> { //~
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
