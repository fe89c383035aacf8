#![allow(unused)]
use faust::prelude::*;

#[cron("0 0 9 * * *")] //~
async fn tick() -> Result<()> {
    Ok(())
}

#[app("clock", crons(tick))]
struct Clock;

fn main() {}
