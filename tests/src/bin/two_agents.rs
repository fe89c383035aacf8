//! Two agents on one topic, one of them slow: each has a table, and its own progress.
use faust::prelude::*;
use std::time::Duration;

/// One use of a word.
#[topic("words", key = word, partitions = 2)]
struct Word {
    word: String,
}

/// How often a word was used.
#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

/// How many letters all uses of a word had.
#[table("letters")]
struct Letters {
    key: String,
    value: u64,
}

#[agent]
async fn count(word: Event<Word>, counts: Table<Count>) -> Result<()> {
    counts.update(&word.word, |n| *n += 1).await
}

/// Waits in the middle of each event, after its first write.
#[agent]
async fn measure(word: Event<Word>, letters: Table<Letters>) -> Result<()> {
    for n in 0..word.word.chars().count() {
        letters.update(&word.word, |letters| *letters += 1).await?;
        if n == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

#[app("two-agents", agents(count, measure))]
struct TwoAgents;

fn main() -> std::process::ExitCode {
    faust::main::<TwoAgents>()
}
