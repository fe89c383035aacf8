#![allow(unused)]
use faust::prelude::*;

#[page("/count")]
async fn count() -> Result<String> {
    Ok(String::new())
}

#[page("/count")]
async fn tally() -> Result<String> {
    Ok(String::new())
}

#[page("/count", method = post)]
async fn add() -> Result<String> {
    Ok(String::new())
}

#[app(
    "counter",
    pages(
        add,
        count,
        tally, //~
    )
)]
struct Counter;

fn main() {}
