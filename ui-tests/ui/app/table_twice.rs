#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[table("counts")]
struct Tally {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, counts: Table<Count>) -> Result<()> {
    Ok(())
}

#[timer(every = 1s)]
async fn report(tally: View<Tally>) -> Result<()> {
    Ok(())
}

#[app(
    "counter",
    agents(count),
    timers(report) //~
)]
struct Counter;

fn main() {}
