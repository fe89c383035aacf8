#![allow(unused)]
use faust::prelude::*;

#[topic(
    "words",
    codec = formats::Avro, //~
    key_codec = formats::Text, //~
    value_codec = formats::Json, //~
    version = 2, //~
    pattern = "^words-.*", //~
)]
struct Word {
    key: String,
    value: String,
}

fn main() {}
