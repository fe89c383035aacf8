//! The topics of an app before it runs: those that are missing are created, those that are there must fit.

use crate::app::Settings;
use crate::app::topology::{Table, Topology};
use crate::define::TopicDef;
use crate::kafka::{Broker, KafkaError, NewTopic};
use crate::time::millis;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Why an app cannot run on the topics that are there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TopicsError {
    /// Correct the declaration, or make the topic anew.
    #[error(
        "topic `{topic}` has {found} partitions, but {who} declares {declared}: correct the declaration, or make the topic anew"
    )]
    Count { topic: Arc<str>, found: u32, declared: u32, who: String },
    /// Give both the same count.
    #[error(
        "topic `{topic}` has {count} partitions, but `{other}`, which is processed together with it, has {others}: give both the same count"
    )]
    NotCopartitioned { topic: Arc<str>, count: u32, other: Arc<str>, others: u32 },
    /// Create it, or declare it without `external`.
    #[error(
        "topic `{topic}` is declared `external`, but it does not exist: create it, or declare it without `external`"
    )]
    Missing { topic: Arc<str> },
    /// The broker.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

pub(super) type Counts = HashMap<Arc<str>, u32>;

/// Creates what is missing, checks what is there; the partition counts of all topics, by their names in Kafka.
pub(super) async fn prepare(
    broker: &dyn Broker,
    topology: &Topology,
    settings: &Settings,
    existing: Counts,
) -> Result<Counts, TopicsError> {
    let missing = missing(topology, settings, &existing)?;
    if missing.is_empty() {
        return Ok(existing);
    }
    let existing = create(broker, missing).await?;
    // Somebody else may have created one meanwhile, with another count.
    self::missing(topology, settings, &existing)?;
    Ok(existing)
}

/// What is missing, if all that is there fits.
fn missing(
    topology: &Topology,
    settings: &Settings,
    existing: &Counts,
) -> Result<Vec<NewTopic>, TopicsError> {
    let mut wanted: Vec<NewTopic> = Vec::new();
    let mut grouped = vec![false; topology.topics.len()];
    for group in &topology.groups {
        let topics: Vec<_> = group.topics.iter().filter_map(|i| topology.topics.get(*i)).collect();
        let tables: Vec<_> = group.tables.iter().filter_map(|i| topology.tables.get(*i)).collect();
        let declared = topics
            .iter()
            .filter_map(|topic| topic.def.partitions)
            .chain(tables.iter().filter_map(|table| table.def.partitions))
            .next();
        let found = topics.iter().find_map(|topic| existing.get(&topic.name).copied());
        let count = found.or(declared).unwrap_or(settings.topic_partitions);
        for index in &group.topics {
            if let Some(grouped) = grouped.get_mut(*index) {
                *grouped = true;
            }
        }
        for topic in &topics {
            let other = topics.first().map_or(topic, |first| first);
            check(existing, &topic.name, &topic.def)?;
            match existing.get(&topic.name) {
                Some(found) if *found != count => {
                    return Err(TopicsError::NotCopartitioned {
                        topic: topic.name.clone(),
                        count: *found,
                        other: other.name.clone(),
                        others: count,
                    });
                }
                Some(_) => {}
                None => wanted.push(new_topic(&topic.name, &topic.def, count, settings)),
            }
        }
        for table in tables {
            if let Some(declared) = table.def.partitions.filter(|declared| *declared != count) {
                let who = format!("table `{}`", table.name);
                let topic = topics.first().map(|topic| topic.name.clone()).unwrap_or_default();
                return Err(TopicsError::Count { topic, found: count, declared, who });
            }
            if !table.def.changelog {
                continue;
            }
            match existing.get(&table.changelog) {
                Some(found) if *found != count => {
                    let who = format!("the topic that feeds table `{}`", table.name);
                    let topic = table.changelog.clone();
                    return Err(TopicsError::Count { topic, found: *found, declared: count, who });
                }
                Some(_) => {}
                None => wanted.push(new_changelog(table, count, settings)),
            }
        }
    }
    for (topic, grouped) in topology.topics.iter().zip(grouped) {
        if !grouped && check(existing, &topic.name, &topic.def)?.is_none() {
            let count = topic.def.partitions.unwrap_or(settings.topic_partitions);
            wanted.push(new_topic(&topic.name, &topic.def, count, settings));
        }
    }
    let dead_letters: Arc<str> = topology.dead_letters().into();
    wanted.push(plain(dead_letters, 1, settings));
    wanted.retain(|topic| !existing.contains_key(&topic.name));
    Ok(wanted)
}

/// A topic that exists must have the declared count; its count.
fn check(existing: &Counts, name: &Arc<str>, def: &TopicDef) -> Result<Option<u32>, TopicsError> {
    match (existing.get(name), def.partitions) {
        (Some(found), Some(declared)) if *found != declared => {
            let who = format!("`#[topic(\"{}\")]` ({})", def.name, def.place);
            Err(TopicsError::Count { topic: name.clone(), found: *found, declared, who })
        }
        (None, _) if def.external => Err(TopicsError::Missing { topic: name.clone() }),
        (found, _) => Ok(found.copied()),
    }
}

/// How long the broker may take to show a topic that it has created.
const SHOWN: Duration = Duration::from_secs(10);

/// Creates topics and waits until the broker shows them.
async fn create(broker: &dyn Broker, wanted: Vec<NewTopic>) -> Result<Counts, TopicsError> {
    let names: Vec<Arc<str>> = wanted.iter().map(|topic| topic.name.clone()).collect();
    tracing::info!(topics = ?names, "creating topics");
    broker.create_topics(wanted).await?;
    let deadline = Instant::now() + SHOWN;
    let mut pause = Duration::from_millis(2);
    while Instant::now() < deadline {
        let counts: Counts = broker.topics().await?.into_iter().collect();
        if names.iter().all(|name| counts.get(name).is_some_and(|count| *count > 0)) {
            return Ok(counts);
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    Err(KafkaError::failed("creating topics", "the broker does not show them after 10 s").into())
}

fn plain(name: Arc<str>, partitions: u32, settings: &Settings) -> NewTopic {
    NewTopic { name, partitions, replicas: settings.topic_replicas, config: Vec::new() }
}

fn new_topic(name: &Arc<str>, def: &TopicDef, count: u32, settings: &Settings) -> NewTopic {
    let mut topic = plain(name.clone(), def.partitions.unwrap_or(count), settings);
    topic.replicas = def.replicas.unwrap_or(topic.replicas);
    if let Some(retention) = def.retention {
        topic.config.push(("retention.ms".into(), millis(retention).to_string()));
    }
    if def.compacted {
        topic.config.push(("cleanup.policy".into(), "compact".into()));
    }
    configure(&mut topic, def.config);
    topic
}

/// What is said at the declaration counts, instead of what would be said otherwise.
fn configure(topic: &mut NewTopic, said: &[(&str, &str)]) {
    for (name, value) in said {
        topic.config.retain(|(known, _)| known != name);
        topic.config.push((name.to_string(), value.to_string()));
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Stamped by the broker: event times would let it delete live data. `delete` with endless retention keeps everything
/// that compaction keeps, and allows `--offsets reset` to empty it. Windows go when they have surely expired.
fn new_changelog(table: &Table, count: u32, settings: &Settings) -> NewTopic {
    let mut topic = plain(table.changelog.clone(), count, settings);
    let retention = match (table.def.window, table.def.expires) {
        (Some(window), Some(expires)) => millis((window.size() + expires + DAY).max(7 * DAY)),
        _ => -1,
    };
    for (name, value) in [
        ("message.timestamp.type", "LogAppendTime"),
        ("cleanup.policy", "compact,delete"),
        ("retention.ms", &retention.to_string()),
        // A limit of the cluster would delete rows.
        ("retention.bytes", "-1"),
    ] {
        topic.config.push((name.into(), value.into()));
    }
    configure(&mut topic, table.def.config);
    topic
}

#[cfg(test)]
mod tests;
