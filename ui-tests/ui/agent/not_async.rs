#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[agent]
fn count(word: Event<Word>) -> Result<u64> { //~
    Ok(1)
}

#[page("/count/{word}", method = post)]
async fn vote(Path(word): Path<String>, count: Ask<count>) -> Result<Json<u64>> {
    Ok(Json(count.ask(Word { word }).await?))
}

#[app("counter", agents(count), pages(vote))]
struct Counter;

fn main() {}
