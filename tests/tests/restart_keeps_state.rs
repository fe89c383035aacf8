//! State outlives the process: it is on the disk, and where the disk is gone, in the changelog.

use faust_tests::{App, Worker, assert_rows, counted, eventually, lines, words};
use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

const LINES: usize = 300;

/// An app that has counted some lines, in a worker that still runs.
fn counted_app() -> (App, Worker, BTreeMap<String, u64>) {
    let app = App::new(env!("CARGO_BIN_EXE_count"), &["texts", "lines", "words"]);
    app.send_text(&lines(0..LINES));
    let worker = app.start(0);
    app.wait_until_processed();
    (app, worker, counted(&words(&lines(0..LINES))))
}

/// Starts it again: the rows are there, without any work.
fn check(app: &App, expected: &BTreeMap<String, u64>) -> u64 {
    let worker = app.start(0);
    worker.wait_until_ready();
    assert_rows(&worker.own_rows("counts"), expected, "after a restart");
    let replayed = replayed(&worker.logged());
    worker.signal("INT");
    assert_eq!(worker.wait(), Some(0));
    replayed
}

/// How many changelog records the worker has read back.
fn replayed(log: &str) -> u64 {
    let recovered = log.lines().filter(|line| line.contains("recovered"));
    recovered.filter_map(|line| line.split("records=").nth(1)?.trim().parse::<u64>().ok()).sum()
}

fn changelog(app: &App) -> u64 {
    ["counts", "trend"].iter().map(|table| app.changelog(table).len() as u64).sum()
}

#[test]
fn after_a_clean_stop_nothing_is_read_back() {
    let (app, worker, expected) = counted_app();
    worker.signal("INT");
    assert_eq!(worker.wait(), Some(0));
    assert_eq!(check(&app, &expected), 0);
}

#[test]
fn after_a_kill_only_the_last_second_is_read_back() {
    let (app, worker, expected) = counted_app();
    // Rows are written behind commits, once a second.
    sleep(Duration::from_millis(2500));
    worker.kill();
    let (replayed, all) = (check(&app, &expected), changelog(&app));
    assert!(replayed < all / 2, "{replayed} of {all} records");
}

#[test]
fn a_deleted_data_folder_is_restored_from_the_changelog() {
    let (app, worker, expected) = counted_app();
    worker.signal("INT");
    assert_eq!(worker.wait(), Some(0));
    let all = changelog(&app);
    fs::remove_dir_all(app.data(0)).unwrap();
    assert_eq!(check(&app, &expected), all);
    assert_rows(&app.rows("counts"), &expected, "on the disk again");
}

#[test]
fn a_killed_worker_whose_disk_is_gone_is_replaced_by_another() {
    let (app, worker, expected) = counted_app();
    worker.kill();
    let other = app.start(1);
    eventually("the other has everything", || {
        (other.get("/health/ready").0 == 200 && other.own_rows("counts") == expected).then_some(())
    });
}
