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

#[table("trend", window = tumbling(1min))]
struct Trend {
    key: String,
    value: u64,
}

#[window_close(Trend)] //~
async fn closed() -> Result<()> {
    Ok(())
}

#[app("clock", crons(tick), services(poll), windows(closed))]
struct Clock;

fn main() {}
