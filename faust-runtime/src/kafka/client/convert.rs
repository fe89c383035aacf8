//! Names and errors, between the port and the client.

use crate::kafka::{KafkaError, TopicPartition};
use faust_kafka as native;

pub(super) fn to_tp(of: &TopicPartition) -> native::TopicPartition {
    native::TopicPartition::new(&*of.topic, of.partition as i32)
}

pub(super) fn from_tp(of: native::TopicPartition) -> TopicPartition {
    TopicPartition::new(of.topic, of.partition.max(0) as u32)
}

pub(super) fn failed(what: &str, error: native::Error) -> KafkaError {
    match error {
        native::Error::OffsetOutOfRange { topic, partition, offset } => KafkaError::OutOfRange {
            partition: TopicPartition::new(topic, partition.max(0) as u32),
            offset,
        },
        error if error.is_lasting() => {
            KafkaError::Refused { what: what.into(), cause: error.to_string() }
        }
        error => KafkaError::failed(what, error),
    }
}
