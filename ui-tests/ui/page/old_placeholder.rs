#![allow(unused)]
use faust::prelude::*;

#[page("/count/:word")] //~
async fn count(Path(word): Path<String>) -> Result<String> {
    Ok(word)
}

#[app("counter", pages(count))]
struct Counter;

fn main() {}
