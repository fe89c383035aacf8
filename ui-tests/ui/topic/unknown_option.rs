#![allow(unused)]
use faust::prelude::*;

#[topic("words", partition = 4)] //~
struct Word {
    word: String,
}

#[agent]
async fn count(word: Event<Word>) -> Result<()> {
    Ok(())
}

fn main() {}
