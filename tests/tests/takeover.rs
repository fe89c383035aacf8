//! How long partitions stand still when a worker stops or is killed: those that move, and those that stay.
//!
//! `cargo test -p faust-tests --test takeover -- --ignored --nocapture` prints the longest gaps in their outputs, the
//! median of five runs; `FAUST_TEST_RUNS` gives another number, `FAUST_TEST_ROWS` the rows that are there before,
//! `FAUST_TEST_ONLY=TERM1` does only what stops with one standby.
#![allow(clippy::unwrap_used, reason = "tests, and what they share")]

use faust_tests::{App, Load, Worker, eventually, longest_gap, preload};
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 6;

fn env(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn relay(standbys: usize) -> App {
    App::new(env!("CARGO_BIN_EXE_relay"), &["ticks"]).set("standby_replicas", &standbys.to_string())
}

/// Two workers with half of the partitions each, that have counted so many rows.
fn two_workers(app: &App, rows: usize) -> [Worker; 2] {
    let workers = [app.start(0), app.start(1)];
    let ticks = app.topic("ticks");
    eventually("each has half", || {
        workers.iter().all(|worker| worker.partitions(&ticks).len() == 3).then_some(())
    });
    preload(app, "ticks", PARTITIONS, rows);
    app.wait_until_processed();
    workers
}

/// Waits until each follows what the other runs.
fn wait_for_standbys(app: &App, [a, b]: &[Worker; 2]) {
    let ticks = app.topic("ticks");
    eventually("all standbys have caught up", || {
        (a.standbys(100) == b.partitions(&ticks) && b.standbys(100) == a.partitions(&ticks))
            .then_some(())
    });
}

/// The longest gaps of partitions that move and of those that stay, when a worker ends by a signal.
fn gaps(standbys: usize, signal: &str) -> (Duration, Duration) {
    let app = relay(standbys);
    let workers = two_workers(&app, env("FAUST_TEST_ROWS", 300_000));
    if standbys > 0 {
        wait_for_standbys(&app, &workers);
    }
    let [stays, goes] = workers;
    let moved: BTreeSet<u64> = goes.partitions(&app.topic("ticks"));
    let load = Load::start(&app, "ticks", "tocks", PARTITIONS);
    sleep(Duration::from_secs(2));
    let since = Instant::now();
    match signal {
        "KILL" => goes.kill(),
        signal => {
            goes.signal(signal);
            assert_eq!(goes.wait(), Some(0));
        }
    }
    eventually("the other has all", || {
        (stays.partitions(&app.topic("ticks")).len() == PARTITIONS as usize).then_some(())
    });
    sleep(Duration::from_secs(2));
    let (sent, arrivals) = load.stop();
    let mut gaps = (Duration::ZERO, Duration::ZERO);
    for (partition, arrivals) in (0..).zip(&arrivals) {
        assert_eq!(arrivals.len() as u64, sent, "partition {partition}: each once");
        let gap = longest_gap(arrivals, since);
        let of = if moved.contains(&partition) { &mut gaps.0 } else { &mut gaps.1 };
        *of = gap.max(*of);
    }
    gaps
}

fn measure(standbys: usize, signal: &str) {
    let mut runs: Vec<_> = (0..env("FAUST_TEST_RUNS", 5)).map(|_| gaps(standbys, signal)).collect();
    let mut median = |of: fn(&(Duration, Duration)) -> Duration| {
        runs.sort_by_key(of);
        let all: Vec<_> = runs.iter().map(|run| of(run).as_millis()).collect();
        format!("{:>6} ms {all:?}", all.get(all.len() / 2).unwrap())
    };
    let (moved, unmoved) = (median(|run| run.0), median(|run| run.1));
    println!("{signal:<4} standbys={standbys}  moved {moved}  unmoved {unmoved}");
}

#[test]
#[ignore = "a measurement of some minutes"]
fn how_long_partitions_stand_still() {
    let only = std::env::var("FAUST_TEST_ONLY").unwrap_or_default();
    for signal in ["TERM", "KILL"] {
        for standbys in [1, 0] {
            if format!("{signal}{standbys}").starts_with(&only) {
                measure(standbys, signal);
            }
        }
    }
}
