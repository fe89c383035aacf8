#![allow(unused)]
use faust::prelude::*;

#[cron(tz = "UTC")] //~
async fn tick() -> Result<()> {
    Ok(())
}

#[app("clock", crons(tick))]
struct Clock;

fn main() {}
