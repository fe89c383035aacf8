#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[agent(
    concurency = 4, //~
    name = count, //~
)]
unsafe //~
fn //~
count<T>( //~
    word: Event<Word>,
    counts: &Table<T>, //~
) -> Result<()> {
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
