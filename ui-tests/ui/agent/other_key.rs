#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("lengths")]
struct Length {
    key: usize,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, lengths: Table<Length>) -> Result<()> { //~
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
