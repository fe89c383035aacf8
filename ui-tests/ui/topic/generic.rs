#![allow(unused)]
use faust::prelude::*;

#[topic("words")]
struct Word<T> { //~
    word: T,
}

#[agent]
async fn count(word: Event<Word<String>>) -> Result<()> {
    Ok(())
}

fn main() {}
