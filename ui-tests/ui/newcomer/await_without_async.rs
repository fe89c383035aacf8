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
fn count(word: Event<Word>, counts: Table<Count>) -> Result<()> { //~
    counts.update(&word.word, |n| *n += 1).await?;
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
