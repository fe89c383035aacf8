#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[agent]
async fn count(word: Event<Word>) -> Result<u64> {
    Ok(1)
}

#[agent]
async fn relay(word: Event<Word>, count: Ask<count>) -> Result<u64> {
    count.ask(word.into_inner()).await
}

#[app("shop", agents(count, relay), external(count))] //~
struct Shop;

fn main() {}
