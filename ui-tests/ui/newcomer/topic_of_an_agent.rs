#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[agent(Word)] //~
async fn print(word: Event<Word>) -> Result<()> {
    Ok(())
}

#[agent(topic = "words")] //~
async fn show(word: Event<Word>) -> Result<()> {
    Ok(())
}

fn main() {}
