#![allow(unused)]
use faust::prelude::*;

#[topic("lines")]
struct Line {
    text: &str, //~
}

#[agent]
async fn read(line: Event<Line>) -> Result<()> {
    Ok(())
}

#[app("reader", agents(read))]
struct Reader;

fn main() {}
