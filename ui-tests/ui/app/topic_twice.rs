#![allow(unused)]
use faust::prelude::*;

#[topic("words", partitions = 4)]
struct Word {
    word: String,
}

#[topic("words", partitions = 8)]
struct Term {
    term: String,
}

#[agent]
async fn count(word: Event<Word>) -> Result<()> {
    Ok(())
}

#[agent]
async fn send(term: Event<Term>, terms: Sink<Term>) -> Result<()> {
    Ok(())
}

#[app(
    "counter",
    agents(
        count,
        send, //~
    )
)]
struct Counter;

fn main() {}
