#![allow(unused)]

mod words {
    use faust::prelude::*;

    #[topic("words", key = word)]
    struct Word {
        word: String,
    }

    #[agent] //~
    pub async fn count(word: Event<Word>) -> Result<()> {
        Ok(())
    }
}

#[faust::app("counter", agents(words::count))]
struct Counter;

fn main() {}
