#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word<'a> {
    word: &'a str,
}

#[agent]
async fn echo<'a>(word: Event<Word<'a>>) -> Result<&'a str> { //~
    Ok(word.word)
}

#[app("echo", agents(echo))]
struct Echo;

fn main() {}
