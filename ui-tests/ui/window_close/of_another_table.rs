#![allow(unused)]
use faust::prelude::*;

#[table("trend", window = tumbling(1min), grace = 10s)]
struct Trend {
    key: String,
    value: u64,
}

#[table("counts", window = tumbling(1h), grace = 10s)]
struct Count {
    key: String,
    value: u64,
}

#[window_close(Trend)]
async fn closed(row: Closed<Count>) -> Result<()> { //~
    Ok(())
}

fn main() {}
