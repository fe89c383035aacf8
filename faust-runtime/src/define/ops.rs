//! A topic's codec behind plain functions: for bytes that come from outside, where the record's type is not known.

use super::{Record, TopicDef};
use crate::codec::CodecError;

/// A topic as data, with its codec.
#[derive(Clone, Copy)]
pub struct TopicUse {
    /// The declaration.
    pub topic: TopicDef,
    pub(crate) ops: RecordOps,
}

impl TopicUse {
    /// The declaration of a topic.
    pub const fn of<T: Record>() -> Self {
        Self { topic: T::TOPIC, ops: RecordOps::of::<T>() }
    }
}

/// What can be done to a record without knowing its type.
#[derive(Clone, Copy)]
pub(crate) struct RecordOps {
    /// Reads key and value as the record that they say they are, and answers with what it would be sent as.
    pub(crate) admit: fn(Option<&[u8]>, Option<&[u8]>) -> Result<Admitted, CodecError>,
}

/// A record as it would be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub(crate) value: Option<Vec<u8>>,
}

impl RecordOps {
    pub(crate) const fn of<T: Record>() -> Self {
        Self {
            admit: |key, value| {
                let record = T::decode(key, value)?;
                let (mut key, mut value) = (Vec::new(), Vec::new());
                let keyed = record.encode_key(&mut key)?;
                let valued = record.encode_value(&mut value)?;
                Ok(Admitted { key: keyed.then_some(key), value: valued.then_some(value) })
            },
        }
    }
}
