#![allow(unused)]
use faust::prelude::*;

#[cron("0 9 * * *", tz = UTC)] //~
async fn tick() -> Result<()> {
    Ok(())
}

#[app("clock", crons(tick))]
struct Clock;

fn main() {}
