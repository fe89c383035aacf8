#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[derive(Clone, Default)]
struct Seen(std::sync::Arc<std::sync::Mutex<u64>>);

#[agent]
async fn count(word: Event<Word>, seen: State<Seen>) -> Result<()> {
    *seen.0.lock()? += 1; //~
    Ok(())
}

fn main() {}
