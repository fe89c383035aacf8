//! The committed changes of a table, as a stream.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use faust::Change;
use faust::prelude::*;
use faust::testing::TestApp;
use futures::StreamExt;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

#[topic("words", key = word, partitions = 2)]
struct Word {
    word: String,
    what: i64,
}

#[table("counts", ttl = 1h)]
struct Count {
    key: String,
    value: i64,
}

#[agent]
async fn count(word: Event<Word>, counts: Table<Count>) -> Result<()> {
    match word.what {
        0 => drop(counts.remove(&word.word).await?),
        n if n < 0 => {
            counts.insert(&word.word, n).await?;
            return Err("refused".into());
        }
        n => drop(counts.insert(&word.word, n).await?),
    }
    Ok(())
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Change<String, i64>>>>);

/// Watches in a task of its own: the app's own tasks must return before it is idle.
#[task]
async fn watch(counts: View<Count>, seen: State<Seen>) -> Result<()> {
    let changes = counts.watch();
    tokio::spawn(async move {
        let mut changes = pin!(changes);
        while let Some(change) = changes.next().await {
            let change = change.unwrap();
            let slow = matches!(&change, Change::Set(_, 1000));
            seen.0.lock().unwrap().push(change);
            if slow {
                sleep(Duration::from_secs(60)).await;
            }
        }
    });
    Ok(())
}

#[page("/seen")]
async fn seen(seen: State<Seen>) -> Result<String> {
    Ok(format!("{:?}", std::mem::take(&mut *seen.0.lock().unwrap())))
}

#[app("watched", agents(count), tasks(watch), pages(seen))]
struct Watched;

async fn send(app: &TestApp, words: &[(&str, i64)]) -> Result<String> {
    for (word, what) in words {
        app.send(Word { word: word.to_string(), what: *what }).await?;
    }
    app.run_until_idle().await?;
    Ok(app.get("/seen").await?.1)
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_committed_is_told_and_nothing_else() -> Result<()> {
    let app = TestApp::start::<Watched>().await?;
    assert_eq!(send(&app, &[("a", 1), ("a", 2)]).await?, r#"[Set("a", 2)]"#);
    assert_eq!(send(&app, &[("b", -1)]).await?, "[]", "nothing of it was done");
    assert_eq!(send(&app, &[("a", 0)]).await?, r#"[Removed("a")]"#);
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_listener_that_is_too_slow_is_told_what_it_has_missed() -> Result<()> {
    let app = TestApp::start::<Watched>().await?;
    send(&app, &[("a", 1000)]).await?;
    let words: Vec<String> = (0..1_500).map(|n| format!("word {n}")).collect();
    let words: Vec<_> = words.iter().map(|word| (word.as_str(), 1)).collect();
    send(&app, &words).await?;
    app.advance(Duration::from_secs(61)).await?;
    let seen = app.get("/seen").await?.1;
    assert!(seen.contains("Missed(476)"), "{}", &seen[..seen.len().min(300)]);
    assert_eq!(seen.matches("Set(").count(), 1_024);
    Ok(())
}
