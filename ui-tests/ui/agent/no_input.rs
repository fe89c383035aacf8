#![allow(unused)]
use faust::prelude::*;

#[agent]
async fn count() -> Result<()> { //~
    Ok(())
}

#[app("counter", agents(count))]
struct Counter;

fn main() {}
