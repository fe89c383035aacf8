#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("counts")]
struct Count<T> { //~
    key: String,
    value: T,
}

#[agent]
async fn count(word: Event<Word>, counts: Table<Count<u64>>) -> Result<()> {
    Ok(())
}

fn main() {}
