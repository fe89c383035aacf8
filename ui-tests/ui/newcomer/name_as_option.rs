#![allow(unused)]
use faust::prelude::*;

#[topic(name = "words")] //~
struct Word {
    word: String,
}

fn main() {}
