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
    trend.at(&word).update(&word.word, |n| *n += 1).await
}

#[agent]
async fn look(word: Event<Word>, copy: Global<Trend>) -> Result<()> { //~
    Ok(())
}

#[timer(every = 1s)]
async fn write(trend: Remote<Trend>) -> Result<()> { //~
    Ok(())
}

fn main() {}
