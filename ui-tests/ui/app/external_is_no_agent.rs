#![allow(unused)]
use faust::prelude::*;

#[timer(every = 1s)]
async fn tick() -> Result<()> {
    Ok(())
}

#[app("shop", timers(tick), external(tick))] //~
struct Shop;

fn main() {}
