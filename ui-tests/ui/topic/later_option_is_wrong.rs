#![allow(unused)]
use faust::prelude::*;

#[topic(
    "words",
    codec = "avro", //~
    version = two, //~
    pattern = "words-.*", //~
)]
struct Word {
    key: String,
    value: String,
}

#[topic("lines", pattern = "^lines-(")] //~
struct Line {
    text: String,
}

fn main() {}
