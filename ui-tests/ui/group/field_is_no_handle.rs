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

#[derive(AgentParam)]
struct Ledger {
    counts: Table<Count>,
    cache: std::collections::HashMap<String, u64>, //~
}

#[agent]
async fn count(word: Event<Word>, ledger: Ledger) -> Result<()> {
    ledger.counts.update(&word.word, |n| *n += 1).await
}

fn main() {}
