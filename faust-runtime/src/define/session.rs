//! Sessions: windows that last as long as the events of a key come at short distances.
//!
//! A session is stored in the stretch of time, as long as the gap, in which its last event is. Two sessions of one key
//! are further apart than that, so each has a place of its own; whatever an event can meet is in its own stretch, in the
//! one before, or, if the event is late, behind. And stretches are in the order of time, as other windows are: what
//! expires or closes is found from the first one on.

use super::{Row, TableDef, Window, WindowDef, Windowed};
use crate::codec::CodecError;
use crate::time::Timestamp;
use std::marker::PhantomData;

/// A window of a table with `window = session(gap)`, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session<V> {
    /// The time of its first event.
    pub first: Timestamp,
    /// The time of its last event.
    pub last: Timestamp,
    /// The row's value.
    pub value: V,
}

impl<V> Session<V> {
    /// From its first event up to behind its last.
    pub fn window(&self) -> Window {
        let end = self.last.as_millis().saturating_add(1);
        Window { start: self.first, end: Timestamp::from_millis(end) }
    }
}

/// A table of sessions as it is stored: by stretches of time as long as the gap.
#[derive(Debug)]
pub struct SessionsOf<T>(PhantomData<fn() -> T>);

#[diagnostic::do_not_recommend]
impl<T: Row> Row for SessionsOf<T> {
    type Key = T::Key;
    type Value = Session<T::Value>;
    type PartitionKey = T::PartitionKey;
    type Window = Windowed;
    const TABLE: TableDef = T::TABLE.as_stored();

    fn fresh(key: &T::Key) -> Self::Value {
        let time = Timestamp::default();
        Session { first: time, last: time, value: T::fresh(key) }
    }

    /// The times of the first and the last event, in eight bytes each, big-endian; then the value.
    fn encode_value(session: &Self::Value, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        let before = out.len();
        for time in [session.first, session.last] {
            out.extend_from_slice(&time.as_millis().to_be_bytes());
        }
        let there = T::encode_value(&session.value, out)?;
        if !there {
            out.truncate(before);
        }
        Ok(there)
    }

    fn decode_value(bytes: &[u8]) -> Result<Self::Value, CodecError> {
        let (window, value) = split_session(bytes).ok_or(CodecError::NoSession)?;
        let (first, last) = (window.start, Timestamp::from_millis(window.end.as_millis() - 1));
        Ok(Session { first, last, value: T::decode_value(value)? })
    }

    fn encode_partition_key(key: &T::Key, out: &mut Vec<u8>) -> Result<(), CodecError> {
        T::encode_partition_key(key, out)
    }
}

/// A stored session: from when to when it is, and its value.
pub(crate) fn split_session(bytes: &[u8]) -> Option<(Window, &[u8])> {
    let (first, bytes) = bytes.split_first_chunk()?;
    let (last, value) = bytes.split_first_chunk()?;
    let [first, last] = [first, last].map(|time| Timestamp::from_millis(i64::from_be_bytes(*time)));
    Some((Session { first, last, value: () }.window(), value))
}

/// A session can be extended until a gap after its stretch has ended.
pub(super) const fn stretches(table: TableDef) -> TableDef {
    let Some(WindowDef::Session { gap }) = table.window else { return table };
    let grace = match table.grace {
        Some(grace) => Some(grace.saturating_add(gap)),
        None => None,
    };
    let expires = match table.expires {
        Some(expires) => Some(expires.saturating_add(gap)),
        None => None,
    };
    TableDef { window: Some(WindowDef::Tumbling { size: gap }), grace, expires, ..table }
}
