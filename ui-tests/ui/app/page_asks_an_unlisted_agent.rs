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

#[page("/vote/{word}", method = post)]
async fn vote(Path(word): Path<String>, count: Ask<count>) -> Result<Json<u64>> {
    Ok(Json(count.ask(Word { word }).await?))
}

#[app("shop", pages(vote))] //~
struct Shop;

fn main() {}
