//! How rows are kept: as they are, with the time of their last write, or several windows of a key together.

use super::{Pane, PanesOf, Row, Session, SessionsOf, TableDef, Window};
use crate::codec::CodecError;
use crate::time::{Timestamp, millis};
use std::iter::once;
use std::marker::PhantomData;

/// A row's value as the cache keeps it.
pub(crate) type Kept<T> = <KeptRow<T> as Row>::Value;
/// The rows that the cache of a table keeps.
pub(crate) type KeptRow<T> = <<T as Row>::Window as Shape>::Kept<T>;

/// How the rows of a table are kept, as a type: it decides which methods its handles have.
pub trait Shape: 'static {
    /// The rows that the cache keeps for a table of this shape, and the store.
    type Kept<T: Row>: Row<Key = T::Key, PartitionKey = T::PartitionKey>;
    /// What is kept under this start of a window: from when to when it is, and its value. Of sliding windows there are
    /// several.
    #[doc(hidden)]
    fn open<T: Row>(
        start: i64,
        kept: <Self::Kept<T> as Row>::Value,
    ) -> impl Iterator<Item = (Window, T::Value)>;
}

/// That a row of this shape is one value.
#[doc(hidden)]
pub trait Plain: Shape {
    /// Whether what is seen depends on the time.
    const AGES: bool = false;
    /// What an event sees of a row.
    fn look<T: Row>(kept: Option<&<Self::Kept<T> as Row>::Value>, now: Now) -> Option<&T::Value>;
    /// The same as a value of its own.
    fn take<T: Row>(kept: <Self::Kept<T> as Row>::Value, now: Now) -> Option<T::Value>;
    /// Changes a row.
    fn change<T: Row, R>(
        kept: &mut Option<<Self::Kept<T> as Row>::Value>,
        now: Now,
        change: impl FnOnce(&mut Option<T::Value>) -> R,
    ) -> R;
}

/// From when to when a row is that is kept under this start.
fn window<T: Row>(start: i64) -> Window {
    match T::TABLE.window {
        Some(window) => window.starting(start),
        None => Window { start: Timestamp::default(), end: Timestamp::from_millis(i64::MAX) },
    }
}

/// When an event happens, as its table has it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Its own time.
    pub event: Timestamp,
    /// Its own time, or the table's stream time where that is later.
    pub stream: Timestamp,
}

/// Rows are kept as they are.
macro_rules! plain {
    ($($shape:ty, $ages:literal;)*) => {
        $(impl Shape for $shape {
            type Kept<T: Row> = T;

            fn open<T: Row>(start: i64, kept: T::Value) -> impl Iterator<Item = (Window, T::Value)> {
                once((window::<T>(start), kept))
            }
        }

        impl Plain for $shape {
            const AGES: bool = $ages;

            fn look<T: Row>(kept: Option<&T::Value>, _: Now) -> Option<&T::Value> {
                kept
            }

            fn take<T: Row>(kept: T::Value, _: Now) -> Option<T::Value> {
                Some(kept)
            }

            fn change<T: Row, R>(
                kept: &mut Option<T::Value>,
                _: Now,
                change: impl FnOnce(&mut Option<T::Value>) -> R,
            ) -> R {
                change(kept)
            }
        })*
    };
}

plain! {
    Unwindowed<Forever>, false;
    Windowed, false;
    Overlapping, false;
    Members, false;
    History, true;
}

impl Shape for Sessions {
    type Kept<T: Row> = SessionsOf<T>;

    fn open<T: Row>(
        _: i64,
        session: Session<T::Value>,
    ) -> impl Iterator<Item = (Window, T::Value)> {
        once((session.window(), session.value))
    }
}

impl Shape for Sliding {
    type Kept<T: Row> = PanesOf<T>;

    fn open<T: Row>(
        _: i64,
        panes: Vec<Pane<T::Value>>,
    ) -> impl Iterator<Item = (Window, T::Value)> {
        let size = T::TABLE.window.map(|window| window.size()).unwrap_or_default();
        panes.into_iter().map(move |pane| (pane.window(size), pane.value))
    }
}

/// A table without windows: its methods take a key. Its rows stay [`Forever`], or are [`Aging`].
#[derive(Clone, Copy, Debug)]
pub struct Unwindowed<L = Forever>(PhantomData<L>);

/// A table with windows, of which an event is in one: `table.at(&event)`, `table.now()` or `table.at_time(t)` say which.
#[derive(Clone, Copy, Debug)]
pub enum Windowed {}

/// A table with windows that overlap: an event is in several, and `table.update_each(&event, ..)` changes them all.
#[derive(Clone, Copy, Debug)]
pub enum Overlapping {}

/// A table with a window for each stretch of events of a key: `table.update_session(&event, ..)` extends it.
#[derive(Clone, Copy, Debug)]
pub enum Sessions {}

/// A table with a window that ends with each event, and one that begins behind it: `table.update_each(&event, ..)` changes
/// all that the event is in.
#[derive(Clone, Copy, Debug)]
pub enum Sliding {}

/// Rows stay until they are removed.
#[derive(Clone, Copy, Debug)]
pub enum Forever {}

/// Rows go a while after their last write: `ttl = 1h`.
#[derive(Clone, Copy, Debug)]
pub enum Aging {}

/// The rows are the members of sets: `value: Set<Member>`.
#[derive(Clone, Copy, Debug)]
pub enum Members {}

/// The rows are the versions of values: `history = 1d`.
#[derive(Clone, Copy, Debug)]
pub enum History {}

/// A row with the time of its last write. In store and changelog that is eight bytes in front of the value, big-endian
/// milliseconds since 1970.
#[doc(hidden)]
pub struct Aged<T>(PhantomData<T>);

/// A value with the time of its last write.
#[doc(hidden)]
#[derive(Clone)]
pub struct Timed<V> {
    written: Timestamp,
    value: V,
}

#[diagnostic::do_not_recommend]
impl<T: Row> Row for Aged<T> {
    type Key = T::Key;
    type Value = Timed<T::Value>;
    type PartitionKey = T::PartitionKey;
    type Window = Unwindowed;
    const TABLE: TableDef = T::TABLE;

    fn fresh(key: &T::Key) -> Timed<T::Value> {
        Timed { written: Timestamp::default(), value: T::fresh(key) }
    }

    fn encode_value(value: &Timed<T::Value>, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        let start = out.len();
        out.extend_from_slice(&value.written.as_millis().max(0).to_be_bytes());
        let there = T::encode_value(&value.value, out)?;
        if !there {
            out.truncate(start);
        }
        Ok(there)
    }

    fn decode_value(bytes: &[u8]) -> Result<Timed<T::Value>, CodecError> {
        let (written, value) = split(bytes);
        Ok(Timed { written, value: T::decode_value(value)? })
    }

    fn written(value: &Timed<T::Value>) -> Option<Timestamp> {
        Some(value.written)
    }

    fn encode_partition_key(key: &T::Key, out: &mut Vec<u8>) -> Result<(), CodecError> {
        T::encode_partition_key(key, out)
    }
}

/// The time of a row that was written before its table had a `ttl`.
const UNKNOWN: Timestamp = Timestamp::from_millis(i64::MAX);

/// The time of the last write, and the value. A value from before the table had a `ttl` has no time: no text begins with
/// a zero, as these times do. It stays until it is written again.
pub(crate) fn split(bytes: &[u8]) -> (Timestamp, &[u8]) {
    match bytes.split_first_chunk::<8>() {
        Some((written, value)) if bytes.first() == Some(&0) => {
            (Timestamp::from_millis(i64::from_be_bytes(*written)), value)
        }
        _ => (UNKNOWN, bytes),
    }
}

/// Whether a row that was written then lives.
pub(crate) fn lives(def: &TableDef, written: Timestamp, now: Timestamp) -> bool {
    match def.ttl {
        Some(ttl) => written.as_millis().saturating_add(millis(ttl)) > now.as_millis(),
        None => true,
    }
}

impl Shape for Unwindowed<Aging> {
    type Kept<T: Row> = Aged<T>;

    fn open<T: Row>(start: i64, kept: Timed<T::Value>) -> impl Iterator<Item = (Window, T::Value)> {
        once((window::<T>(start), kept.value))
    }
}

impl Plain for Unwindowed<Aging> {
    const AGES: bool = true;

    fn look<T: Row>(kept: Option<&Timed<T::Value>>, now: Now) -> Option<&T::Value> {
        let kept = kept.filter(|kept| lives(&T::TABLE, kept.written, now.stream))?;
        Some(&kept.value)
    }

    fn take<T: Row>(kept: Timed<T::Value>, now: Now) -> Option<T::Value> {
        lives(&T::TABLE, kept.written, now.stream).then_some(kept.value)
    }

    fn change<T: Row, R>(
        kept: &mut Option<Timed<T::Value>>,
        now: Now,
        change: impl FnOnce(&mut Option<T::Value>) -> R,
    ) -> R {
        let old = kept.take().filter(|kept| lives(&T::TABLE, kept.written, now.stream));
        // An event that comes late does not shorten a row's life.
        let known = old.as_ref().map(|old| old.written).filter(|written| *written != UNKNOWN);
        let written = known.map_or(now.event, |written| written.max(now.event));
        let mut value = old.map(|old| old.value);
        let result = change(&mut value);
        *kept = value.map(|value| Timed { written, value });
        result
    }
}
