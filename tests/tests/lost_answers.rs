//! Answers of brokers are lost while a worker starts: it asks again, and takes nothing for an answer that is none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use faust_broker::Broker;
use faust_tests::{App, assert_rows, lines};

/// The worker has lost its disk, and asks where its changelogs begin and end.
fn restored(guarantee: &str, fault: &str) {
    let broker = Broker::start(faust_broker::Config::default()).unwrap();
    let address = broker.bootstrap_servers();
    let app = App::at(&address, env!("CARGO_BIN_EXE_count"), &["texts", "lines", "words"])
        .set("guarantee", guarantee);
    app.send_text(&lines(0..200));
    let worker = app.start(0);
    app.wait_until_processed();
    let before = worker.own_rows("counts");
    assert!(!before.is_empty());
    worker.signal("INT");
    assert_eq!(worker.wait(), Some(0));
    for _ in 0..3 {
        std::fs::remove_dir_all(app.data(0)).unwrap();
        broker.faults().add(fault.parse().unwrap());
        let worker = app.start(0);
        worker.wait_until_ready();
        assert_rows(&worker.own_rows("counts"), &before, "the table");
        worker.kill();
    }
}

#[test]
fn a_table_is_restored_in_full_although_answers_about_its_changelog_are_lost() {
    restored("at_least_once", "ListOffsets lose-answer every=2 for=1s");
}

#[test]
fn a_table_is_restored_in_full_although_questions_about_its_changelog_are_lost() {
    restored("exactly_once", "ListOffsets drop every=2 for=1s");
}
