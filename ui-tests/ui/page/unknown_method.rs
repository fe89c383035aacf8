#![allow(unused)]
use faust::prelude::*;

#[page("/count", method = psot)] //~
async fn count() -> Result<String> {
    Ok(String::new())
}

#[app("counter", pages(count))]
struct Counter;

fn main() {}
