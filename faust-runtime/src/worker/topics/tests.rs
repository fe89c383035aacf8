//! Which topics are made, with how many partitions and which settings, and what stops the start.

use super::{Counts, missing, prepare};
use crate::app::topology::Topology;
use crate::app::{App, AppDef};
use crate::kafka::Broker;
use crate::kafka::memory::{Cluster, Connection, Process};
use crate::prelude::*;
use std::collections::BTreeMap;

#[topic("words", partitions = 4, crate = crate)]
struct Word {
    word: String,
}

#[agent(crate = crate)]
async fn read(word: Event<Word>) -> Result<()> {
    tracing::trace!("{}", word.word);
    Ok(())
}

#[app("reading", agents(read), crate = crate)]
struct Reading;

#[topic("clicks", key = user, crate = crate)]
struct Click {
    user: String,
}

/// Where clicks meet others of another key.
#[topic("clicks-by-page", key = page, crate = crate)]
struct PageClick {
    page: String,
}

#[topic("pages", key = page, crate = crate)]
struct Page {
    page: String,
}

#[table("per-minute", window = tumbling(1min), grace = 10s, expires = 1h, config("min.insync.replicas" = "2"), crate = crate)]
struct PerMinute {
    key: String,
    value: u64,
}

#[table("titles", config("retention.ms" = "1000", "segment.ms" = "5000"), crate = crate)]
struct Title {
    key: String,
    value: u64,
}

#[agent(crate = crate)]
async fn forward(click: Event<Click>, pages: Sink<PageClick>) -> Result<()> {
    pages.send(PageClick { page: click.user.clone() }).await
}

#[agent(crate = crate)]
async fn count(click: Event<PageClick>, minutes: Table<PerMinute>) -> Result<()> {
    minutes.at(&click).update(&click.page, |n| *n += 1).await
}

#[agent(crate = crate)]
async fn title(page: Event<Page>, minutes: Table<PerMinute>, titles: Table<Title>) -> Result<()> {
    minutes.at(&page).update(&page.page, |_| ()).await?;
    titles.update(&page.page, |n| *n += 1).await
}

#[app("clicks", agents(forward, count, title), crate = crate)]
struct Clicks;

/// Prepares the topics of an app, some of which are there already; what there is then.
async fn prepared(
    app: &AppDef,
    settings: &Settings,
    there: &[(&str, u32)],
) -> Result<(Cluster, Counts), String> {
    let topology = Topology::new(app, settings).unwrap();
    let cluster = Cluster::new();
    for (topic, partitions) in there {
        cluster.create(topic, *partitions);
    }
    let broker = Connection::new(cluster.clone(), Process::default());
    let existing = broker.topics().await.unwrap().into_iter().collect();
    match prepare(&broker, &topology, settings, existing).await {
        Ok(counts) => Ok((cluster, counts)),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn a_topic_that_somebody_else_makes_at_the_same_moment_must_fit() {
    let settings = Settings::default();
    let topology = Topology::new(&Reading::APP, &settings).unwrap();
    let cluster = Cluster::new();
    let broker = Connection::new(cluster.clone(), Process::default());
    cluster.create("words", 3);
    // When the worker looked it was not there yet.
    let error =
        prepare(&broker, &topology, &settings, Counts::new()).await.unwrap_err().to_string();
    assert!(error.contains("`words` has 3 partitions") && error.contains("declares 4"), "{error}");
}

#[tokio::test]
async fn what_is_processed_together_is_made_with_the_count_of_what_is_there() {
    let there = [("clicks", 3), ("pages", 5)];
    let (_, counts) = prepared(&Clicks::APP, &Settings::default(), &there).await.unwrap();
    for topic in ["clicks-by-page", "clicks-per-minute-changelog", "clicks-titles-changelog"] {
        assert_eq!(counts[topic], 5, "{topic} meets `pages`");
    }
    assert_eq!(counts["clicks"], 3, "it is only read");
}

#[tokio::test]
async fn counts_that_cannot_be_processed_together_stop_the_start() {
    for (there, names) in [
        ([("pages", 5), ("clicks-by-page", 4)], ["`clicks-by-page`", "`pages`"]),
        ([("pages", 5), ("clicks-titles-changelog", 4)], ["`clicks-titles-changelog` has 4", "5"]),
    ] {
        let Err(error) = prepared(&Clicks::APP, &Settings::default(), &there).await else {
            panic!("{there:?} does not fit")
        };
        for name in names {
            assert!(error.contains(name), "{name}: {error}");
        }
    }
}

#[tokio::test]
async fn what_is_said_of_a_changelog_holds_for_one_of_windows_too() {
    // Renamed here, as its own name would be.
    let tables = [("per-minute".to_string(), "trend".to_string())].into();
    let settings = Settings { tables, ..Settings::default() };
    let topology = Topology::new(&Clicks::APP, &settings).unwrap();
    let wanted = missing(&topology, &settings, &Counts::new()).unwrap();
    let config = |name: &str| -> BTreeMap<String, String> {
        let topic = wanted.iter().find(|topic| &*topic.name == name).unwrap();
        let config: BTreeMap<_, _> = topic.config.iter().cloned().collect();
        assert_eq!(config.len(), topic.config.len(), "each name is said once");
        config
    };
    let windows = config("clicks-trend-changelog");
    assert_eq!(windows["min.insync.replicas"], "2");
    let week = 7 * 24 * 60 * 60 * 1000;
    assert_eq!(windows["retention.ms"], week.to_string(), "longer than any of its windows");
    assert_eq!(windows["cleanup.policy"], "compact,delete");
    let titles = config("clicks-titles-changelog");
    assert_eq!((&*titles["retention.ms"], &*titles["segment.ms"]), ("1000", "5000"));
    assert_eq!(titles["message.timestamp.type"], "LogAppendTime", "what is not said stays");
}
