//! The broker as a process of its own: `faust-broker --port 9092 --data DIR`.
//!
//! It ends with 0 after Ctrl-C or SIGTERM, with 1 when it cannot start, with 2 on wrong usage.

use std::error::Error as _;
use std::io::stdin;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;

use clap::Parser;
use faust_broker::{Broker, Config, Error};
use tracing_subscriber::EnvFilter;

/// A development broker that speaks the Kafka protocol on 127.0.0.1
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// TCP port; 0 takes any free one
    #[arg(long, default_value_t = 9092, env = "FAUST_BROKER_PORT")]
    port: u16,
    /// Folder to keep topics and offsets in; without it they are kept in memory
    #[arg(long, value_name = "DIR", env = "FAUST_BROKER_DATA")]
    data: Option<PathBuf>,
    /// Partitions of a topic that is created without saying how many
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
    /// For tests: takes faults from the standard input, one a line
    #[arg(long, hide = true)]
    faults: bool,
}

fn main() -> ExitCode {
    let Arguments { port, data, partitions, faults } = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let (stop, stopped) = channel();
    let told = ctrlc::set_handler(move || {
        // A second signal finds nobody waiting: the broker is stopping already.
        let _ = stop.send(());
    });
    if let Err(error) = told {
        eprintln!("error: cannot listen for signals: {error}");
        return ExitCode::FAILURE;
    }
    let broker = match Broker::start(Config {
        port,
        data,
        default_partitions: partitions,
        ..Config::default()
    }) {
        Ok(broker) => broker,
        Err(error) => {
            report(&error);
            return ExitCode::FAILURE;
        }
    };
    println!("development broker ready on {}", broker.bootstrap_servers());
    if faults {
        let faults = broker.faults().clone();
        thread::spawn(move || faults.follow(stdin().lock()));
    }
    // An error means that the handler is gone, and with it the way to stop otherwise.
    let _ = stopped.recv();
    broker.stop();
    ExitCode::SUCCESS
}

fn report(error: &Error) {
    eprint!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprint!(": {error}");
        cause = error.source();
    }
    eprintln!();
}
