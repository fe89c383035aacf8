#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[agent]
async fn print(word: Event<Word>) -> Result<()> {
    Ok(())
}

#[app("print", agents(print))]
struct Print;

async fn main() { //~
    faust::main::<Print>();
}
