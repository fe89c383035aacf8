#![allow(unused)]
use faust::prelude::*;

#[table("trend", window = tumblin(1min))] //~
struct Trend {
    key: String,
    value: u64,
}

fn main() {}
