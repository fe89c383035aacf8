//! Two agents on one topic go at their own pace, and a killed worker goes on for each from where it was.

use faust_tests::{App, assert_rows, counted, letters, lines, moment, words};
use std::thread::sleep;

#[test]
fn both_tables_are_exact_after_kills() {
    let app = App::new(env!("CARGO_BIN_EXE_two_agents"), &["words"]);
    let words = words(&lines(0..4));
    let values: Vec<_> =
        words.iter().map(|word| serde_json::json!({ "word": word }).to_string()).collect();
    app.send("words", &values);
    for n in 0..4 {
        let worker = app.start(0);
        worker.wait_until_ready();
        sleep(moment(3, n, 1000));
        worker.kill();
    }
    app.run_to_end();
    assert_rows(&app.rows("counts"), &counted(&words), "the fast one");
    assert_rows(&app.rows("letters"), &letters(&words), "the slow one");
}
