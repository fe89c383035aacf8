#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word<'a> {
    word: &'a str,
}

#[agent]
async fn look(word: Event<Word>) -> Result<()> { //~ //~
    Ok(())
}

#[app("looker", agents(look))]
struct Looker;

fn main() {}
