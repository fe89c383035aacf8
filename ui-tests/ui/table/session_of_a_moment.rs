#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("visits", window = session(10min))]
struct Visit {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, visits: Table<Visit>) -> Result<()> {
    visits.at(&word).update(&word.word, |n| *n += 1).await //~
}

fn main() {}
