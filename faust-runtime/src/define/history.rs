//! The rows of a table that keeps its history: a row for each version of a value.

use crate::time::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// When a version began, as the last part of a row's key. It is written so that newer versions come first: the version
/// of a moment is the first row from that moment on.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp(pub(crate) Timestamp);

/// How long a [`Stamp`] is in a composite key, with its quotes and the bracket behind it.
pub(crate) const STAMP: usize = 16 + 3;

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let backwards = u64::MAX - self.0.as_millis().max(0).unsigned_abs();
        serializer.collect_str(&format_args!("{backwards:016x}"))
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let backwards = u64::from_str_radix(&text, 16).map_err(D::Error::custom)?;
        Ok(Self(Timestamp::from_millis((u64::MAX - backwards) as i64)))
    }
}

/// A version: a value, or that there is none from then on. A list of one value, or of none.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Version<V>(pub Option<V>);

impl<V: Serialize> Serialize for Version<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Version<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = Vec::<V>::deserialize(deserializer)?;
        match (values.pop(), values.is_empty()) {
            (value, true) => Ok(Self(value)),
            _ => Err(D::Error::custom("a version has one value at most")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Key;

    #[test]
    fn newer_versions_come_first() {
        let encoded = |millis| {
            let mut bytes = Vec::new();
            let key = ("a".to_string(), Stamp(Timestamp::from_millis(millis)));
            key.encode(&mut bytes).unwrap();
            assert_eq!(<(String, Stamp)>::decode(&bytes).unwrap(), key);
            assert_eq!(&bytes[..bytes.len() - STAMP], br#"["a","#);
            bytes
        };
        let times = [0, 1, 9, 10, 16, 1_000, 1_700_000_000_000, i64::MAX];
        assert!(times.map(encoded).is_sorted_by(|a, b| a > b));
    }
}
