//! Windows: which span of time an event falls into.

use crate::time::{Timestamp, millis};
use std::time::Duration;

/// How a table divides time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowDef {
    /// Spans of equal length, one after the other, counted from 1970: an event is in exactly one.
    Tumbling {
        /// The length of a span.
        size: Duration,
    },
}

/// One span: from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first moment in it.
    pub start: Timestamp,
    /// The first moment behind it.
    pub end: Timestamp,
}

impl WindowDef {
    /// The span that `time` falls into.
    ///
    /// ```
    /// use faust::{Timestamp, WindowDef};
    /// use std::time::Duration;
    /// let minutes = WindowDef::Tumbling { size: Duration::from_secs(60) };
    /// let window = minutes.window(Timestamp::from_millis(61_500));
    /// assert_eq!(window.start.as_millis(), 60_000);
    /// assert_eq!(window.end.as_millis(), 120_000);
    /// ```
    pub const fn window(&self, time: Timestamp) -> Window {
        let Self::Tumbling { size } = self;
        let size = match millis(*size) {
            0 => 1,
            size => size,
        };
        let start = time.as_millis() - time.as_millis().rem_euclid(size);
        Window { start: Timestamp::from_millis(start), end: Timestamp::from_millis(start + size) }
    }

    /// How long a span is.
    pub const fn size(&self) -> Duration {
        let Self::Tumbling { size } = self;
        *size
    }
}
