//! Counts the words of lines of text.
//!
//! `cargo run` counts the King James Bible, shows how far it is and then the ten most frequent words. While it runs:
//!
//! ```text
//! curl localhost:6066/count/the             a page of this program
//! curl localhost:6066/table/counts/the      what every program serves
//! cargo run -- table counts --key the       the same from the command line
//! cargo run -- feed FILE                    more text
//! ```
use faust::prelude::*;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

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

/// Reads a text. It is one event: whatever happens, its lines are all there, once, or none is.
#[agent]
async fn read(text: Event<Text>, lines: Sink<Line>) -> Result<()> {
    send_lines(&fs::read_to_string(&text.path)?, &lines).await
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

const BIBLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/kjv.txt");

/// Feeds the King James Bible once, waits until it is counted, and shows the most frequent words.
#[task]
async fn bible(context: Context, texts: Sink<Text>, counts: View<Count>) -> Result<()> {
    let text = match fs::read_to_string(BIBLE) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{BIBLE}: {error}: nothing is fed; `cargo run -- feed FILE` feeds a text");
            return Ok(());
        }
    };
    // Of several workers one feeds.
    if context.is_leader() && texts.is_empty().await? {
        texts.deliver(Text { path: BIBLE.into() }).await?;
    }
    wait_until_counted(text.split_whitespace().count() as u64, &counts).await?;
    print_most_frequent(&counts)
}

/// Feeds a text file, a line a record
#[command]
async fn feed(#[arg] file: PathBuf, lines: Sink<Line>) -> Result<()> {
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    send_lines(&text, &lines).await
}

async fn send_lines(text: &str, lines: &Sink<Line>) -> Result<()> {
    for line in text.lines() {
        lines.send(Line { text: line.to_string() }).await?;
    }
    Ok(())
}

/// Shows a bar. With several workers each sees its own share of the words: then it goes until nothing is added for
/// some seconds.
async fn wait_until_counted(total: u64, counts: &View<Count>) -> Result<()> {
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} words, {per_sec}")?;
    let bar = ProgressBar::new(total).with_style(style);
    let (mut unchanged, mut patience) = (0, 60);
    while bar.position() < total && unchanged < patience {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let counted = counts.local().rows()?.iter().map(|(_, _, n)| n).sum();
        unchanged = if counted == bar.position() { unchanged + 1 } else { 0 };
        if counted > 0 {
            patience = 10;
        }
        bar.set_position(counted);
    }
    bar.finish();
    Ok(())
}

fn print_most_frequent(counts: &View<Count>) -> Result<()> {
    let mut rows = counts.local().rows()?;
    rows.sort_by(|(_, _, a), (_, _, b)| b.cmp(a));
    for (_, word, n) in rows.iter().take(10) {
        println!("{n:>8} {word}");
    }
    Ok(())
}

#[app(
    "word-count",
    agents(read, split, count),
    timers(report),
    tasks(bible),
    pages(count_of, vote),
    commands(feed)
)]
struct WordCount;

fn main() -> std::process::ExitCode {
    faust::main::<WordCount>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use faust::testing::TestApp;

    /// The same without the Bible.
    #[app("word-count", agents(split, count), pages(count_of, vote))]
    struct Counting;

    #[tokio::test]
    async fn words_are_counted_whatever_their_case() -> Result<()> {
        let app = TestApp::start::<Counting>().await?;
        app.send(Line { text: "The quick fox and the dog".into() }).await?;
        app.run_until_idle().await?;
        assert_eq!(app.table::<Count>().get(&"the".into()).await?, Some(2));
        assert_eq!(app.table::<Count>().get(&"fox".into()).await?, Some(1));
        assert_eq!(app.table::<Count>().get(&"cat".into()).await?, None);
        Ok(())
    }

    #[tokio::test]
    async fn counts_survive_a_restart() -> Result<()> {
        let mut app = TestApp::start::<Counting>().await?;
        app.send(Word { word: "fox".into() }).await?;
        app.run_until_idle().await?;
        app.restart().await?;
        app.send(Word { word: "fox".into() }).await?;
        app.run_until_idle().await?;
        assert_eq!(app.table::<Count>().get(&"fox".into()).await?, Some(2));
        Ok(())
    }

    #[tokio::test]
    async fn the_trend_forgets_after_an_hour() -> Result<()> {
        let app = TestApp::start::<Counting>().await?;
        let begun = app.now();
        app.send(Word { word: "fox".into() }).await?;
        app.run_until_idle().await?;
        assert_eq!(app.table::<Trend>().get_at(begun, &"fox".into()).await?, Some(1));
        app.advance(Duration::from_secs(2 * 60 * 60)).await?;
        app.send(Word { word: "fox".into() }).await?;
        app.run_until_idle().await?;
        assert_eq!(app.table::<Trend>().get_at(begun, &"fox".into()).await?, None);
        assert_eq!(app.table::<Trend>().get_at(app.now(), &"fox".into()).await?, Some(1));
        Ok(())
    }

    #[tokio::test]
    async fn a_page_shows_the_count() -> Result<()> {
        let app = TestApp::start::<Counting>().await?;
        app.send(Line { text: "in the beginning".into() }).await?;
        app.run_until_idle().await?;
        assert_eq!(app.get("/count/the").await?, (200, "1".into()));
        assert_eq!(app.get("/count/cat").await?, (200, "null".into()));
        assert_eq!(app.get("/table/counts/the").await?.1, "{\"key\": \"the\", \"value\": 1}\n");
        assert_eq!(app.get("/table/counts/cat").await?.0, 404);
        Ok(())
    }

    #[tokio::test]
    async fn an_agent_replies_with_the_new_count() -> Result<()> {
        let app = TestApp::start::<Counting>().await?;
        assert_eq!(app.ask::<count>(Word { word: "fox".into() }).await?, 1);
        assert_eq!(app.ask::<count>(Word { word: "fox".into() }).await?, 2);
        Ok(())
    }
}
