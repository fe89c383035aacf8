//! The program under test of most behaviours: it reads texts, splits their lines and counts their words.
use faust::prelude::*;
use std::fs;
use std::path::PathBuf;

/// A text to be counted, by its path.
#[topic("texts", partitions = 1)]
struct Text {
    path: PathBuf,
}

/// A line of text.
#[topic("lines", partitions = 4)]
struct Line {
    text: String,
}

/// One use of a word.
#[topic("words", key = word, partitions = 4)]
struct Word {
    word: String,
}

/// How often a word was used.
#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

/// How often a word was used in one minute, kept for an hour.
#[table("trend", window = tumbling(1min), expires = 1h)]
struct Trend {
    key: String,
    value: u64,
}

/// Reads a text: one event, whose lines are all there, once, or none is.
#[agent]
async fn read(text: Event<Text>, lines: Sink<Line>) -> Result<()> {
    for line in fs::read_to_string(&text.path)?.lines() {
        lines.send(Line { text: line.into() }).await?;
    }
    Ok(())
}

/// Splits lines into words, so that each word meets its own partition.
#[agent]
async fn split(line: Event<Line>, words: Sink<Word>) -> Result<()> {
    for word in line.text.split_whitespace() {
        words.send(Word { word: word.to_lowercase() }).await?;
    }
    Ok(())
}

/// Counts a word and replies with its new count.
#[agent]
async fn count(word: Event<Word>, counts: Table<Count>, trend: Table<Trend>) -> Result<u64> {
    trend.at(&word).update(&word.word, |n| *n += 1).await?;
    counts
        .update(&word.word, |n| {
            *n += 1;
            *n
        })
        .await
}

#[page("/count/{word}")]
async fn count_of(Path(word): Path<String>, counts: View<Count>) -> Result<Json<Option<u64>>> {
    Ok(Json(counts.get(&word).await?))
}

#[page("/trend/{word}")]
async fn trend_of(Path(word): Path<String>, trend: View<Trend>) -> Result<Json<u64>> {
    Ok(Json(trend.windows(&word).await?.into_iter().map(|(_, n)| n).sum()))
}

#[page("/vote/{word}", method = post)]
async fn vote(Path(word): Path<String>, count: Ask<count>) -> Result<Json<u64>> {
    Ok(Json(count.ask(Word { word }).await?))
}

#[app("count", agents(read, split, count), pages(count_of, trend_of, vote))]
struct Counting;

fn main() -> std::process::ExitCode {
    faust::main::<Counting>()
}
