#![allow(unused)]
use faust::prelude::*;

#[timer] //~
async fn tick() -> Result<()> {
    Ok(())
}

#[app("clock", timers(tick))]
struct Clock;

fn main() {}
