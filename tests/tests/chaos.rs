//! Half a minute of chaos. `cargo run -p faust-tests --bin chaos -- --help` tells how to have more of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use faust_tests::is_development_broker;
use std::process::Command;

fn survives(guarantee: &str, seed: &str) {
    let broker = std::env::var("KAFKA_BOOTSTRAP").unwrap_or_else(|_| "dev".into());
    assert_eq!(broker == "dev", is_development_broker());
    let mut chaos = Command::new(env!("CARGO_BIN_EXE_chaos"));
    chaos.args(["--seconds", "12", "--seed", seed, "--guarantee", guarantee, "--broker", &broker]);
    let ended = chaos.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn under_exactly_once_everything_happens_once() {
    survives("exactly_once", "1");
}

#[test]
fn under_at_least_once_nothing_is_missing() {
    survives("at_least_once", "2");
}
