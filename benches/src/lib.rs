//! The word count that the comparison with other engines runs: counts per key in a table that is backed by its
//! changelog, and sends each changed count.

pub mod engine;
pub mod kafka;
pub mod steps;
pub mod tail;
pub mod words;

use faust::prelude::*;

/// A record whose key is the word; the value is not looked at.
#[topic("in")]
pub struct Keyed<'a> {
    /// The word.
    pub key: &'a str,
    /// Something that nobody reads.
    pub value: Lazy<'a, ()>,
}

/// A record without a key, whose value says the word.
#[topic("in")]
pub struct Line<'a> {
    /// The word.
    pub word: &'a str,
}

/// One use of a word, in the partition of the word.
#[topic("repartition")]
pub struct Word<'a> {
    /// The word.
    pub key: &'a str,
    /// Nothing more to say.
    pub value: (),
}

/// The newest count of a word.
#[topic("out")]
pub struct Total<'a> {
    /// The word.
    pub key: &'a str,
    /// How often it came.
    pub value: u64,
}

/// How often a word came.
#[table("counts")]
pub struct Count {
    /// The word.
    pub key: String,
    /// How often it came.
    pub value: u64,
}

#[agent]
async fn direct(
    word: Event<Keyed<'_>>,
    counts: Table<Count>,
    totals: Sink<Total<'_>>,
) -> Result<()> {
    let value = counts
        .update(word.key, |n| {
            *n += 1;
            *n
        })
        .await?;
    totals.send_latest(Total { key: word.key, value }).await
}

#[agent]
async fn rekey(line: Event<Line<'_>>, words: Sink<Word<'_>>) -> Result<()> {
    words.send(Word { key: line.word, value: () }).await
}

#[agent]
async fn shuffled(
    word: Event<Word<'_>>,
    counts: Table<Count>,
    totals: Sink<Total<'_>>,
) -> Result<()> {
    let value = counts
        .update(word.key, |n| {
            *n += 1;
            *n
        })
        .await?;
    totals.send_latest(Total { key: word.key, value }).await
}

/// Counts records that are keyed by their word.
#[app("bench", agents(direct))]
pub struct Direct;

/// Counts records that must be keyed by their word first.
#[app("bench", agents(rekey, shuffled))]
pub struct Shuffle;
