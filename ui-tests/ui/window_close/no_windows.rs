#![allow(unused)]
use faust::prelude::*;

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[window_close(Count)] //~
async fn closed(row: Closed<Count>) -> Result<()> {
    Ok(())
}

fn main() {}
