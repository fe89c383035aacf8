#![allow(unused)]
use faust::prelude::*;

#[timer(every = 1s)]
async fn tick() -> Result<()> {
    Ok(())
}

#[app("clock", crons(tick))] //~
struct Clock;

fn main() {}
