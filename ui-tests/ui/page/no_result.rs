#![allow(unused)]
use faust::prelude::*;

#[page("/counts")]
async fn counts() -> Json<u64> { //~
    Json(1)
}

#[app("counter", pages(counts))]
struct Counter;

fn main() {}
