#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("counts")]
enum Count { //~
    Many(u64),
}

#[agent]
async fn count(word: Event<Word>, counts: Table<Count>) -> Result<()> {
    Ok(())
}

fn main() {}
