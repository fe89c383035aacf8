#![allow(unused)]
use faust::prelude::*;

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[window_close(Count)] //~ //~
async fn closed() -> Result<()> {
    Ok(())
}

fn main() {}
