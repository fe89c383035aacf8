#![deny(dead_code)]
use faust::prelude::*;

#[timer(every = 1s)]
async fn tick() -> Result<()> {
    Ok(())
}

#[timer(every = 1s)]
async fn forgotten() -> Result<()> { //~
    Ok(())
}

#[app("clock", timers(tick))]
struct Clock;

fn main() -> std::process::ExitCode {
    faust::main::<Clock>()
}
