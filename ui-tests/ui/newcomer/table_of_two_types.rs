#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[agent]
async fn count(word: Event<Word>, counts: Table<String, u64>) -> Result<()> { //~
    Ok(())
}

fn main() {}
