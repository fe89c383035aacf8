#![allow(unused)]
use faust::prelude::*;

#[table("e", value_codec = formats::Avro)] //~
struct E {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, e: Table<E>) -> Result<()> {
    e.update(&word.word, |n| *n += 1).await
}

#[topic("words", key = word)]
struct Word {
    word: String,
}

fn main() {}
