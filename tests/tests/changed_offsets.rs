//! Offsets that somebody else has changed do not fit the tables: a worker does not guess, it asks.

use faust_tests::{App, assert_rows};

const BEFORE: u64 = 5;

/// An app that has counted one word, ten times, and whose offset was then set back to five.
fn changed() -> App {
    let app = App::new(env!("CARGO_BIN_EXE_two_agents"), &["words"]);
    let words = vec![r#"{"word": "amen"}"#.to_string(); 10];
    app.send("words", &words);
    app.run_to_end();
    app.commit("words", app.partition("words", "amen"), BEFORE as i64);
    app
}

/// What the table says afterwards.
fn check(how: &str, count: u64) {
    let app = changed();
    let ended = app.run(&["--until-end", "--offsets", how]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let row = |n| [("amen".to_string(), n)].into();
    assert_rows(&app.rows("counts"), &row(count), how);
    assert_rows(&app.rows("letters"), &row(4 * count), how);
    // It is settled: nothing is asked again.
    app.run_to_end();
    assert_rows(&app.rows("counts"), &row(count), "afterwards");
}

#[test]
fn a_worker_refuses_to_start_and_names_everything() {
    let app = changed();
    let partition = app.partition("words", "amen");
    let refused = app.run(&["--until-end"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    let error = refused.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    for part in [
        &format!("group `{}`", app.id()),
        &format!("{}/{partition}", app.topic("words")),
        "offset 5",
        "--offsets accept",
        "--offsets restore",
        "--offsets reset",
    ] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
    // The position of the tables' last cut: ten records, and what transactions add.
    let then = error.split("where the tables are (").nth(1).unwrap();
    let then: u64 = then.split(')').next().unwrap().parse().unwrap();
    assert!(then >= 10, "{error}");
    assert_rows(&app.rows("counts"), &[("amen".into(), 10)].into(), "nothing was changed");
}

/// What does not pass by itself ends the worker; it is not tried for ever.
#[test]
fn a_worker_does_not_go_on_from_what_a_newer_version_of_it_has_committed() {
    let app = changed();
    let newer = r#"{"v":2,"by":"somebody","epoch":7,"cut":1,"time":0,"agents":{}}"#;
    app.commit_with("words", app.partition("words", "amen"), BEFORE as i64, newer);
    let refused = app.run(&["--until-end"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    let error = refused.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.contains("a newer version of it has run here"), "{error}");
}

#[test]
fn accept_keeps_the_tables_and_goes_on_from_the_offset() {
    check("accept", 10 + 10 - BEFORE);
}

#[test]
fn restore_goes_back_to_where_the_tables_are() {
    check("restore", 10);
}

#[test]
fn reset_begins_again() {
    check("reset", 10);
}
