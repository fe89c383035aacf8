//! Tables in files, and back: what came behind the backup is read from the changelog.

use faust_tests::{App, Worker, assert_rows, counted, lines, words};
use std::fs;

const LINES: usize = 300;

fn replayed(worker: &Worker) -> u64 {
    let log = worker.logged();
    let recovered = log.lines().filter(|line| line.contains("recovered"));
    recovered.filter_map(|line| line.split("records=").nth(1)?.trim().parse::<u64>().ok()).sum()
}

/// An app that has counted some lines, a backup of that, and more lines that it has counted since.
fn backed_up() -> (App, String) {
    let app = App::new(env!("CARGO_BIN_EXE_count"), &["texts", "lines", "words"]);
    app.send_text(&lines(0..LINES));
    app.run_to_end();
    let folder = app.folder().join("backup").display().to_string();
    let done = app.run(&["backup", &folder]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("rows of"), "{}", done.stdout);
    app.send_text(&lines(LINES..LINES + 20));
    app.run_to_end();
    (app, folder)
}

#[test]
fn a_new_disk_begins_with_the_backup_and_reads_the_rest_from_the_changelog() {
    let (app, folder) = backed_up();
    fs::remove_dir_all(app.data(0)).unwrap();
    let done = app.run(&["restore", &folder]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let worker = app.start(0);
    worker.wait_until_ready();
    assert_rows(&worker.own_rows("counts"), &counted(&words(&lines(0..LINES + 20))), "restored");
    let (replayed, all) = (replayed(&worker), app.changelog("counts").len() as u64);
    assert!(replayed > 0 && replayed < all / 2, "{replayed} of {all}");
    worker.signal("INT");
    assert_eq!(worker.wait(), Some(0));
}

#[test]
fn a_store_that_is_further_than_the_backup_stays() {
    let (app, folder) = backed_up();
    let done = app.run(&["restore", &folder]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("further already"), "{}", done.stdout);
    assert_rows(&app.rows("counts"), &counted(&words(&lines(0..LINES + 20))), "as it was");
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let (app, folder) = backed_up();
    fs::remove_dir_all(app.data(0)).unwrap();
    let refused = |app: &App, what: &str| {
        let done = app.run(&["restore", &folder]);
        assert_eq!(done.code, Some(1), "{what}");
        assert!(done.stderr.contains(what), "{what}: {}", done.stderr);
    };
    let counts: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("counts-"))
        .collect();
    let path = counts.first().expect("a file of a partition");
    let whole = fs::read(path).unwrap();
    fs::write(path, &whole[..whole.len() - 2]).unwrap();
    refused(&app, "ends too soon");
    fs::write(path, &whole).unwrap();
    // Another app, with topics of its own: whatever rows it has are the backup's.
    let other = format!("{}-other", app.id());
    let app = app.set("id", &other).set("topic_prefix", &format!("{other}."));
    refused(&app, "it belongs to");
    let worker = app.start(0);
    worker.wait_until_ready();
    assert!(worker.own_rows("counts").is_empty(), "nothing was written");
    worker.signal("INT");
    assert_eq!(worker.wait(), Some(0));
}
