#![allow(unused)]
use faust::prelude::*;

use std::time::Instant;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[table("seen", key = word)]
struct Seen {
    word: String,
    at: Option<Instant>, //~
}

fn main() {}
