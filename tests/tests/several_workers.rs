//! Several workers share the work, take it over from those that are killed, and answer for each other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests, and what they share")]

use faust_tests::{App, Worker, assert_rows, counted, eventually, lines, moment, words};
use std::thread::sleep;

const WORKERS: usize = 3;
const LINES: usize = 150;

fn start_all(app: &App) -> Vec<Option<Worker>> {
    (0..WORKERS).map(|n| Some(app.start(n))).collect()
}

/// Workers `0..WORKERS`, each killed once, in turn, while there is work; started again when all of it is done but the
/// last part.
#[test]
fn killed_and_started_in_turns_they_count_exactly_and_answer_for_each_other() {
    let app = App::new(env!("CARGO_BIN_EXE_count"), &["texts", "lines", "words"]);
    app.send_text(&lines(0..LINES));
    let mut workers = start_all(&app);
    for n in 0..WORKERS {
        for worker in workers.iter().flatten() {
            worker.wait_until_ready();
        }
        app.send_text(&lines((n + 1) * LINES..(n + 2) * LINES));
        sleep(moment(5, n as u64, 1000));
        workers[n].take().unwrap().kill();
        workers[n] = Some(app.start(n));
    }
    let workers: Vec<_> = workers.into_iter().flatten().collect();
    app.wait_until_processed();
    let words = words(&lines(0..(WORKERS + 1) * LINES));
    let expected = counted(&words);
    // It takes a moment until each knows where the others are now.
    for worker in &workers {
        eventually("it knows all rows", || {
            (worker.all_rows("counts")?.len() == expected.len()).then_some(())
        });
        assert_rows(&worker.all_rows("counts").unwrap(), &expected, "the table");
    }
    assert_rows(&counted(&app.keys("words")), &expected, "the topic");
    check_answers(&workers, &expected);
}

/// Each worker answers for every word, by page and by table; and none has all of them.
fn check_answers(workers: &[Worker], expected: &std::collections::BTreeMap<String, u64>) {
    let mut owned = 0;
    for worker in workers {
        let own = worker.own_rows("counts");
        assert!(own.len() < expected.len(), "one worker has everything");
        owned += own.len();
        for word in ["the", "god", "and", "light", "waters", "of"] {
            let n = expected[word];
            assert_eq!(worker.get(&format!("/count/{word}")), (200, n.to_string()));
            assert_eq!(worker.get(&format!("/trend/{word}")), (200, n.to_string()));
            let row = format!("{{\"key\": \"{word}\", \"value\": {n}}}\n");
            assert_eq!(worker.get(&format!("/table/counts/{word}")), (200, row));
        }
        assert_eq!(worker.get("/count/nonsuch"), (200, "null".into()));
        assert_eq!(worker.get("/trend/nonsuch"), (200, "0".into()));
        assert_eq!(worker.get("/table/counts/nonsuch").0, 404);
    }
    assert_eq!(owned, expected.len(), "each row is in one place");
}
