#![allow(unused)]
use faust::prelude::*;

#[page("/counts/{word}", method = post)]
async fn counts(Json(n): Json<u64>, Path(word): Path<String>) -> Result<Json<u64>> { //~
    Ok(Json(n))
}

#[app("counter", pages(counts))]
struct Counter;

fn main() {}
