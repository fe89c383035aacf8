#![allow(unused)]
use faust::prelude::*;

#[app("clock", crons(tick))] //~
struct Clock;

fn main() {}
