#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("trend", window = tumbling(1min))]
struct Trend {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, trend: Table<Trend>) -> Result<()> {
    trend.update(&word.word, |n| *n += 1).await //~
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
