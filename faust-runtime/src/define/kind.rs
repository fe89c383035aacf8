//! What kind of windows a table has, as a type: it decides which methods `Table<T>` has, and how rows are stored.

use super::{Pane, PanesOf, Row, Session, SessionsOf, Window};
use crate::time::Timestamp;
use std::iter::once;

/// How the rows of a table with certain windows are stored.
pub trait WindowKind: Sized {
    /// The row as the cache and the store have it.
    type Stored<T: Row>: Row<Key = T::Key, PartitionKey = T::PartitionKey>;

    /// What is stored under this start: from when to when it is, and its value. Of sliding windows there are several.
    fn open<T: Row>(
        start: i64,
        stored: <Self::Stored<T> as Row>::Value,
    ) -> impl Iterator<Item = (Window, T::Value)>;
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

/// A table with a window that ends with each event, and one that begins behind it: `table.update_each(&event, ..)` changes
/// all that the event is in.
#[derive(Clone, Copy, Debug)]
pub enum Sliding {}

macro_rules! stored_as_they_are {
    ($($kind:ty)*) => {
        $(impl WindowKind for $kind {
            type Stored<T: Row> = T;

            fn open<T: Row>(start: i64, stored: T::Value) -> impl Iterator<Item = (Window, T::Value)> {
                let window = match T::TABLE.window {
                    Some(window) => window.starting(start),
                    None => Window { start: Timestamp::default(), end: Timestamp::from_millis(i64::MAX) },
                };
                once((window, stored))
            }
        })*
    };
}

stored_as_they_are!(Unwindowed Windowed Overlapping);

impl WindowKind for Sessions {
    type Stored<T: Row> = SessionsOf<T>;

    fn open<T: Row>(
        _: i64,
        session: Session<T::Value>,
    ) -> impl Iterator<Item = (Window, T::Value)> {
        once((session.window(), session.value))
    }
}

impl WindowKind for Sliding {
    type Stored<T: Row> = PanesOf<T>;

    fn open<T: Row>(
        _: i64,
        panes: Vec<Pane<T::Value>>,
    ) -> impl Iterator<Item = (Window, T::Value)> {
        let size = T::TABLE.window.map(|window| window.size()).unwrap_or_default();
        panes.into_iter().map(move |pane| (pane.window(size), pane.value))
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
impl HasWindows for Sliding {}

/// That a table has windows of one length, so that a moment says which.
#[diagnostic::on_unimplemented(
    message = "a moment does not say which window of this table is meant",
    label = "its windows are not all of one length",
    note = "the session of an event: `table.update_session(&event, key, change, join)`"
)]
pub trait ByTime {}

impl ByTime for Windowed {}
impl ByTime for Overlapping {}
