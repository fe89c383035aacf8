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
enum Ledger { //~
    Counts(Table<Count>),
}

#[agent]
async fn count(word: Event<Word>, ledger: Ledger) -> Result<()> {
    Ok(())
}

fn main() {}
