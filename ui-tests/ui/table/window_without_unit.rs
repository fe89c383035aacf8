#![allow(unused)]
use faust::prelude::*;

#[table("trend", window = tumbling(60))] //~
struct Trend {
    key: String,
    value: u64,
}

fn main() {}
