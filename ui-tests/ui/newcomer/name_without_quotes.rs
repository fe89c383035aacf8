#![allow(unused)]
use faust::prelude::*;

#[topic(words)] //~
struct Word {
    word: String,
}

fn main() {}
