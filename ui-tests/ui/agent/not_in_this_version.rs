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

#[agent(sink(Word))] //~
async fn count(word: Event<Word>, counts: Global<Count>, others: Lookup<Count>) -> Result<()> { //~
    Ok(())
}

#[timer(every = 1s, on_leader)] //~
async fn tick() -> Result<()> {
    Ok(())
}

#[task(on_leader)] //~
async fn begin() -> Result<()> {
    Ok(())
}

#[page("/counts")]
async fn counts(counts: Lookup<Count>) -> Result<String> { //~
    Ok(String::new())
}

fn main() {}
