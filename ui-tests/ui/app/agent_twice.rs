#![allow(unused)]
use faust::prelude::*;

#[topic("words")]
struct Word {
    word: String,
}

#[agent]
async fn count(word: Event<Word>) -> Result<()> {
    Ok(())
}

#[app("counter", agents(count, count))] //~
struct Counter;

fn main() {}
