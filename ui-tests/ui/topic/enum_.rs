#![allow(unused)]
use faust::prelude::*;

#[topic("words")]
enum Word { //~
    Short(String),
    Long(String),
}

#[agent]
async fn count(word: Event<Word>) -> Result<()> {
    Ok(())
}

fn main() {}
