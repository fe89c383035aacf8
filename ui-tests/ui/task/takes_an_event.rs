#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[task]
async fn fill(word: Event<Word>) -> Result<()> { //~
    Ok(())
}

#[app("filler", tasks(fill))]
struct Filler;

fn main() {}
