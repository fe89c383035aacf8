#![allow(unused)]
use faust::prelude::*;

#[timer("10s")] //~
async fn tick() -> Result<()> {
    Ok(())
}

#[timer(every = "10s")] //~
async fn tock() -> Result<()> {
    Ok(())
}

fn main() {}
