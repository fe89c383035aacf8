#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[service]
async fn poll(word: Event<Word>) -> Result<()> { //~
    Ok(())
}

fn main() {}
