//! Where a group begins that has never read a topic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use faust_tests::{App, Record, assert_rows, eventually};
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn send(app: &App, word: &str) {
    let value = format!(r#"{{"word": "{word}"}}"#).into_bytes();
    app.produce("words", &Record { key: Some(word.into()), value, headers: Vec::new() });
}

/// Sends words before a moment, after it, and when the worker runs; what it counts with this start.
fn check(start: fn(&str) -> String, expected: &[&str]) {
    let app = App::new(env!("CARGO_BIN_EXE_two_agents"), &["words"]);
    app.create_topic("words", 2);
    send(&app, "old");
    sleep(Duration::from_millis(50));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let moment = faust::Timestamp::from_millis(now).to_string();
    sleep(Duration::from_millis(50));
    send(&app, "newer");
    let app = app.set("start", &start(&moment));
    let worker = app.start(0);
    worker.wait_until_ready();
    send(&app, "newest");
    let expected: BTreeMap<String, u64> =
        expected.iter().map(|word| (word.to_string(), 1)).collect();
    eventually("everything is counted", || {
        worker.own_rows("counts").contains_key("newest").then_some(())
    });
    app.wait_until_processed();
    assert_rows(&worker.own_rows("counts"), &expected, &start(&moment));
}

#[test]
fn earliest_is_the_oldest_record() {
    check(|_| "earliest".into(), &["old", "newer", "newest"]);
}

#[test]
fn latest_is_what_comes_after_the_start() {
    check(|_| "latest".into(), &["newest"]);
}

#[test]
fn a_time_is_the_first_record_of_that_time_or_later() {
    check(|moment| moment.into(), &["newer", "newest"]);
}
