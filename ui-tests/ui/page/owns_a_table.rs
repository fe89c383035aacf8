#![allow(unused)]
use faust::prelude::*;

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[page("/counts")]
async fn counts(table: Table<Count>) -> Result<Json<u64>> { //~
    Ok(Json(1))
}

#[app("counter", pages(counts))]
struct Counter;

fn main() {}
