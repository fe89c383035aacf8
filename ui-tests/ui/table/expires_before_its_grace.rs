#![allow(unused)]
use faust::prelude::*;

#[table("trend", window = tumbling(1min), grace = 1h, expires = 10min)] //~
struct Trend {
    key: String,
    value: u64,
}

fn main() {}
