#![allow(unused)]
use faust::prelude::*;

#[topic("words", compacted)] //~
struct Word {
    word: String,
}

fn main() {}
