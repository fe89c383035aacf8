#![allow(unused)]
use faust::prelude::*;

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[cron("0 9 * * *")] //~
async fn tick(counts: Table<Count>) -> Result<()> { //~
    Ok(())
}

fn main() {}
