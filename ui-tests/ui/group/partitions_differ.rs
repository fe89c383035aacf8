#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word, partitions = 8)]
struct Word {
    word: String,
}

#[table("counts", partitions = 4)]
struct Count {
    key: String,
    value: u64,
}

#[derive(AgentParam)]
struct Inner(Table<Count>);

#[derive(AgentParam)]
struct Ledger {
    inner: Inner,
}

#[agent]
async fn count(word: Event<Word>, ledger: Ledger) -> Result<()> { //~
    Ok(())
}

fn main() {}
