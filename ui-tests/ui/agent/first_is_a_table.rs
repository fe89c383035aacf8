#![allow(unused)]
use faust::prelude::*;

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[agent]
async fn count(counts: Table<Count>) -> Result<()> { //~
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
