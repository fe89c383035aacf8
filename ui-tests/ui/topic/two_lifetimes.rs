#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word<'a, 'b> { //~
    word: &'a str,
    note: &'b str,
}

#[agent]
async fn look(word: Event<Word<'_, '_>>, words: Sink<Word<'_, '_>>) -> Result<()> {
    Ok(())
}

#[app("looker", agents(look))]
struct Looker;

fn main() {}
