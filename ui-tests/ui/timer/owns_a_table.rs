#![allow(unused)]
use faust::prelude::*;

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[timer(every = 10s)]
async fn report(counts: Table<Count>) -> Result<()> { //~
    Ok(())
}

#[app("counter", timers(report))]
struct Counter;

fn main() {}
