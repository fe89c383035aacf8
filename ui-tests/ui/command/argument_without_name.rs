#![allow(unused)]
use faust::prelude::*;

#[command]
async fn top(#[arg(long)] (a, b): (u32, u32)) -> Result<()> { //~
    Ok(())
}

#[app("counter", commands(top))]
struct Counter;

fn main() {}
