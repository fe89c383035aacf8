//! A topic as declared.

use super::Place;
use std::time::Duration;

/// What `#[topic]` says of a topic. A name here is a default: settings rename it per deployment.
#[derive(Clone, Copy, Debug)]
pub struct TopicDef {
    /// The name in Kafka.
    pub name: &'static str,
    /// How many partitions it has; `None`: as it is, or created with the setting `topic_partitions`.
    pub partitions: Option<u32>,
    /// How many brokers hold a copy; `None`: the setting `topic_replicas`.
    pub replicas: Option<u16>,
    /// How long records stay; `None`: the broker's default.
    pub retention: Option<Duration>,
    /// Whether only the newest record of a key stays (`cleanup.policy=compact`).
    pub compacted: bool,
    /// Whether somebody else creates it: then it must exist.
    pub external: bool,
    /// Further configuration, as Kafka names it.
    pub config: &'static [(&'static str, &'static str)],
    /// Whether its records have keys.
    pub keyed: bool,
    /// Where it is declared.
    pub place: Place,
}

impl TopicDef {
    /// A topic with nothing said but its name.
    pub const fn new(name: &'static str, place: Place) -> Self {
        Self {
            name,
            partitions: None,
            replicas: None,
            retention: None,
            compacted: false,
            external: false,
            config: &[],
            keyed: false,
            place,
        }
    }
}
