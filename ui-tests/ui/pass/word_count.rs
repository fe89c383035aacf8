//! Counts the words of lines of text.
use faust::prelude::*;

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

#[timer(every = 10s)]
async fn report(counts: View<Count>) -> Result<()> {
    println!("{} distinct words here", counts.local().len());
    Ok(())
}

/// `GET /count/the`, answered by the worker that owns the key.
#[page("/count/{word}")]
async fn count_of(Path(word): Path<String>, counts: View<Count>) -> Result<Json<Option<u64>>> {
    Ok(Json(counts.get(&word).await?))
}

#[page("/vote/{word}", method = post)]
async fn vote(Path(word): Path<String>, count: Ask<count>) -> Result<Json<u64>> {
    Ok(Json(count.ask(Word { word }).await?))
}

#[app("word-count", agents(split, count), timers(report), pages(count_of, vote))]
struct WordCount;

fn main() -> std::process::ExitCode {
    faust::main::<WordCount>()
}
