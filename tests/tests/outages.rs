//! The broker goes away and comes back: the same worker goes on, says what happened, and every count is exact.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use faust_tests::{App, BrokerProcess, assert_rows, counted, eventually, lines, words};
use std::thread::sleep;
use std::time::Duration;

const LINES: usize = 3_000;

/// How long an outage takes: longer than a session, so that the group has lost the worker. `FAUST_TEST_OUTAGE` gives
/// other seconds.
fn outage() -> Duration {
    let seconds = std::env::var("FAUST_TEST_OUTAGE").map_or(13, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

/// One worker through an outage in the middle of its work.
fn check(guarantee: &str, go: fn(&mut BrokerProcess), come_back: fn(&mut BrokerProcess)) {
    let mut broker = BrokerProcess::start(env!("CARGO_BIN_EXE_broker"));
    let app = App::at(&broker.address(), env!("CARGO_BIN_EXE_count"), &["texts", "lines", "words"])
        .set("guarantee", guarantee);
    app.send_text(&lines(0..LINES));
    let mut worker = app.start(0);
    worker.wait_until_at_work("count");
    go(&mut broker);
    sleep(outage());
    assert!(worker.get("/metrics").1.contains("faust_broker_up 0"), "it is noticed");
    assert!(worker.logged().contains("has not answered since"), "{}", worker.logged());
    come_back(&mut broker);
    eventually("it says that it goes on", || {
        worker.logged().contains("answers again").then_some(())
    });
    app.send_text(&lines(LINES..LINES + 100));
    app.wait_until_processed();
    assert!(worker.is_running(), "the same process: {}", worker.logged());
    assert!(worker.get("/metrics").1.contains("faust_broker_up 1"));
    let exact = counted(&words(&lines(0..LINES + 100)));
    let topic = counted(&app.keys("words"));
    match guarantee {
        "exactly_once" => assert_rows(&topic, &exact, "the topic"),
        _ => exact.iter().for_each(|(word, n)| assert!(topic[word] >= *n, "`{word}` is lost")),
    }
    let expected = if guarantee == "exactly_once" { exact } else { topic };
    assert_rows(&worker.own_rows("counts"), &expected, "the table");
    assert_rows(&worker.own_rows("trend"), &expected, "the windows");
    worker.signal("INT");
    assert_eq!(worker.wait(), Some(0));
}

fn pause(broker: &mut BrokerProcess) {
    broker.pause();
}

fn resume(broker: &mut BrokerProcess) {
    broker.resume();
}

#[test]
fn a_broker_that_answers_nobody_for_a_while_costs_nothing_under_exactly_once() {
    check("exactly_once", pause, resume);
}

#[test]
fn a_broker_that_answers_nobody_for_a_while_costs_nothing_under_at_least_once() {
    check("at_least_once", pause, resume);
}

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_nothing_under_exactly_once() {
    check("exactly_once", BrokerProcess::kill, BrokerProcess::restart);
}

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_nothing_under_at_least_once() {
    check("at_least_once", BrokerProcess::kill, BrokerProcess::restart);
}
