//! `kill -9` at any moment: nothing is lost, and nothing is counted twice.

use faust_tests::{App, assert_rows, counted, lines, moment, words};
use std::thread::sleep;

const KILLS: usize = 10;
const LINES: usize = 150;

/// Each time there is more to do, and the worker is killed at some moment between its start and the time when it would
/// be done.
fn kill_ten_times(guarantee: &str, seed: u64) -> App {
    let app = App::new(env!("CARGO_BIN_EXE_count"), &["texts", "lines", "words"])
        .set("guarantee", guarantee);
    let mut interrupted = 0;
    for n in 0..KILLS {
        app.send_text(&lines(n * LINES..(n + 1) * LINES));
        let worker = app.start(0);
        worker.wait_until_printed("commits");
        sleep(moment(seed, n as u64, 500));
        worker.kill();
        interrupted += usize::from(!app.is_processed());
    }
    assert!(interrupted > KILLS / 3, "only {interrupted} kills found anything to interrupt");
    app.run_to_end();
    app
}

fn all_words() -> Vec<String> {
    words(&lines(0..KILLS * LINES))
}

#[test]
fn under_exactly_once_every_count_is_exact_and_every_word_is_there_once() {
    let app = kill_ten_times("exactly_once", 1);
    let exact = counted(&all_words());
    assert_rows(&app.rows("counts"), &exact, "the table");
    assert_rows(&app.rows("trend"), &exact, "the windows");
    assert_rows(&counted(&app.keys("words")), &exact, "the topic");
}

#[test]
fn under_at_least_once_no_word_is_lost_and_the_table_is_a_recount_of_its_topic() {
    let app = kill_ten_times("at_least_once", 2);
    let recount = counted(&app.keys("words"));
    assert_rows(&app.rows("counts"), &recount, "the table");
    assert_rows(&app.rows("trend"), &recount, "the windows");
    for (word, n) in counted(&all_words()) {
        assert!(recount[&word] >= n, "`{word}` is there {} times of {n}", recount[&word]);
    }
}
