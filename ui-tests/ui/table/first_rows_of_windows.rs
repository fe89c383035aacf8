#![allow(unused)]
use faust::prelude::*;

async fn load() -> Result<Vec<Trend>> {
    Ok(Vec::new())
}

#[table("trend", window = tumbling(1min), initial = load)] //~
struct Trend {
    key: String,
    value: u64,
}

fn main() {}
