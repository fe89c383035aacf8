//! A table as declared.

use super::{Place, WindowDef};
use crate::time::millis;
use std::time::Duration;

/// Which keys a partition of a table may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The keys whose hash gives this partition: every key has one home, and can be found from anywhere.
    Key,
    /// Any key: a row lives where the event that wrote it was, and only local reads find it.
    Partition,
}

/// What `#[table]` says of a table. A name here is a default: settings rename it per deployment.
#[derive(Clone, Copy, Debug)]
pub struct TableDef {
    /// The name; its changelog topic is `{app}-{name}-changelog`.
    pub name: &'static str,
    /// How many partitions it has; `None`: as many as the topics that its agents read.
    pub partitions: Option<u32>,
    /// How it divides time, if it does.
    pub window: Option<WindowDef>,
    /// How long a window is kept behind the table's stream time, counted from the window's end; `None`: for ever.
    pub expires: Option<Duration>,
    /// How long after its end, by the table's stream time, a window still takes events; then it closes, and what comes
    /// for it is late. `None`: as long as it is kept.
    pub grace: Option<Duration>,
    /// How long a row lives after its last write, by the table's stream time; `None`: for ever.
    pub ttl: Option<Duration>,
    /// How long the versions of a value are kept, by the table's stream time; `None`: there is one, the newest.
    pub history: Option<Duration>,
    /// Which keys a partition may hold.
    pub scope: Scope,
    /// Whether a changelog topic backs it. Without one it is on this worker's disk alone.
    pub changelog: bool,
    /// Further configuration of the changelog topic, as Kafka names it.
    pub config: &'static [(&'static str, &'static str)],
    /// Where it is declared.
    pub place: Place,
}

impl TableDef {
    /// A table with nothing said but its name.
    pub const fn new(name: &'static str, place: Place) -> Self {
        Self {
            name,
            partitions: None,
            window: None,
            expires: None,
            grace: None,
            ttl: None,
            history: None,
            scope: Scope::Key,
            changelog: true,
            config: &[],
            place,
        }
    }

    /// As its rows are stored: sessions and sliding windows by stretches of time.
    pub(crate) const fn as_stored(self) -> Self {
        super::sliding::stretches(super::session::stretches(self))
    }

    /// The start below which windows are closed at a stream time.
    pub(crate) fn closed_below(&self, stream_time: i64) -> i64 {
        match (self.window, self.grace.or(self.expires)) {
            (Some(window), Some(grace)) => window.ended(stream_time.saturating_sub(millis(grace))),
            _ => i64::MIN,
        }
    }

    /// The start below which windows are no longer kept at a stream time.
    pub(crate) fn kept_from(&self, stream_time: i64) -> i64 {
        match (self.window, self.expires) {
            (Some(window), Some(expires)) => {
                window.ended(stream_time.saturating_sub(millis(expires)))
            }
            _ => i64::MIN,
        }
    }
}
