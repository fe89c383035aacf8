//! What goes wrong outside of the engine: it says what, names it, and the rest goes on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests, and what they share")]

use faust_tests::{App, Finished, Record, assert_rows, counted, lines, words};
use std::fs;
use std::net::TcpListener;

fn count() -> App {
    App::new(env!("CARGO_BIN_EXE_count"), &["texts", "lines", "words"])
}

fn faulty() -> App {
    App::new(env!("CARGO_BIN_EXE_faulty"), &["orders"])
}

/// It ends with this exit code, and one error that has all of these parts.
fn check(finished: &Finished, code: i32, parts: &[&str]) {
    assert_eq!(finished.code, Some(code), "{}", finished.stderr);
    let errors: Vec<_> =
        finished.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{}", finished.stderr);
    for part in parts {
        assert!(errors[0].contains(part), "`{part}` is not in: {}", errors[0]);
    }
}

#[test]
fn no_broker_at_the_address() {
    // Nobody listens at a port that was just given back.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let app = count().set("broker", &address).set("broker_timeout", "2s");
    check(&app.run(&[]), 1, &[&address]);
}

#[test]
fn a_topic_with_another_partition_count() {
    let app = count();
    app.create_topic("words", 3);
    check(&app.run(&[]), 1, &[&app.topic("words"), " 3 ", " 4"]);
}

#[test]
fn a_setting_that_does_not_exist() {
    let app = count().set("comit_interval", "1s");
    check(&app.run(&[]), 2, &["FAUST_COMIT_INTERVAL", "`comit_interval`", "`commit_interval`"]);
}

#[test]
fn a_setting_of_another_type() {
    let app = count();
    fs::write(app.folder().join("faust.toml"), "# Ours.\nshards = \"many\"\n").unwrap();
    check(&app.run(&[]), 2, &["faust.toml:2", "`shards`", "many", "whole number"]);
    check(&count().run(&["--shards", "0"]), 2, &["--shards", "`shards`", "`0`"]);
}

#[test]
fn a_web_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    check(&count().run(&["--web-port", &port]), 1, &[&port, "in use", "--web-port"]);
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let app = count();
    let file = app.folder().join("file");
    fs::write(&file, "not a folder").unwrap();
    let data = file.join("data").display().to_string();
    check(&app.run(&["--data", &data]), 1, &[&data, "--data"]);
}

fn json(item: &str, fault: &str) -> String {
    match fault {
        "" => format!(r#"{{"item": "{item}"}}"#),
        fault => format!(r#"{{"item": "{item}", "fault": "{fault}"}}"#),
    }
}

#[test]
fn an_undecodable_record_goes_to_the_dead_letters_and_the_rest_goes_on() {
    let app = faulty();
    app.send("orders", &[json("apple", "")]);
    let bad = Record {
        key: Some("pear".into()),
        value: b"{\"item\": \xFF".to_vec(),
        headers: vec![("trace".into(), "7".into())],
    };
    app.produce("orders", &bad);
    app.send("orders", &[json("plum", "")]);
    app.run_to_end();
    assert_rows(&app.rows("sales"), &counted(&["apple", "plum"]), "the table");
    let letters = app.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!((&letters[0].key, &letters[0].value), (&bad.key, &bad.value));
    for (name, value) in [
        ("trace", "7"),
        ("faust-agent", "sell"),
        ("faust-attempts", "0"),
        ("faust-topic", &app.topic("orders")),
        ("faust-partition", "0"),
        ("faust-offset", "1"),
    ] {
        assert_eq!(letters[0].header(name), Some(value), "{name}");
    }
    assert!(letters[0].header("faust-error").is_some_and(|error| !error.is_empty()));
}

/// An event that fails leaves nothing but its dead letter; what comes before and after it counts.
fn check_fault(fault: &str, error: &str) {
    for guarantee in ["exactly_once", "at_least_once"] {
        let app = faulty().set("guarantee", guarantee);
        let orders = [json("apple", ""), json("pear", fault), json("apple", "")];
        app.send("orders", &orders);
        app.run_to_end();
        assert_rows(&app.rows("sales"), &counted(&["apple", "apple"]), guarantee);
        assert_eq!(app.keys("receipts"), ["apple", "apple"], "{guarantee}");
        let letters = app.dead_letters();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].value, orders[1].as_bytes());
        // Once, and three retries.
        assert_eq!(letters[0].header("faust-attempts"), Some("4"));
        assert!(letters[0].header("faust-error").unwrap().contains(error), "{letters:?}");
    }
}

#[test]
fn of_an_event_that_fails_nothing_remains() {
    check_fault("error", "pear is sold out");
}

#[test]
fn of_an_event_that_panics_nothing_remains() {
    check_fault("panic", "pear broke");
}

/// The folder of another app is no place for this one: its rows are not taken over.
#[test]
fn a_store_of_another_app_is_not_used() {
    let (ours, theirs) = (count(), count());
    theirs.send_text(&lines(0..20));
    theirs.run_to_end();
    ours.send_text(&lines(20..40));
    let data = theirs.data(0).display().to_string();
    let ended = ours.run(&["--data", &data, "--until-end"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let ours = ours.set("data", &data);
    assert_rows(&ours.rows("counts"), &counted(&words(&lines(20..40))), "the table");
}
