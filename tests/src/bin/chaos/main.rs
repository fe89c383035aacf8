//! Chaos: workers and brokers that die, freeze and come back, for as long as one likes, and an exact account at the end.
//!
//! ```text
//! cargo run -p faust-tests --bin chaos -- --seconds 1200 --seed 7 --broker dev --guarantee exactly_once
//! ```
//!
//! The program starts itself again in other roles: as a worker of the app in `ledger.rs`, and as the development broker.

mod ledger;

use clap::Parser;
use faust_tests::chaos::{self, Plan, ROLE};
use std::process::ExitCode;

/// Kills workers and brokers, and checks that nothing is lost and nothing is done twice
#[derive(Parser)]
struct Arguments {
    /// How long it goes on
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What happens when follows from this number
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `dev` for a development broker that is killed too, or the HOST:PORT of a cluster
    #[arg(long, default_value = "dev")]
    broker: String,
    /// `exactly_once` or `at_least_once`
    #[arg(long, default_value = "exactly_once")]
    guarantee: String,
    /// Orders a second
    #[arg(long, default_value_t = 200)]
    rate: u64,
}

fn main() -> ExitCode {
    match std::env::var(ROLE).as_deref() {
        Ok("broker") => chaos::serve(),
        Ok(_) => ledger::main(),
        Err(_) => {
            let Arguments { seconds, seed, broker, guarantee, rate } = Arguments::parse();
            let cluster = (broker != "dev").then_some(broker);
            chaos::run(&Plan { seconds, seed, cluster, guarantee, rate })
        }
    }
}
