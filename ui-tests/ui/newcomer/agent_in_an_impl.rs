#![allow(unused)]
use faust::prelude::*;

#[topic("words", key = word)]
struct Word {
    word: String,
}

struct Printer;

impl Printer {
    #[agent]
    async fn print(&self, word: Event<Word>) -> Result<()> { //~
        println!("{}", word.word);
        Ok(())
    }
}

fn main() {}
