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

#[topic("totals", key = word)]
struct Total {
    word: String,
}

#[window_close(Trend)]
async fn nothing() -> Result<()> { //~
    Ok(())
}

#[window_close(Trend)]
async fn late(totals: Sink<Total>, row: Closed<Trend>) -> Result<()> { //~
    Ok(())
}

fn main() {}
