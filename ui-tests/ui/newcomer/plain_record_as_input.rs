#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[agent]
async fn print(word: Word) -> Result<()> { //~
    println!("{}", word.word);
    Ok(())
}

fn main() {}
