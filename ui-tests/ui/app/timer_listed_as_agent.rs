#![allow(unused)]
use faust::prelude::*;

#[timer(every = 1s)]
async fn tick() -> Result<()> {
    Ok(())
}

#[app("clock", agents(tick))] //~
struct Clock;

fn main() {}
