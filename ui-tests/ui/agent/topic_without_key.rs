#![allow(unused)]
use faust::prelude::*;

#[topic("words")]
struct Word {
    word: String,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, counts: Table<Count>) -> Result<()> { //~
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
