#![allow(unused)]
use faust::prelude::*;

#[topic(
    "words",
    partitions = 0, //~
    retention = 7, //~
    kee = word, //~
    compacted = true, //~
    config("a" = 1), //~
    key = wort, //~
)]
struct Word {
    word: String,
}

#[agent]
async fn count(word: Event<Word>) -> Result<()> {
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
