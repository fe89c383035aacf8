//! Stopping: what is in flight is finished and committed, unless it is asked for a second time.

use faust_tests::{App, assert_rows, counted, eventually, lines, words};
use std::thread::sleep;
use std::time::Duration;

const LINES: usize = 20_000;

/// A worker is stopped in the middle of its work, and started again. It sends at least once: had the first not
/// committed what it sent, the second would send it again.
fn check(signal: &str) {
    let app = App::new(env!("CARGO_BIN_EXE_count"), &["texts", "lines", "words"])
        .set("guarantee", "at_least_once");
    app.send_text(&lines(0..LINES));
    let worker = app.start(0);
    worker.wait_until_at_work("count");
    worker.signal(signal);
    assert_eq!(worker.wait(), Some(0));
    assert!(!app.is_processed(), "it was not stopped in the middle");
    app.run_to_end();
    let words = words(&lines(0..LINES));
    assert_rows(&app.rows("counts"), &counted(&words), "the table");
    assert_rows(&counted(&app.keys("words")), &counted(&words), "nothing is replayed");
}

#[test]
fn ctrl_c_finishes_and_commits() {
    check("INT");
}

#[test]
fn sigterm_finishes_and_commits() {
    check("TERM");
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let app = App::new(env!("CARGO_BIN_EXE_faulty"), &["orders"]);
    app.send("orders", &[r#"{"item": "clock", "fault": "hang"}"#.into()]);
    let mut worker = app.start(0);
    worker.wait_until_printed("clock hangs");
    worker.signal("INT");
    eventually("it stops", || worker.logged().contains("stopping").then_some(()));
    assert!(worker.is_running(), "the event is not done");
    worker.signal("INT");
    assert_eq!(worker.wait(), Some(130));
}

/// The group waits for a dead member, and answers nobody meanwhile: what was done is committed all the same.
#[test]
fn a_group_that_waits_for_a_dead_member_makes_no_stop_a_failure() {
    let app = App::new(env!("CARGO_BIN_EXE_count"), &["texts", "lines", "words"]);
    let (dies, stops) = (app.start(0), app.start(1));
    app.send_text(&lines(0..50));
    app.wait_until_processed();
    dies.wait_until_ready();
    stops.wait_until_ready();
    dies.kill();
    // Somebody new makes everybody join again, the dead one too.
    let joins = app.start(2);
    joins.wait_until_printed("commits");
    // It joins as soon as it has said so.
    sleep(Duration::from_secs(1));
    stops.signal("TERM");
    assert_eq!(stops.wait(), Some(0));
}

#[test]
fn until_end_ends_when_everything_is_processed() {
    let app = App::new(env!("CARGO_BIN_EXE_count"), &["texts", "lines", "words"]);
    app.send_text(&lines(0..50));
    app.run_to_end();
    assert!(app.is_processed());
    assert_rows(&app.rows("counts"), &counted(&words(&lines(0..50))), "the table");
}
