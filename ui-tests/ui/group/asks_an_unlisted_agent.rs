#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[agent]
async fn count(word: Event<Word>) -> Result<u64> {
    Ok(1)
}

#[derive(AgentParam)]
struct Others {
    count: Ask<count>,
}

#[agent]
async fn relay(word: Event<Word>, others: Others) -> Result<u64> {
    others.count.ask(word.into_inner()).await
}

#[app("shop", agents(relay))] //~
struct Shop;

fn main() {}
