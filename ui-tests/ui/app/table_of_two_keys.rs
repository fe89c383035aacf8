#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word, partitions = 4)]
struct Word {
    word: String,
}

#[topic("lengths", key = length, partitions = 4)]
struct Length {
    length: u64,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, counts: Table<Count>) -> Result<()> {
    Ok(())
}

#[agent]
async fn count_lengths(length: Event<Length>, counts: Table<Count>) -> Result<()> { //~
    Ok(())
}

#[app("counter", agents(count, count_lengths))]
struct Counter;

fn main() {}
