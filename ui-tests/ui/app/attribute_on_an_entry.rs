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

#[app("shop", agents(#[allow(unused)] count))] //~
struct Shop;

fn main() {}
