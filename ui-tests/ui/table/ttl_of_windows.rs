#![allow(unused)]
use faust::prelude::*;

#[table("trend", window = tumbling(1min), ttl = 1h)] //~
struct Trend {
    key: String,
    value: u64,
}

fn main() {}
