//! Records that borrow from the message that they were read from.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test")]

use faust::prelude::*;
use faust::testing::TestApp;
use faust::{Deserialize, Serialize, Settings};
use std::borrow::Cow;
use std::time::Duration;

/// The key is the word; the value is read where somebody asks for it.
#[topic("keyed", partitions = 2)]
struct Keyed<'a> {
    key: &'a str,
    value: Lazy<'a, Detail<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Detail<'a> {
    shout: bool,
    note: &'a str,
}

#[topic("lines", key = word, partitions = 2)]
struct Line<'a> {
    word: &'a str,
    note: Cow<'a, str>,
    tag: Option<&'a str>,
    times: u64,
}

#[topic("texts", partitions = 2)]
struct Text<'a> {
    key: Cow<'a, str>,
    value: Cow<'a, str>,
}

#[topic("places", key = (country, city), partitions = 2)]
struct Place<'a> {
    country: u8,
    city: Cow<'a, str>,
}

#[topic("notes", key = word, partitions = 2)]
struct Note<'a> {
    word: &'a str,
    note: &'a str,
}

/// What a test reads of `notes`.
#[topic("notes", key = word, partitions = 2)]
struct OwnedNote {
    word: String,
    note: String,
}

#[table("counts")]
struct Count {
    key: String,
    value: u64,
}

#[table("homes")]
struct Home {
    key: (u8, String),
    value: u64,
}

#[table("minutes", window = tumbling(1min))]
struct Minute {
    key: String,
    value: u64,
}

/// Only of words that begin with `look` the value is read.
#[agent]
async fn count(word: Event<Keyed<'_>>, counts: Table<Count>, notes: Sink<Note<'_>>) -> Result<()> {
    counts.update(word.key, |n| *n += 1).await?;
    if word.key.starts_with("look") {
        let Detail { shout, note } = word.value.get()?;
        counts.update(&word.key, |n| *n += u64::from(shout)).await?;
        notes.send(Note { word: word.key, note }).await?;
    }
    Ok(())
}

#[agent(concurrency = 4)]
async fn lines<'a>(
    line: Event<Line<'a>>,
    counts: Table<Count>,
    minutes: Table<Minute>,
    notes: Sink<Note<'a>>,
) -> Result<u64> {
    if line.word.len() == 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    minutes.at(&line).update(line.word, |n| *n += line.times).await?;
    let before = counts.insert(&line.word, line.times).await?;
    let Line { word, note, .. } = line.into_inner();
    notes.send(Note { word, note: &note }).await?;
    if before.is_none() && note == "again" {
        return Err("not at once".into());
    }
    Ok(before.unwrap_or(0))
}

#[agent]
async fn texts(text: Event<Text<'_>>, counts: Table<Count>) -> Result<()> {
    let borrowed = matches!((&text.key, &text.value), (Cow::Borrowed(_), Cow::Borrowed(_)));
    counts.insert(&text.key, u64::from(borrowed)).await?;
    Ok(())
}

#[agent]
async fn places(place: Event<Place<'_>>, homes: Table<Home>) -> Result<()> {
    homes.update(&(place.country, &*place.city), |n| *n += 1).await
}

#[timer(every = 1h)]
async fn remind(notes: Sink<Note<'_>>) -> Result<()> {
    notes.send(Note { word: "now", note: "" }).await
}

#[page("/ask/{word}")]
async fn page(
    Path(word): Path<String>,
    lines: Ask<lines>,
    notes: Sink<Note<'_>>,
    counts: View<Count>,
) -> Result<Json<Option<u64>>> {
    notes.send(Note { word: &word, note: "asked" }).await?;
    lines.cast(Line { word: &word, note: "".into(), tag: None, times: 9 }).await?;
    Ok(Json(counts.get(&String::new()).await?))
}

#[app("borrowed", agents(count, lines, texts, places), timers(remind), pages(page))]
struct Borrowed;

async fn start() -> Result<TestApp> {
    TestApp::start::<Borrowed>().await
}

async fn counts(app: &TestApp) -> Result<Vec<(String, u64)>> {
    app.run_until_idle().await?;
    let mut rows: Vec<_> =
        app.table::<Count>().rows()?.into_iter().map(|(_, key, value)| (key, value)).collect();
    rows.sort();
    Ok(rows)
}

fn row(word: &str, n: u64) -> (String, u64) {
    (word.into(), n)
}

fn error(app: &TestApp) -> String {
    let letters = app.dead_letters();
    assert_eq!(letters.len(), 1);
    letters[0].iter().find(|(name, _)| name == "faust-error").unwrap().1.clone()
}

#[tokio::test]
async fn a_value_that_nobody_looks_at_is_not_read() -> Result<()> {
    let app = start().await?;
    for (key, value) in [("tea", Some(&b"{ no json"[..])), ("tea", None), ("cup", Some(b"7"))] {
        app.send_bytes("keyed", Some(key.as_bytes()), value, app.now())?;
    }
    assert_eq!(counts(&app).await?, [row("cup", 1), row("tea", 2)]);
    assert!(app.dead_letters().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_value_that_is_looked_at_is_read_from_the_message() -> Result<()> {
    let app = start().await?;
    let mut buffer = Vec::new();
    let value = Lazy::encode(&Detail { shout: true, note: "hot" }, &mut buffer)?;
    app.send(Keyed { key: "look", value }).await?;
    app.send(Keyed { key: "leave", value }).await?;
    assert_eq!(counts(&app).await?, [row("leave", 1), row("look", 2)]);
    let notes = app.outputs::<OwnedNote>()?;
    let note = &notes.last().unwrap().record;
    assert_eq!((note.word.as_str(), note.note.as_str()), ("look", "hot"));
    Ok(())
}

#[tokio::test]
async fn a_wrong_value_that_is_looked_at_fails_the_event() -> Result<()> {
    let app = start().await?;
    app.send(Keyed { key: "look", value: Lazy::new(Some(b"7")) }).await?;
    assert_eq!(counts(&app).await?, []);
    assert!(error(&app).contains("invalid type: integer `7`"), "{}", error(&app));
    Ok(())
}

#[tokio::test]
async fn a_tombstone_that_is_looked_at_fails_the_event() -> Result<()> {
    let app = start().await?;
    app.send(Keyed { key: "look", value: Lazy::new(None) }).await?;
    assert_eq!(counts(&app).await?, []);
    assert!(error(&app).contains("the record has no value"), "{}", error(&app));
    Ok(())
}

fn line<'a>(word: &'a str, note: &'a str) -> Line<'a> {
    Line { word, note: note.into(), tag: Some("t"), times: 5 }
}

#[tokio::test]
async fn a_text_with_escapes_is_no_str_but_a_cow() -> Result<()> {
    let app = start().await?;
    app.send(line("tea", "a \"hot\" cup")).await?;
    app.send(line("a\"b", "")).await?;
    assert_eq!(counts(&app).await?, [row("tea", 5)]);
    assert!(error(&app).contains("expected a borrowed string"), "{}", error(&app));
    let notes = app.outputs::<OwnedNote>();
    assert_eq!(notes?.last().unwrap().record.note, "a \"hot\" cup");
    Ok(())
}

#[tokio::test]
async fn what_has_no_escapes_is_borrowed() -> Result<()> {
    let app = start().await?;
    app.send(Text { key: "a\"b".into(), value: "plain".into() }).await?;
    app.send(Text { key: "c".into(), value: "\n".into() }).await?;
    assert_eq!(counts(&app).await?, [row("a\"b", 1), row("c", 0)]);
    Ok(())
}

#[tokio::test]
async fn a_part_of_a_key_can_be_borrowed() -> Result<()> {
    let app = start().await?;
    for city in ["Oslo", "Os\"lo", "Oslo"] {
        app.send(Place { country: 47, city: city.into() }).await?;
    }
    app.run_until_idle().await?;
    assert_eq!(app.table::<Home>().get(&(47, "Oslo".into())).await?, Some(2));
    assert_eq!(app.table::<Home>().get(&(47, "Os\"lo".into())).await?, Some(1));
    Ok(())
}

#[tokio::test]
async fn a_retry_reads_the_message_again() -> Result<()> {
    let settings = Settings { max_retries: 2, ..Settings::default() };
    let app = TestApp::start_with::<Borrowed>(settings).await?;
    app.send(line("tea", "again")).await?;
    assert_eq!(counts(&app).await?, []);
    assert!(error(&app).contains("not at once"));
    assert!(app.dead_letters()[0].contains(&("faust-attempts".into(), "3".into())));
    Ok(())
}

#[tokio::test]
async fn events_of_several_keys_are_in_flight_at_once() -> Result<()> {
    let app = start().await?;
    let words = ["a", "b", "c", "d", "e", "f", "long"];
    for n in 1..=3 {
        for word in words {
            app.send(Line { times: n, ..line(word, "") }).await?;
        }
    }
    assert_eq!(counts(&app).await?, words.map(|word| row(word, 3)));
    let begun = app.now();
    assert_eq!(app.table::<Minute>().get_at(begun, &"a".into()).await?, Some(6));
    Ok(())
}

#[tokio::test]
async fn an_agent_is_asked_with_a_borrowed_record() -> Result<()> {
    let app = start().await?;
    let word = String::from("tea");
    assert_eq!(app.ask::<lines>(line(&word, "")).await?, 0);
    assert_eq!(app.ask::<lines>(line(&word, "")).await?, 5);
    assert_eq!(app.get("/ask/tea").await?, (200, "null".into()));
    assert_eq!(counts(&app).await?, [row("tea", 9)]);
    Ok(())
}

#[tokio::test]
async fn the_function_is_called_with_a_record_of_a_test() {
    let event = Event::of(line("tea", "hot"), Timestamp::from_millis(1));
    assert_eq!((event.word, &*event.into_inner().note), ("tea", "hot"));
}
