//! Reading many rows of a table at once.

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Deserialize, Serialize, Settings, Timestamp};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

#[topic("changes", key = id, partitions = 1)]
struct Change {
    id: String,
    number: u64,
    minute: u64,
    remove: bool,
}

#[topic("questions", key = id, partitions = 1)]
struct Question {
    id: String,
    from: String,
    to: String,
    write: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    texts: Vec<(String, u64)>,
    numbers: Vec<u64>,
    minute: Vec<String>,
    all: Vec<String>,
}

#[table("texts")]
struct Text {
    key: String,
    value: u64,
}

#[table("numbers", scope = partition)]
struct Number {
    key: u64,
    value: bool,
}

#[table("minutes", window = tumbling(1min), scope = partition)]
struct Minute {
    key: String,
    value: u64,
}

#[agent]
async fn change(
    change: Event<Change>,
    texts: Table<Text>,
    numbers: Table<Number>,
    minutes: Table<Minute>,
) -> Result<()> {
    if change.remove {
        texts.remove(&change.id).await?;
    } else {
        texts.insert(&change.id, change.number).await?;
        numbers.insert(&change.number, true).await?;
        let minute = minutes.at_time(Timestamp::from_millis(change.minute as i64 * 60_000));
        minute.insert(&change.id, change.number).await?;
    }
    Ok(())
}

#[agent]
async fn look(
    question: Event<Question>,
    texts: Table<Text>,
    numbers: Table<Number>,
    minutes: Table<Minute>,
) -> Result<Answer> {
    if let Some(key) = &question.write {
        texts.insert(key, 0).await?;
    }
    let minute = minutes.at_time(Timestamp::from_millis(60_000)).rows().await?;
    let all = texts.rows().await?;
    let to = (Bound::Unbounded, Bound::Excluded(question.to.clone()));
    assert!(texts.range(to).await?.iter().eq(all.iter().filter(|(key, _)| *key < question.to)));
    Ok(Answer {
        texts: texts.range(question.from.as_str()..question.to.as_str()).await?,
        numbers: numbers.range(5..=10).await?.into_iter().map(|(key, _)| key).collect(),
        minute: minute.into_iter().map(|(key, _)| key).collect(),
        all: all.into_iter().map(|(key, _)| key).collect(),
    })
}

#[app("ranges", agents(change, look))]
struct Ranges;

fn question(from: &str, to: &str) -> Question {
    Question { id: "q".into(), from: from.into(), to: to.into(), write: None }
}

fn change_of(id: &str, number: u64, minute: u64) -> Change {
    Change { id: id.into(), number, minute, remove: false }
}

#[tokio::test(flavor = "current_thread")]
async fn a_range_is_in_the_order_of_keys_whatever_is_committed() -> Result<()> {
    // A cache that holds a few rows only, so that most are in the store.
    let settings = Settings { cache_bytes: 2_000, ..Settings::default() };
    let app = TestApp::start_with::<Ranges>(settings).await?;
    let mut model: BTreeMap<String, u64> = BTreeMap::new();
    let mut seed = 7u64;
    for round in 0..60 {
        for _ in 0..20 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let id = format!("{:02}", seed >> 33 & 63);
            let remove = seed >> 40 & 3 == 0;
            app.send(Change { remove, ..change_of(&id, seed >> 50, 0) }).await?;
            match remove {
                true => model.remove(&id),
                false => model.insert(id, seed >> 50),
            };
        }
        app.run_until_idle().await?;
        if round % 3 == 0 {
            app.advance(Duration::from_millis(500)).await?;
        }
        let (from, to) = (format!("{:02}", round % 50), format!("{:02}", round % 50 + round / 3));
        let answer = app.ask::<look>(question(&from, &to)).await?;
        let wanted = model.range(from..to).map(|(key, value)| (key.clone(), *value));
        assert!(answer.texts.into_iter().eq(wanted), "round {round}");
        assert!(answer.all.iter().eq(model.keys()), "round {round}");
    }
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn numbers_are_in_their_own_order_not_in_that_of_their_digits() -> Result<()> {
    let app = TestApp::start::<Ranges>().await?;
    for number in [100, 10, 9, 5, 50, 4, 7] {
        app.send(change_of("a", number, 0)).await?;
    }
    app.run_until_idle().await?;
    assert_eq!(app.ask::<look>(question("a", "b")).await?.numbers, [5, 7, 9, 10]);
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn an_event_finds_what_it_has_written_itself_and_one_window_only_its_rows() -> Result<()> {
    let app = TestApp::start::<Ranges>().await?;
    for (id, minute) in [("before", 0), ("in", 1), ("also", 1), ("behind", 2)] {
        app.send(change_of(id, 1, minute)).await?;
    }
    app.run_until_idle().await?;
    let asked = Question { write: Some("own".into()), ..question("i", "p") };
    let answer = app.ask::<look>(asked).await?;
    assert_eq!(answer.texts, [("in".to_string(), 1), ("own".to_string(), 0)]);
    assert_eq!(answer.minute, ["also", "in"]);
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_range_that_is_empty_or_the_wrong_way_round_finds_nothing() -> Result<()> {
    let app = TestApp::start::<Ranges>().await?;
    app.send(change_of("m", 1, 0)).await?;
    app.run_until_idle().await?;
    for (from, to) in [("m", "m"), ("z", "a"), ("n", "z"), ("a", "m")] {
        assert_eq!(app.ask::<look>(question(from, to)).await?.texts, [], "{from}..{to}");
    }
    Ok(())
}

#[topic("marks", key = id, partitions = 1)]
struct Mark {
    id: String,
    value: Option<u64>,
}

#[table("marked")]
struct Marked {
    key: String,
    value: Option<u64>,
}

/// Replies with what the row was, as seen before it is written.
#[agent]
async fn mark(mark: Event<Mark>, marked: Table<Marked>) -> Result<Option<Option<u64>>> {
    marked.insert(&mark.id, mark.value).await
}

#[app("marks", agents(mark))]
struct Marks;

#[tokio::test(flavor = "current_thread")]
async fn a_row_that_is_written_as_no_value_is_gone_once_it_is_committed() -> Result<()> {
    let app = TestApp::start::<Marks>().await?;
    let mark = |value| Mark { id: "a".into(), value };
    app.send(mark(Some(1))).await?;
    app.run_until_idle().await?;
    app.send(mark(None)).await?;
    app.run_until_idle().await?;
    assert_eq!(app.table::<Marked>().count()?, 0);
    assert_eq!(app.ask::<mark>(mark(Some(2))).await?, None);
    Ok(())
}
