#![allow(unused)]
use faust::prelude::*;

struct User;

#[page("/counts/{word}")]
async fn counts(user: User, Path(word): Path<String>) -> Result<Json<u64>> { //~
    Ok(Json(1))
}

#[app("counter", pages(counts))]
struct Counter;

fn main() {}
