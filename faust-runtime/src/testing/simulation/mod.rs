//! Kills between any two steps: of a cut, of a hand-over, of recovery. After each the tables must be what a
//! sequential run gives, and under exactly-once the outputs as well.

mod app;
mod errors;
mod gaps;
mod hand_overs;
mod kills;
mod offsets;
mod restored;
mod standbys;
mod starts;
mod tables;
mod world;

use super::app::pause;
use crate::Guarantee;
use app::Closing;
use std::collections::BTreeMap;
use world::{Member, World};

const LINES: &[&str] = &[
    "in the beginning god created the heaven and the earth",
    "and the earth was without form and void",
    "and god said let there be light and there was light",
    "and god saw the light that it was good",
    "and the evening and the morning were the first day",
    // These come an hour later: all windows before them close.
    "in the beginning god created the heaven and the earth",
    "and god said let there be light and there was light",
];
const LATER: usize = 5;

fn counted<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word.to_string()).or_default() += 1;
    }
    counts
}

/// What must hold when everything is processed, whatever happened before.
fn check(world: &World, members: &[&Member], what: &str) {
    let words = world.cluster.records("words");
    let recount =
        counted(words.iter().map(|seen| std::str::from_utf8(seen.key.as_ref().unwrap()).unwrap()));
    let exact = counted(LINES.iter().flat_map(|line| line.split(' ')));
    let (mut counts, mut lengths) = (BTreeMap::new(), BTreeMap::new());
    for member in members {
        counts.extend(member.rows("counts"));
        lengths.extend(member.rows("lengths"));
    }
    assert_eq!(counts, recount, "{what}: the table is a recount of its topic");
    let by_length = recount.iter().map(|(word, n)| (word.clone(), n * word.len() as u64)).collect();
    assert_eq!(lengths, by_length, "{what}: so is the other agent's table");
    check_closings(world, members, what);
    let totals = world.totals();
    match world.guarantee {
        Guarantee::ExactlyOnce => {
            assert_eq!(recount, exact, "{what}: each word once");
            for (word, n) in &exact {
                let all: Vec<u64> = (1..=*n).collect();
                assert_eq!(totals[word], all, "{what}: each total of `{word}` once, in order");
            }
        }
        Guarantee::AtLeastOnce => {
            for (word, n) in &exact {
                assert!(recount[word] >= *n, "{what}: no `{word}` is lost");
                assert_eq!(
                    totals[word].iter().max(),
                    Some(&recount[word]),
                    "{what}: the last total of `{word}`"
                );
            }
        }
    }
}

/// Each row of a window that has closed was given to the closer with its last value: once as far as its table and, under
/// exactly-once, its outputs show.
fn check_closings(world: &World, members: &[&Member], what: &str) {
    let mut rows: BTreeMap<(i64, String), u64> = BTreeMap::new();
    let mut sums = BTreeMap::new();
    for member in members {
        rows.extend(
            member.windows("trend").into_iter().filter(|((start, _), _)| *start < 3_600_000),
        );
        sums.extend(member.rows("closed"));
    }
    let mut closings: BTreeMap<(i64, String), Vec<u64>> = BTreeMap::new();
    for seen in world.cluster.records("closings") {
        let Closing { word, start, n } = serde_json::from_slice(&seen.value.unwrap()).unwrap();
        closings.entry((start, word)).or_default().push(n);
    }
    let mut by_word: BTreeMap<String, u64> = BTreeMap::new();
    for ((_, word), n) in &rows {
        *by_word.entry(word.clone()).or_default() += n;
    }
    assert_eq!(sums, by_word, "{what}: each closed row counts once");
    assert!(rows.len() > 8, "{what}: {rows:?}");
    if world.guarantee == Guarantee::ExactlyOnce {
        let once = rows.into_iter().map(|(row, n)| (row, vec![n])).collect();
        assert_eq!(closings, once, "{what}: each closed row is sent once");
    } else {
        let last: BTreeMap<_, _> =
            closings.into_iter().map(|(row, n)| (row, *n.last().unwrap())).collect();
        assert_eq!(last, rows, "{what}: each closed row is sent");
    }
}

/// Steps of a numbered seed: reproducible, spread over everything.
fn pick(seed: u64, below: u64) -> u64 {
    (seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) % below.max(1) + 1
}
