#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
    length: u64,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, counts: Table<Count>) -> Result<u64> {
    counts.update(&word.length, |n| { *n += 1; *n }).await //~
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
