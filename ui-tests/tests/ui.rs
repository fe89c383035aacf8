//! Compiles the programs in `ui/` and compares what rustc prints with what is written down.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Messages are compared on this version alone.
const RUSTC: &str = "1.95";

#[test]
fn ui() {
    if !is_pinned() {
        println!("skipped: messages are those of rustc {RUSTC}");
        return;
    }
    let tests = trybuild::TestCases::new();
    for group in groups() {
        tests.compile_fail(group.join("*.rs"));
    }
}

/// The marks `//~` in a program are where the errors in its `.stderr` are, one each.
#[test]
fn one_error_a_mistake() {
    let mut seen = 0;
    for program in groups().iter().flat_map(|group| files(group)) {
        if program.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let printed = fs::read_to_string(program.with_extension("stderr")).unwrap_or_default();
        let marks = marks(&fs::read_to_string(&program).unwrap());
        assert_eq!(error_lines(&printed), marks, "{}", program.display());
        assert!(!marks.is_empty(), "{}: no mistake is marked", program.display());
        seen += 1;
    }
    assert!(seen >= 150, "{seen} programs");
}

fn is_pinned() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = Command::new(rustc).arg("--version").output().unwrap().stdout;
    String::from_utf8_lossy(&printed).starts_with(&format!("rustc {RUSTC}."))
}

/// The folders of programs with mistakes.
fn groups() -> Vec<PathBuf> {
    files(Path::new("ui")).into_iter().filter(|group| !group.ends_with("pass")).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The lines of a program that are marked, as often as they are.
fn marks(program: &str) -> Vec<usize> {
    let lines = program.lines().enumerate();
    lines.flat_map(|(n, line)| vec![n + 1; line.matches("//~").count()]).collect()
}

/// The line of the program that each error points at.
fn error_lines(printed: &str) -> Vec<usize> {
    let mut lines = printed.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("error") {
            let place = lines.find_map(|line| line.trim_start().strip_prefix("--> ")).unwrap();
            found.push(place.rsplit(':').nth(1).unwrap().parse().unwrap());
        }
    }
    found.sort_unstable();
    found
}
