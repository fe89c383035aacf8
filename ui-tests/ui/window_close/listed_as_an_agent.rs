#![allow(unused)]
use faust::prelude::*;

#[table("trend", window = tumbling(1min), grace = 10s)]
struct Trend {
    key: String,
    value: u64,
}

#[table("counts", window = tumbling(1h), grace = 10s)]
struct Count {
    key: String,
    value: u64,
}

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[agent]
async fn count(word: Event<Word>, trend: Table<Trend>) -> Result<()> {
    trend.at(&word).update(&word.word, |n| *n += 1).await
}

#[app("words", windows(count))] //~
struct Words;

fn main() {}
