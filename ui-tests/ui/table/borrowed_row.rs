#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word<'a> {
    word: &'a str,
}

#[table("counts")]
struct Count<'a> { //~
    key: &'a str,
    value: u64,
}

#[agent]
async fn count(word: Event<Word<'_>>, counts: Table<Count<'_>>) -> Result<()> {
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
