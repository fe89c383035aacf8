//! The app that is killed: it splits lines, counts words in two tables, and sends each total.

use crate::prelude::*;
use std::time::Duration;
use tokio::time::sleep;

#[topic("lines", partitions = 2, crate = crate)]
pub(super) struct Line {
    pub(super) text: String,
}

#[topic("words", key = word, partitions = 2, crate = crate)]
pub(super) struct Word {
    pub(super) word: String,
}

#[topic("totals", key = word, partitions = 2, crate = crate)]
pub(super) struct Total {
    pub(super) word: String,
    pub(super) n: u64,
}

#[table("counts", crate = crate)]
pub(super) struct Count {
    pub(super) key: String,
    pub(super) value: u64,
}

#[table("lengths", crate = crate)]
pub(super) struct Length {
    pub(super) key: String,
    pub(super) value: u64,
}

#[topic("closings", key = word, partitions = 2, crate = crate)]
pub(super) struct Closing {
    pub(super) word: String,
    pub(super) start: i64,
    pub(super) n: u64,
}

/// Over all windows that have closed.
#[table("closed", crate = crate)]
pub(super) struct ClosedTotal {
    pub(super) key: String,
    pub(super) value: u64,
}

#[table("trend", window = tumbling(1min), grace = 10s, expires = 10h, crate = crate)]
pub(super) struct Trend {
    pub(super) key: String,
    pub(super) value: u64,
}

#[agent(crate = crate)]
pub(super) async fn split(line: Event<Line>, words: Sink<Word>) -> Result<()> {
    for word in line.text.split_whitespace() {
        words.send(Word { word: word.into() }).await?;
    }
    Ok(())
}

#[agent(crate = crate)]
pub(super) async fn count(
    word: Event<Word>,
    counts: Table<Count>,
    trend: Table<Trend>,
    totals: Sink<Total>,
) -> Result<u64> {
    trend.at(&word).update(&word.word, |n| *n += 1).await?;
    let n = counts
        .update(&word.word, |n| {
            *n += 1;
            *n
        })
        .await?;
    totals.send(Total { word: word.word.clone(), n }).await?;
    Ok(n)
}

/// Slow, and with several lanes.
#[agent(concurrency = 3, crate = crate)]
pub(super) async fn measure(word: Event<Word>, lengths: Table<Length>) -> Result<()> {
    sleep(Duration::from_millis(word.offset().unsigned_abs() % 7)).await;
    lengths.update(&word.word, |n| *n += word.word.len() as u64).await
}

#[window_close(Trend, crate = crate)]
pub(super) async fn close(
    row: Closed<Trend>,
    closings: Sink<Closing>,
    closed: Table<ClosedTotal>,
) -> Result<()> {
    closed.update(&row.key, |n| *n += row.value).await?;
    let start = row.window.start.as_millis();
    closings.send(Closing { word: row.key, start, n: row.value }).await
}

#[app("sim", agents(split, count, measure), windows(close), crate = crate)]
pub(super) struct Sim;
