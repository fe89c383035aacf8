#![allow(unused)]
use faust::prelude::*;

#[table("counts")]
struct Count { //~
    word: String,
    n: u64,
}

fn main() {}
