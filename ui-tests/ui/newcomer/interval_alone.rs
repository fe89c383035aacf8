#![allow(unused)]
use faust::prelude::*;

#[timer(10s)] //~
async fn tick() -> Result<()> {
    Ok(())
}

fn main() {}
