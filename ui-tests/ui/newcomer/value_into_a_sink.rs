#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

#[topic("lines")]
struct Line {
    text: String,
}

#[agent]
async fn split(line: Event<Line>, words: Sink<Word>) -> Result<()> {
    for word in line.text.split(' ') {
        words.send(word.to_string()).await?; //~
    }
    Ok(())
}

fn main() {}
