#![allow(unused)]
use faust::prelude::*;

#[window_close] //~
async fn closed() -> Result<()> {
    Ok(())
}

fn main() {}
