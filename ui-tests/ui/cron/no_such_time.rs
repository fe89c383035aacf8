#![allow(unused)]
use faust::prelude::*;

#[cron("0 25 * * *")] //~
async fn tick() -> Result<()> {
    Ok(())
}

#[app("clock", crons(tick))]
struct Clock;

fn main() {}
