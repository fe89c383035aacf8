#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = wrod)] //~
struct Word {
    word: String,
}

fn main() {}
