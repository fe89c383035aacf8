#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("recent", window = hopping(10min, step = 1min))]
struct Recent {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, recent: Table<Recent>) -> Result<()> {
    recent.at(&word).update(&word.word, |n| *n += 1).await //~
}

fn main() {}
