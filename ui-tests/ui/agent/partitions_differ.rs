#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word, partitions = 8)]
struct Word {
    word: String,
}

#[table("totals", partitions = 4)]
struct Total {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, totals: Table<Total>) -> Result<()> { //~
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
