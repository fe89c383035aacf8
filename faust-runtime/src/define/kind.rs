//! What kind of windows a table has, as a type: it decides which methods `Table<T>` has, and how rows are stored.

use super::{Row, SessionsOf, Window};
use crate::time::Timestamp;

/// How the rows of a table with certain windows are stored.
pub trait WindowKind: Sized {
    /// The row as the cache and the store have it.
    type Stored<T: Row>: Row<Key = T::Key, PartitionKey = T::PartitionKey>;

    /// From when to when a row is that is stored under this start, and its value.
    fn open<T: Row>(start: i64, stored: <Self::Stored<T> as Row>::Value) -> (Window, T::Value);
}

/// A row as its table's cache and store have it.
pub(crate) type Stored<T> = <<T as Row>::Window as WindowKind>::Stored<T>;

/// A table without windows: its methods take a key.
#[derive(Clone, Copy, Debug)]
pub enum Unwindowed {}

/// A table with windows, of which an event is in one: `table.at(&event)`, `table.now()` or `table.at_time(t)` say which.
#[derive(Clone, Copy, Debug)]
pub enum Windowed {}

/// A table with windows that overlap: an event is in several, and `table.update_each(&event, ..)` changes them all.
#[derive(Clone, Copy, Debug)]
pub enum Overlapping {}

/// A table with a window for each stretch of events of a key: `table.update_session(&event, ..)` extends it.
#[derive(Clone, Copy, Debug)]
pub enum Sessions {}

macro_rules! stored_as_they_are {
    ($($kind:ty)*) => {
        $(impl WindowKind for $kind {
            type Stored<T: Row> = T;

            fn open<T: Row>(start: i64, stored: T::Value) -> (Window, T::Value) {
                let window = match T::TABLE.window {
                    Some(window) => window.starting(start),
                    None => Window { start: Timestamp::default(), end: Timestamp::from_millis(i64::MAX) },
                };
                (window, stored)
            }
        })*
    };
}

stored_as_they_are!(Unwindowed Windowed Overlapping);

impl WindowKind for Sessions {
    type Stored<T: Row> = SessionsOf<T>;

    fn open<T: Row>(_: i64, session: <SessionsOf<T> as Row>::Value) -> (Window, T::Value) {
        (session.window(), session.value)
    }
}

/// That a table has windows.
#[diagnostic::on_unimplemented(
    message = "this table has no windows",
    label = "no windows of it can close",
    note = "declare some: `#[table(\"..\", window = tumbling(1min))]`"
)]
pub trait HasWindows {}

impl HasWindows for Windowed {}
impl HasWindows for Overlapping {}
impl HasWindows for Sessions {}

/// That a table has windows of one length, so that a moment says which.
#[diagnostic::on_unimplemented(
    message = "a moment does not say which window of this table is meant",
    label = "its windows are not all of one length",
    note = "the session of an event: `table.update_session(&event, key, change, join)`"
)]
pub trait ByTime {}

impl ByTime for Windowed {}
impl ByTime for Overlapping {}
