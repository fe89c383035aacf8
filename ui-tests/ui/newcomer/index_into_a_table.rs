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
async fn count(word: Event<Word>, counts: Table<Count>) -> Result<()> {
    counts[&word.word] += 1; //~
    Ok(())
}

fn main() {}
