#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[derive(Clone)]
struct Pool {
    url: String,
}

#[agent]
async fn store(word: Event<Word>, pool: State<Pool>) -> Result<()> { //~
    println!("{} to {}", word.word, pool.url);
    Ok(())
}

fn main() {}
