#![allow(unused)]
use faust::prelude::*;

#[topic("words")]
struct Word {
    #[cfg(unix)] //~
    key: String,
    value: u64,
}

#[topic("lines", key = text)]
struct Line {
    #[cfg(unix)] //~
    text: String,
}

#[topic("pairs")]
struct Pair(#[cfg(unix)] u64, String); //~

fn main() {}
