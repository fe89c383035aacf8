//! The development broker as a process of its own, to be stopped, paused and killed: `broker PORT FOLDER`.
#![allow(clippy::unwrap_used, reason = "a test's program")]

use faust_broker::{Broker, Config};
use std::thread::park;

fn main() {
    let mut words = std::env::args().skip(1);
    let port = words.next().unwrap().parse().unwrap();
    let data = Some(words.next().unwrap().into());
    let broker = Broker::start(Config { port, data, ..Config::default() }).unwrap();
    println!("{}", broker.bootstrap_servers());
    loop {
        park();
    }
}
