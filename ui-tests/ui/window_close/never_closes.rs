#![allow(unused)]
use faust::prelude::*;

#[table("trend", window = tumbling(1min))]
struct Trend {
    key: String,
    value: u64,
}

#[window_close(Trend)] //~
async fn closed(row: Closed<Trend>) -> Result<()> {
    Ok(())
}

fn main() {}
