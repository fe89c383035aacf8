//! Real text, and what must come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;

const BIBLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/kjv.txt");

/// Some lines of a real text.
pub fn lines(range: Range<usize>) -> Vec<String> {
    let text = fs::read_to_string(BIBLE).unwrap();
    let lines: Vec<_> =
        text.lines().skip(range.start).take(range.len()).map(str::to_string).collect();
    assert_eq!(lines.len(), range.len(), "the text is that long");
    lines
}

/// The words of lines, as `count` splits them.
pub fn words(lines: &[String]) -> Vec<String> {
    lines.iter().flat_map(|line| line.split_whitespace()).map(str::to_lowercase).collect()
}

/// How often each word is there.
pub fn counted<S: AsRef<str>>(words: &[S]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word.as_ref().to_string()).or_default() += 1;
    }
    counts
}

/// How many letters all uses of each word have.
pub fn letters<S: AsRef<str>>(words: &[S]) -> BTreeMap<String, u64> {
    let counts = counted(words).into_iter();
    counts.map(|(word, n)| (word.clone(), n * word.chars().count() as u64)).collect()
}

/// Compares tables; where they differ, it shows where.
pub fn assert_rows(found: &BTreeMap<String, u64>, expected: &BTreeMap<String, u64>, what: &str) {
    let keys = found.keys().chain(expected.keys()).collect::<BTreeSet<_>>();
    let wrong: Vec<_> = keys
        .into_iter()
        .filter(|key| found.get(*key) != expected.get(*key))
        .map(|key| format!("{key}: {:?} instead of {:?}", found.get(key), expected.get(key)))
        .collect();
    let some = &wrong[..wrong.len().min(10)];
    assert!(wrong.is_empty(), "{what}: {} rows are wrong, such as {some:#?}", wrong.len());
}
