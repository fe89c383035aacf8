#![allow(unused)]
use faust::prelude::*;

#[timer(every = 10)] //~
async fn tick() -> Result<()> {
    Ok(())
}

#[app("clock", timers(tick))]
struct Clock;

fn main() {}
