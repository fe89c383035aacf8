#![allow(unused)]
use faust::prelude::*;

#[topic("lines")]
struct Line<'a> {
    text: &'a str,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[agent]
async fn count(lines: Stream<Line<'_>>, counts: Table<Count>) -> Result<()> { //~
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
