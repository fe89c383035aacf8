#![allow(unused)]
use faust::prelude::*;

#[topic(key = word)] //~
struct Word {
    word: String,
}

#[agent]
async fn count(word: Event<Word>) -> Result<()> {
    Ok(())
}

fn main() {}
