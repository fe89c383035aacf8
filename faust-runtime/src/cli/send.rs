//! `send`: records from the command line or a file, checked against the topic's type where the app declares it.

use super::args::SendArgs;
use super::connect::connect;
use super::failure::Failure;
use super::session::Session;
use crate::agent::Use;
use crate::app::topology::Topic;
use crate::define::{Admitted, RecordOps};
use crate::kafka::{Broker, Outgoing, Producer, SendError, partition_for};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Sends, and waits until Kafka has all of it.
pub(super) async fn run(session: &Session, what: &SendArgs) -> Result<(), Failure> {
    let topic = session
        .topology
        .topics
        .iter()
        .find(|topic| topic.def.name == what.topic || *topic.name == *what.topic);
    let admit = Admit {
        topic: topic.map(|topic| topic.def.name),
        ops: topic.and_then(|it| ops(session, it)),
    };
    // A single record is checked before anything is started for it.
    let single = match &what.value {
        Some(value) => Some(admit.record(what.key.as_deref(), value)?),
        None => None,
    };
    let connected = connect(session).await?;
    let name = topic.map_or(what.topic.as_str(), |topic| &topic.name);
    // Opening the app makes the topics that it declares, if they are not there yet.
    let worker = connected.visitor(session).await?;
    let broker = &*connected.broker;
    let partitions = match worker.partitions_of(broker.topic_id(name)) {
        Some(partitions) => partitions,
        None => partitions(session, broker, name).await?,
    };
    let mut sender = Sender::new(broker, name, partitions)?;
    let mut sent = 0u64;
    if let Some(record) = single {
        sender.send(&record).await?;
        sent += 1;
    }
    if let Some(file) = &what.file {
        for line in lines(file)? {
            let line = line.map_err(|error| format!("{}: {error}", file.display()))?;
            if line.is_empty() {
                continue;
            }
            let record = admit.record(what.key.as_deref(), &line);
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    sender.settle().await?;
                    let line = sent + 1;
                    return Err(format!(
                        "{}:{line}: {error} ({sent} records were sent)",
                        file.display()
                    )
                    .into());
                }
            };
            sender.send(&record).await?;
            sent += 1;
        }
    }
    sender.settle().await?;
    let records = if sent == 1 { "record" } else { "records" };
    eprintln!("{sent} {records} sent to {name}");
    Ok(())
}

/// How many partitions a topic has that the app does not declare.
async fn partitions(session: &Session, broker: &dyn Broker, name: &str) -> crate::Result<u32> {
    let known = broker.topics().await?;
    if let Some((_, partitions)) = known.iter().find(|(known, _)| **known == *name) {
        return Ok(*partitions);
    }
    let declared: Vec<_> = session.topology.topics.iter().map(|topic| topic.def.name).collect();
    Err(format!("there is no topic `{name}`; the app declares: {}", declared.join(", ")).into())
}

/// The codec of a declared topic, from whoever reads it or sends to it.
fn ops(session: &Session, topic: &Topic) -> Option<RecordOps> {
    let topology = &session.topology;
    let mut read = topology.agents.iter().flat_map(|agent| agent.inputs);
    if let Some(input) = read.find(|input| input.topic.name == topic.def.name) {
        return Some(input.ops);
    }
    let uses = topology.agents.iter().map(|agent| agent.uses);
    let uses = uses.chain(topology.timers.iter().map(|timer| timer.uses));
    let uses = uses.chain(topology.tasks.iter().map(|task| task.uses));
    let uses = uses.chain(topology.pages.iter().map(|page| page.uses));
    let mut uses = uses.chain(topology.commands.iter().map(|command| command.uses));
    uses.find_map(|uses| {
        uses.iter().copied().flatten().find_map(|used| match used {
            Use::Sink(sink) if sink.topic.name == topic.def.name => Some(sink.ops),
            _ => None,
        })
    })
}

/// What may be sent.
struct Admit {
    topic: Option<&'static str>,
    ops: Option<RecordOps>,
}

impl Admit {
    /// The record of a value as it was written. The key is the one that the record holds, where it holds one.
    fn record(&self, key: Option<&str>, value: &str) -> Result<Admitted, String> {
        let Some(ops) = self.ops else {
            return Ok(Admitted {
                key: key.map(|key| key.as_bytes().to_vec()),
                value: Some(value.as_bytes().to_vec()),
            });
        };
        let topic = self.topic.unwrap_or_default();
        let given = key.map(str::as_bytes);
        let own = (ops.admit)(None, Some(value.as_bytes()));
        if let (Ok(own), Some(key)) = (&own, given)
            && own.key.as_deref() != Some(key)
        {
            let own = own.key.as_deref().map(String::from_utf8_lossy);
            return Err(match own {
                Some(own) => format!(
                    "a record of `{topic}` holds its key, which is `{own}`: leave `--key` away"
                ),
                None => format!("records of `{topic}` have no key: leave `--key` away"),
            });
        }
        let admitted = own.or_else(|_| (ops.admit)(given, Some(value.as_bytes())));
        let admitted = admitted.map_err(|error| {
            let text = serde_json::Value::from(value).to_string();
            let hint = match (ops.admit)(given, Some(text.as_bytes())) {
                Ok(_) => format!("; a text is written in quotes: '{text}'"),
                Err(_) => String::new(),
            };
            format!("`{value}` is not a record of `{topic}`: {error}{hint}")
        })?;
        // The text itself is sent: it may say more than the type knows.
        let value = admitted.value.map(|_| value.as_bytes().to_vec());
        Ok(Admitted { value, ..admitted })
    }
}

struct Sender<'a> {
    broker: &'a dyn Broker,
    topic: crate::kafka::TopicId,
    name: &'a str,
    producer: Box<dyn Producer>,
    partitions: u32,
    /// The next partition for a record without a key.
    next: u32,
}

impl<'a> Sender<'a> {
    fn new(broker: &'a dyn Broker, name: &'a str, partitions: u32) -> crate::Result<Self> {
        let producer = broker.producer()?;
        // So that many single records do not all go to one partition.
        let next = broker.now().as_millis().unsigned_abs() as u32;
        Ok(Self {
            broker,
            topic: broker.topic_id(name),
            name,
            producer,
            partitions: partitions.max(1),
            next,
        })
    }

    async fn send(&mut self, record: &Admitted) -> crate::Result<()> {
        let partition = match &record.key {
            Some(key) => partition_for(key, self.partitions),
            None => {
                self.next = self.next.wrapping_add(1);
                self.next % self.partitions
            }
        };
        loop {
            let outgoing = Outgoing {
                topic: self.topic,
                partition,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                timestamp: Some(self.broker.now()),
                headers: &[],
            };
            match self.producer.send(&outgoing) {
                Ok(()) => return Ok(()),
                Err(SendError::Full) => self.producer.room().await,
                Err(error) => return Err(format!("topic `{}`: {error}", self.name).into()),
            }
        }
    }

    async fn settle(&mut self) -> crate::Result<()> {
        Ok(self.producer.settle().await?)
    }
}

fn lines(file: &Path) -> crate::Result<Box<dyn Iterator<Item = std::io::Result<String>>>> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lines()));
    }
    let open = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Box::new(BufReader::new(open).lines()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::define::Record;

    #[faust::topic("words", key = word)]
    struct Word {
        word: String,
    }

    #[faust::topic("prices")]
    struct Price {
        key: String,
        value: Option<u64>,
    }

    #[faust::topic("texts")]
    struct Text {
        key: u8,
        value: String,
    }

    #[faust::topic("lines")]
    struct Line {
        text: String,
    }

    fn check<T: Record>(
        key: Option<&str>,
        value: &str,
        sent: Result<(Option<&str>, Option<&str>), &str>,
    ) {
        let admit = Admit { topic: Some(T::TOPIC.name), ops: Some(RecordOps::of::<T>()) };
        let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
        match (admit.record(key, value), sent) {
            (Ok(record), Ok((key, value))) => {
                assert_eq!(
                    (text(record.key).as_deref(), text(record.value).as_deref()),
                    (key, value)
                );
            }
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (record, _) => panic!("{record:?}"),
        }
    }

    #[test]
    fn a_record_that_holds_its_key_needs_none() {
        let value = r#"{"word": "the", "more": 1}"#;
        check::<Word>(None, value, Ok((Some("the"), Some(value))));
        check::<Word>(Some("the"), value, Ok((Some("the"), Some(value))));
        check::<Word>(Some("a"), value, Err("holds its key, which is `the`"));
        check::<Word>(None, r#"{"wort": "the"}"#, Err("missing field `word`"));
    }

    #[test]
    fn a_key_that_stands_beside_the_value_is_given() {
        check::<Price>(Some("tea"), "7", Ok((Some("tea"), Some("7"))));
        check::<Price>(Some("tea"), "null", Ok((Some("tea"), None)));
        check::<Price>(None, "7", Err("the record has no key"));
        check::<Price>(Some("tea"), "x", Err("`x` is not a record of `prices`"));
    }

    #[test]
    fn a_text_without_quotes_is_told_how() {
        check::<Text>(Some("1"), r#""hello""#, Ok((Some("1"), Some(r#""hello""#))));
        check::<Text>(Some("1"), "hello", Err(r#"a text is written in quotes: '"hello"'"#));
    }

    #[test]
    fn a_key_that_nobody_asked_for_is_refused() {
        check::<Line>(Some("k"), r#"{"text": ""}"#, Err("have no key"));
    }
}
