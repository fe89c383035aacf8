//! Topics: a name, an id, settings, and a log for each partition.

pub(crate) mod settings;

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use uuid::Uuid;

use crate::log::Log;
use settings::Settings;

/// One topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) settings: Settings,
    pub(crate) partitions: Vec<Log>,
}

impl Topic {
    pub(crate) fn partition(&mut self, index: i32) -> Option<&mut Log> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }
}

/// All topics by name.
#[derive(Debug, Default)]
pub(crate) struct Topics(BTreeMap<String, Topic>);

impl Topics {
    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.0.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        self.0.get_mut(name)
    }

    /// A partition's log, or the error that says it is not there.
    pub(crate) fn log(&mut self, topic: &str, partition: i32) -> Result<&mut Log, ResponseError> {
        let log = self.0.get_mut(topic).and_then(|topic| topic.partition(partition));
        log.ok_or(ResponseError::UnknownTopicOrPartition)
    }

    pub(crate) fn insert(&mut self, name: String, topic: Topic) {
        self.0.insert(name, topic);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Topic> {
        self.0.remove(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Topic)> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Topic)> {
        self.0.iter_mut()
    }

    pub(crate) fn name_of(&self, id: Uuid) -> Option<&String> {
        self.0.iter().find(|(_, topic)| topic.id == id).map(|(name, _)| name)
    }
}

/// Whether a topic may have this name.
pub(crate) fn check_name(name: &str) -> Result<(), ResponseError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let sound = (1..=249).contains(&name.len()) && name != "." && name != "..";
    (sound && name.chars().all(legal)).then_some(()).ok_or(ResponseError::InvalidTopicException)
}
