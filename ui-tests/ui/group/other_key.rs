#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("lengths")]
struct Length {
    key: usize,
    value: u64,
}

#[derive(AgentParam)]
struct Ledger {
    lengths: Table<Length>,
}

#[agent]
async fn count(word: Event<Word>, ledger: Ledger) -> Result<()> { //~
    ledger.lengths.update(&word.word.len(), |n| *n += 1).await
}

fn main() {}
