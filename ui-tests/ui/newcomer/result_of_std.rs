#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

use std::result::Result;

#[agent]
async fn print(word: Event<Word>) -> Result<(), std::io::Error> { //~
    Ok(())
}

fn main() {}
