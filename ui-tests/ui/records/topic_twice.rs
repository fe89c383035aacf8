#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word, partitions = 4)]
struct Word {
    word: String,
}

#[topic("names", key = name, partitions = 8)]
struct Name {
    name: String,
}

#[topic("lengths", key = length, partitions = 4)]
struct Length {
    length: u64,
}

#[derive(Records)]
enum Input {
    One(Word),
    Other(Word), //~
}

fn main() {}
