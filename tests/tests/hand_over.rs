//! Partitions that move while somebody is killed, comes back, or has to warm up first: nothing is lost, nothing is
//! there twice, and soon everything is somebody's again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests, and what they share")]

use faust_tests::{App, Load, Worker, eventually, longest_gap, preload};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::thread::sleep;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 6;
/// The shortest that brokers allow.
const SESSION: Duration = Duration::from_secs(6);
const HAND_OVER: Duration = Duration::from_secs(2);

fn relay() -> App {
    App::new(env!("CARGO_BIN_EXE_relay"), &["ticks"])
        .set("session_timeout", &format!("{}s", SESSION.as_secs()))
        .set("hand_over_timeout", &format!("{}s", HAND_OVER.as_secs()))
        .set("log", "info,faust=debug")
}

fn wait_until_owned(app: &App, workers: &[&Worker]) {
    eventually("each partition is somebody's", || {
        let owned: Vec<BTreeSet<u64>> =
            workers.iter().map(|worker| worker.partitions(&app.topic("ticks"))).collect();
        let all: BTreeSet<&u64> = owned.iter().flatten().collect();
        let once = owned.iter().map(BTreeSet::len).sum::<usize>() == all.len();
        (once && all.len() == PARTITIONS as usize).then_some(())
    });
}

/// Every record that was sent has come out, once, and each key was counted without a gap.
fn check(app: &App, load: Load) {
    let (sent, arrivals) = load.stop();
    for (partition, arrivals) in arrivals.iter().enumerate() {
        assert_eq!(arrivals.len() as u64, sent, "partition {partition}: each once");
    }
    for tock in app.read("tocks").chunk_by(|a, b| a.key == b.key) {
        let n = |record: &faust_tests::Record| {
            serde_json::from_slice::<serde_json::Value>(&record.value).unwrap()["n"].as_u64()
        };
        let counted: Vec<_> = tock.iter().filter_map(n).collect();
        assert_eq!(counted, (1..=tock.len() as u64).collect::<Vec<_>>(), "{:?}", tock[0].key);
    }
}

/// The second worker has come, and the first has begun to hand half of its partitions over; one of them is killed.
fn kill_in_a_hand_over(victim: usize, after: u64, comes_back: bool) {
    println!("worker {victim} is killed after {after} ms, and comes back: {comes_back}");
    let app = relay();
    let first = app.start(0);
    wait_until_owned(&app, &[&first]);
    let load = Load::start(&app, "ticks", "tocks", PARTITIONS);
    let second = app.start(1);
    eventually("the first hands over", || first.logged().contains("stopping").then_some(()));
    sleep(Duration::from_millis(after));
    let (killed, stays) = if victim == 0 { (first, second) } else { (second, first) };
    killed.kill();
    let since = Instant::now();
    let back = comes_back.then(|| app.start(victim));
    let living: Vec<&Worker> = [&stays].into_iter().chain(&back).collect();
    wait_until_owned(&app, &living);
    let took = since.elapsed();
    // What it takes to start and to be asked is beside the point.
    assert!(took < SESSION + HAND_OVER + Duration::from_secs(3), "after {took:?}");
    check(&app, load);
}

#[test]
fn whoever_is_killed_while_it_hands_over_leaves_nothing_that_nobody_owns() {
    for (after, comes_back) in [(0, false), (150, true), (400, false)] {
        kill_in_a_hand_over(0, after, comes_back);
    }
}

#[test]
fn whoever_is_killed_while_partitions_are_on_their_way_to_it_leaves_nothing_that_nobody_owns() {
    for (after, comes_back) in [(0, true), (150, false), (400, true)] {
        kill_in_a_hand_over(1, after, comes_back);
    }
}

#[test]
fn a_killed_worker_that_comes_back_in_time_has_its_partitions_and_nobody_else_notices() {
    let app = relay().set("session_timeout", "10s");
    // Under another address it would have to be made known first.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let line = ["--web-port", port.as_str()];
    let (stays, goes) = (app.start(0), app.start_with(1, &line));
    let ticks = app.topic("ticks");
    eventually("each has half", || {
        (stays.partitions(&ticks).len() == 3 && goes.partitions(&ticks).len() == 3).then_some(())
    });
    let (own, rebalances) = (goes.partitions(&ticks), stays.status()["rebalances"].clone());
    let load = Load::start(&app, "ticks", "tocks", PARTITIONS);
    sleep(Duration::from_secs(1));
    goes.kill();
    let since = Instant::now();
    let back = app.start_with(1, &line);
    eventually("it has them again", || (back.partitions(&ticks) == own).then_some(()));
    assert!(since.elapsed() < Duration::from_secs(5), "after {:?}", since.elapsed());
    assert_eq!(stays.status()["rebalances"], rebalances, "the other was asked nothing");
    check(&app, load);
}

#[test]
fn partitions_with_much_state_move_when_their_receiver_is_warm_and_hardly_stand_still() {
    let app = relay().set("acceptable_lag", "1000").set("max_warmups", "1");
    let first = app.start(0);
    wait_until_owned(&app, &[&first]);
    preload(&app, "ticks", PARTITIONS, 30_000);
    app.wait_until_processed();
    // It notes once a second how much state it has.
    sleep(Duration::from_millis(1500));
    let load = Load::start(&app, "ticks", "tocks", PARTITIONS);
    let since = Instant::now();
    let second = app.start(1);
    let ticks = app.topic("ticks");
    eventually("it has half", || (second.partitions(&ticks).len() == 3).then_some(()));
    let moved = second.partitions(&ticks);
    wait_until_owned(&app, &[&first, &second]);
    let log = second.logged();
    // Who is asked for one may give the next as well, if that is warm by then.
    assert!((2..=3).contains(&log.matches("warmed up").count()), "one after the other");
    let replayed =
        log.lines().filter_map(|line| line.split("records=").nth(1)?.trim().parse().ok());
    assert!(replayed.max().unwrap_or(0) <= 1000, "it had nearly all of it");
    sleep(Duration::from_secs(1));
    let (sent, arrivals) = load.stop();
    for (partition, arrivals) in (0..).zip(&arrivals) {
        assert_eq!(arrivals.len() as u64, sent, "partition {partition}: each once");
        let (gap, patience) =
            (longest_gap(arrivals, since), if moved.contains(&partition) { 3 } else { 1 });
        assert!(gap < Duration::from_secs(patience), "partition {partition}: {gap:?}");
    }
}
