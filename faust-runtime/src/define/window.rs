//! Windows: which spans of time an event falls into.

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
    /// Spans of equal length, one that ends with each event and one that begins behind it.
    Sliding {
        /// The length of a span.
        size: Duration,
    },
    /// Spans that last as long as the events of a key come: one ends when none has come for a while.
    Session {
        /// The while.
        gap: Duration,
    },
    /// Spans of equal length that begin one step apart and overlap: an event is in `size / step` of them.
    Hopping {
        /// The length of a span.
        size: Duration,
        /// From the begin of one span to the next one's.
        step: Duration,
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
    /// The span that `time` falls into; of several the newest.
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
        self.starting(time.as_millis() - time.as_millis().rem_euclid(self.step()))
    }

    /// All spans that `time` falls into, the oldest first. None of them begins before 1970.
    ///
    /// ```
    /// use faust::{Timestamp, WindowDef};
    /// use std::time::Duration;
    /// let (size, step) = (Duration::from_secs(60), Duration::from_secs(30));
    /// let hopping = WindowDef::Hopping { size, step };
    /// let starts = hopping.windows(Timestamp::from_millis(61_500)).map(|window| window.start.as_millis());
    /// assert_eq!(starts.collect::<Vec<_>>(), [30_000, 60_000]);
    /// ```
    pub fn windows(&self, time: Timestamp) -> impl Iterator<Item = Window> + use<> {
        let (this, newest) = (*self, self.window(time).start.as_millis());
        let older = (time.as_millis() - this.length()).max(-1);
        // How many steps back a span still reaches beyond `time`.
        let back = newest.saturating_sub(older + 1).div_euclid(this.step());
        (0..=back).rev().map(move |n| this.starting(newest - n * this.step()))
    }

    /// How long a span is; of a session, how long it can be without an event.
    pub const fn size(&self) -> Duration {
        match self {
            Self::Tumbling { size } | Self::Hopping { size, .. } | Self::Sliding { size } => *size,
            Self::Session { gap } => *gap,
        }
    }

    /// The span that begins at this moment.
    pub(crate) const fn starting(&self, start: i64) -> Window {
        let end = start.saturating_add(self.length());
        Window { start: Timestamp::from_millis(start), end: Timestamp::from_millis(end) }
    }

    /// Spans that begin before this have ended by `time`.
    pub(crate) const fn ended(&self, time: i64) -> i64 {
        let last = time.saturating_sub(self.length());
        last.saturating_sub(last.rem_euclid(self.step())).saturating_add(self.step())
    }

    const fn length(&self) -> i64 {
        at_least_one(self.size())
    }

    /// From the begin of one span to the next one's.
    const fn step(&self) -> i64 {
        match self {
            Self::Tumbling { size } | Self::Session { gap: size } | Self::Sliding { size } => {
                at_least_one(*size)
            }
            Self::Hopping { step, .. } => at_least_one(*step),
        }
    }
}

const fn at_least_one(span: Duration) -> i64 {
    match millis(span) {
        0 => 1,
        span => span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hopping(size: u64, step: u64) -> WindowDef {
        WindowDef::Hopping { size: Duration::from_millis(size), step: Duration::from_millis(step) }
    }

    #[test]
    fn the_windows_of_a_moment_are_those_that_contain_it() {
        let tumbling = WindowDef::Tumbling { size: Duration::from_millis(10) };
        for window in [tumbling, hopping(10, 5), hopping(10, 3), hopping(10, 10), hopping(10, 1)] {
            for time in 0..60 {
                let found: Vec<i64> = window
                    .windows(Timestamp::from_millis(time))
                    .map(|window| window.start.as_millis())
                    .collect();
                let wanted: Vec<i64> = (0..60)
                    .filter(|start| start % window.step() == 0)
                    .filter(|start| (*start..start + 10).contains(&time))
                    .collect();
                assert_eq!(found, wanted, "{window:?} at {time}");
                assert_eq!(
                    window.window(Timestamp::from_millis(time)).start.as_millis(),
                    *wanted.last().unwrap()
                );
            }
        }
    }

    #[test]
    fn a_window_has_ended_when_its_end_is_reached() {
        for window in [hopping(10, 5), hopping(10, 3), hopping(10, 10)] {
            for time in 0..100 {
                let below = window.ended(time);
                for start in (0..100).filter(|start| start % window.step() == 0) {
                    assert_eq!(start < below, start + 10 <= time, "{window:?}: {start} at {time}");
                }
            }
        }
    }

    #[test]
    fn windows_of_less_than_a_second_are_windows() {
        let half = WindowDef::Tumbling { size: Duration::from_millis(500) };
        assert_eq!(half.window(Timestamp::from_millis(1_700)).start.as_millis(), 1_500);
    }
}
