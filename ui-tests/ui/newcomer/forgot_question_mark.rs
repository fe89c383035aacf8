#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, counts: Table<Count>) -> Result<u64> {
    let n = counts.get(&word.word).await;
    Ok(n + 1) //~
}

fn main() {}
