#![allow(unused)]
use faust::prelude::*;

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[derive(AgentParam)]
struct Ledger {
    counts: Table<Count>,
}

#[timer(every = 1s)]
async fn report(ledger: Ledger) -> Result<()> { //~
    Ok(())
}

fn main() {}
