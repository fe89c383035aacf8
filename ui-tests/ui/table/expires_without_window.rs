#![allow(unused)]
use faust::prelude::*;

#[table("trend", expires = 1h)] //~
struct Trend {
    key: String,
    value: u64,
}

fn main() {}
