#![allow(unused)]
use faust::prelude::*;

#[timer(every = 10s)]
async fn tick() -> u64 { //~
    1
}

#[app("clock", timers(tick))]
struct Clock;

fn main() {}
