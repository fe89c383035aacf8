#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word, partitions = 4)]
struct Word {
    word: String,
}

#[topic("names", key = name, partitions = 8)]
struct Name {
    name: String,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[agent]
async fn count_words(word: Event<Word>, counts: Table<Count>) -> Result<()> {
    Ok(())
}

#[agent]
async fn count_names(name: Event<Name>, counts: Table<Count>) -> Result<()> {
    Ok(())
}

#[app(
    "counter",
    agents(
        count_words,
        count_names, //~
    )
)]
struct Counter;

fn main() {}
