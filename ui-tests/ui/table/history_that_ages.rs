#![allow(unused)]
use faust::prelude::*;

#[table("prices", history = 1d, ttl = 1h)] //~
struct Price {
    key: String,
    value: u64,
}

fn main() {}
