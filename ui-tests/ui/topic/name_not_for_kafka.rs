#![allow(unused)]
use faust::prelude::*;

#[topic("all words")] //~
struct Word {
    word: String,
}

fn main() {}
