#![allow(unused)]
use faust::prelude::*;

#[command]
async fn top(n: u32) -> Result<()> { //~
    Ok(())
}

#[app("counter", commands(top))]
struct Counter;

fn main() {}
