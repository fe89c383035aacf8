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
async fn count(word: Event<Word>) -> Result<u64> {
    Ok(1)
}

#[agent]
async fn relay(word: Event<Word>, count: Ask<count>) -> Result<()> {
    Ok(())
}

#[agent]
async fn split(term: Event<Term>) -> Result<()> {
    Ok(())
}

#[timer(every = 1s)]
async fn tick() -> Result<()> {
    Ok(())
}

#[app(
    "counter",
    agents(
        relay, //~
        split, //~
    ),
    timers(
        tick,
        tick, //~
    ),
)]
struct Counter;

fn main() {}
