#![allow(unused)]
use faust::prelude::*;

#[topic("words")]
struct Word {
    word: String,
}

#[agent]
async fn count(word: Event<Word>) -> Result<()> {
    Ok(())
}

mod other {
    use super::*;

    #[agent]
    pub async fn count(word: Event<Word>) -> Result<()> {
        Ok(())
    }
}

#[app(
    "counter",
    agents(
        count,
        other::count, //~
    )
)]
struct Counter;

fn main() {}
