//! A table as declared.

use super::{Place, WindowDef};
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
            ttl: None,
            history: None,
            scope: Scope::Key,
            changelog: true,
            config: &[],
            place,
        }
    }
}
