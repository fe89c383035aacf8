//! Programs in the documentation compile, those in pages beside the code as well, and the tests that it names are there.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

/// A page with a program is one of those whose programs `cargo test` compiles, in `faust-runtime/src/lib.rs`.
#[test]
fn pages_with_programs_are_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let compiled = fs::read_to_string(root.join("faust-runtime/src/lib.rs")).unwrap();
    let mut with_programs = 0;
    for folder in [".", "docs", "benches", "ui-tests"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            if has_program(&fs::read_to_string(&path).unwrap()) {
                let page = path.strip_prefix(root).unwrap().to_string_lossy().replace("./", "");
                let include = format!("include_str!(\"../../{page}\")");
                assert!(compiled.contains(&include), "nobody compiles the programs in {page}");
                with_programs += 1;
            }
        }
    }
    assert!(with_programs > 0);
}

/// Whether a block of code is Rust, which is what rustdoc takes a block without a word to be.
fn has_program(page: &str) -> bool {
    let fences = page.lines().filter_map(|line| line.trim_start().strip_prefix("```"));
    let is_rust = |words: &str| {
        words.is_empty()
            || words.starts_with("rust") && !words.split(',').any(|word| word == "ignore")
    };
    fences.step_by(2).any(is_rust)
}

/// The last column of its tables names, after a file, the tests in it.
#[test]
fn tests_that_the_page_of_defects_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join("docs/defects-of-faust.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with('|')).map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{row}");
        (cells[0], cells[2])
    });
    let mut shown = 0;
    for (defect, tests) in rows.filter(|(_, tests)| *tests != "shown by" && *tests != "---") {
        let (mut file, mut source, mut named) = ("", String::new(), 0);
        for word in tests.split('`').skip(1).step_by(2) {
            if word.ends_with(".rs") {
                file = word;
                source = fs::read_to_string(root.join(file)).unwrap_or_default();
            } else {
                assert!(is_test(&source, word), "there is no test `{word}` in `{file}`");
                named += 1;
            }
        }
        assert!(named > 0, "no test shows what holds instead of: {defect}");
        shown += 1;
    }
    assert!(shown > 30, "{shown} defects");
}

/// Whether a function of this name is a test that is run.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim_start).collect();
    let head = format!("fn {name}()");
    let at = lines
        .iter()
        .position(|line| line.strip_prefix("async ").unwrap_or(line).starts_with(&head));
    let Some(at) = at else { return false };
    let above = lines[..at].iter().rev().take_while(|line| line.starts_with(['#', '/']));
    let attributes: Vec<_> = above.filter(|line| line.starts_with('#')).collect();
    let test = |line: &&&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    attributes.iter().any(test) && !attributes.iter().any(|line| line.starts_with("#[ignore"))
}
