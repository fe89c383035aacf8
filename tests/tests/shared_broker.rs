//! Processes that are given no broker share the development broker of their data folder.

use faust_tests::{App, assert_rows, counted, is_development_broker, lines, words};

const LINES: usize = 150;

#[test]
fn the_broker_outlives_its_process_in_the_next_one_and_state_outlives_both() {
    if !is_development_broker() {
        return;
    }
    let app = App::sharing(env!("CARGO_BIN_EXE_count"), &["texts", "lines", "words"]);
    let first = app.start(0);
    first.wait_until_printed("in this process");
    let second = app.start(0);
    second.wait_until_printed("in another process");
    app.send_text(&lines(0..LINES));
    for worker in [&first, &second] {
        worker.wait_until_ready();
    }
    // The broker's process dies in the middle of the work.
    first.kill();
    app.send_text(&lines(LINES..2 * LINES));
    app.wait_until_processed();
    let expected = counted(&words(&lines(0..2 * LINES)));
    second.wait_until_ready();
    assert_rows(&second.own_rows("counts"), &expected, "in the second process");
    second.kill();

    // Nobody is left: the next process finds everything.
    app.send_text(&lines(2 * LINES..3 * LINES));
    app.run_to_end();
    let expected = counted(&words(&lines(0..3 * LINES)));
    assert_rows(&app.rows("counts"), &expected, "in a third process");
}
