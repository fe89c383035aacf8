#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[agent]
async fn count(word: Event<Word>) -> u64 { //~
    1
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
