#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[agent(sink("words"))] //~
async fn count(word: Event<Word>) -> Result<()> {
    Ok(())
}

fn main() {}
