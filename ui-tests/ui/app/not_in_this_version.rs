#![allow(unused)]
use faust::prelude::*;

#[cron("0 9 * * *", tz = "Europe/Oslo", on_leader)] //~
async fn tick() -> Result<()> {
    Ok(())
}

#[service] //~
async fn poll(context: Context) -> Result<()> {
    context.stopping().await;
    Ok(())
}

#[app("clock", crons(tick), services(poll))]
struct Clock;

fn main() {}
