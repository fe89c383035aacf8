//! Sliding windows: one that ends with each event, and one that begins behind it, as in Kafka Streams (KIP-450). So
//! whatever stretch of that length one looks at, there is a window with just its events.
//!
//! The windows of a key that begin in the same stretch of time, as long as they are, are stored together.

use super::{Row, TableDef, Window, WindowDef, Windowed};
use crate::codec::CodecError;
use crate::time::Timestamp;
use std::marker::PhantomData;
use std::time::Duration;

/// One of the windows of a table with `window = sliding(size)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pane<V> {
    /// The first millisecond in it.
    pub start: i64,
    /// The time of the last event in it.
    pub last: i64,
    /// The row's value.
    pub value: V,
}

/// A table of sliding windows as it is stored.
#[derive(Debug)]
pub struct PanesOf<T>(PhantomData<fn() -> T>);

#[diagnostic::do_not_recommend]
impl<T: Row> Row for PanesOf<T> {
    type Key = T::Key;
    /// In the order of their starts.
    type Value = Vec<Pane<T::Value>>;
    type PartitionKey = T::PartitionKey;
    type Window = Windowed;
    const TABLE: TableDef = T::TABLE.as_stored();

    fn fresh(_: &T::Key) -> Self::Value {
        Vec::new()
    }

    /// Each window: its start, its last event and the length of its value, in eight bytes each, big-endian; its value.
    fn encode_value(panes: &Self::Value, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        let before = out.len();
        for pane in panes {
            let head = out.len();
            for number in [pane.start, pane.last, 0] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            let begin = out.len();
            if !T::encode_value(&pane.value, out)? {
                out.truncate(head);
                continue;
            }
            let len = (out.len() - begin) as u64;
            if let Some(place) = out.get_mut(begin - 8..begin) {
                place.copy_from_slice(&len.to_be_bytes());
            }
        }
        Ok(out.len() > before)
    }

    fn decode_value(bytes: &[u8]) -> Result<Self::Value, CodecError> {
        let panes = split_panes(bytes).map(|pane| {
            let Pane { start, last, value } = pane?;
            Ok(Pane { start, last, value: T::decode_value(value)? })
        });
        panes.collect()
    }

    fn encode_partition_key(key: &T::Key, out: &mut Vec<u8>) -> Result<(), CodecError> {
        T::encode_partition_key(key, out)
    }
}

/// The windows that are stored together.
pub(crate) fn split_panes(
    mut bytes: &[u8],
) -> impl Iterator<Item = Result<Pane<&[u8]>, CodecError>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let pane = split_pane(bytes);
        bytes = pane.as_ref().map_or(&[], |(_, rest)| rest);
        Some(pane.map(|(pane, _)| pane).ok_or(CodecError::NoWindows))
    })
}

fn split_pane(bytes: &[u8]) -> Option<(Pane<&[u8]>, &[u8])> {
    let (start, bytes) = bytes.split_first_chunk()?;
    let (last, bytes) = bytes.split_first_chunk()?;
    let (len, bytes) = bytes.split_first_chunk()?;
    let (value, rest) = bytes.split_at_checked(u64::from_be_bytes(*len) as usize)?;
    let [start, last] = [start, last].map(|time| i64::from_be_bytes(*time));
    Some((Pane { start, last, value }, rest))
}

impl<V> Pane<V> {
    /// From when to when it is.
    pub(crate) fn window(&self, size: Duration) -> Window {
        let start = Timestamp::from_millis(self.start);
        Window { start, end: start + size }
    }
}

/// What is stored together closes when the last that can be in it does. What an event has to look at is there as long as
/// there can be such an event.
pub(super) const fn stretches(table: TableDef) -> TableDef {
    let Some(WindowDef::Sliding { size }) = table.window else { return table };
    let grace = match table.grace {
        Some(grace) => Some(grace.saturating_add(size)),
        None => None,
    };
    let expires = match (table.expires, table.grace) {
        (Some(expires), _) => Some(expires.saturating_add(size.saturating_mul(3))),
        (None, _) => None,
    };
    TableDef { window: Some(WindowDef::Tumbling { size }), grace, expires, ..table }
}
