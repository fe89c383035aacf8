//! Tables with windows: which window is meant, and what is done to one, or to all that an event is in.

use super::*;
use crate::define::{ByTime, Window, Windowed};
use crate::handle::Event;
use crate::time::{Timestamp, millis};
use std::time::Duration;

/// One window of a table: [`Table::at`], [`Table::current`] and others give it.
pub struct InWindow<T> {
    spot: Spot,
    row: PhantomData<fn() -> T>,
}

impl<T: Row<Window: ByTime + Plain>> InWindow<T> {
    reads!(self => self.spot);

    /// From when to when it is.
    pub fn window(&self) -> Window {
        T::TABLE.window.map_or(NO_WINDOW, |window| window.starting(self.spot.start))
    }

    /// Whether it takes no more events: its `grace` is over. What is written to it then is counted as late, and has no
    /// effect.
    ///
    /// ```
    /// # use faust::prelude::*;
    /// # #[topic("clicks", key = user)]
    /// # struct Click { user: String }
    /// # #[topic("late-clicks", key = user)]
    /// # struct Late { user: String }
    /// #[table("per-minute", window = tumbling(1min), grace = 10s)]
    /// struct PerMinute { key: String, value: u64 }
    ///
    /// #[agent]
    /// async fn count(click: Event<Click>, counts: Table<PerMinute>, late: Sink<Late>) -> Result<()> {
    ///     let minute = counts.at(&click);
    ///     if minute.is_closed()? {
    ///         return late.send(Late { user: click.user.clone() }).await;
    ///     }
    ///     minute.update(&click.user, |n| *n += 1).await
    /// }
    /// ```
    pub fn is_closed(&self) -> crate::Result<bool> {
        self.spot.with::<T, _>(|lane, _, cache| Ok(self.spot.is_closed(lane, cache)))
    }
}

impl<T: Row<Window = Windowed>> InWindow<T> {
    writes!(self => self.spot);
}

const NO_WINDOW: Window =
    Window { start: Timestamp::from_millis(0), end: Timestamp::from_millis(i64::MAX) };

impl<T: Row<Window: ByTime>> Table<T> {
    /// The window of an event's time; of several the newest.
    pub fn at<E>(&self, event: &Event<E>) -> InWindow<T> {
        self.at_time(event.timestamp())
    }

    /// The window of a moment; of several the newest.
    pub fn at_time(&self, time: Timestamp) -> InWindow<T> {
        let start = T::TABLE.window.map_or(0, |window| window.window(time).start.as_millis());
        InWindow { spot: Spot { number: self.number, start }, row: PhantomData }
    }

    /// The window of the wall clock.
    pub fn now(&self) -> InWindow<T> {
        let wall = || with_current(name::<T>, |lane, _| Ok(lane.task.worker.broker.now()));
        self.at_time(wall().unwrap_or_else(|_| Timestamp::wall()))
    }

    /// The window of the time of the event that is being processed.
    pub fn current(&self) -> crate::Result<InWindow<T>> {
        self.delta(Duration::ZERO)
    }

    /// The window so long before the time of the event that is being processed: with windows of a minute,
    /// `delta(minute)` is the one before.
    pub fn delta(&self, before: Duration) -> crate::Result<InWindow<T>> {
        let time = with_current(name::<T>, |_, event| Ok(event.timestamp.as_millis()))?;
        Ok(self.at_time(Timestamp::from_millis(time.saturating_sub(millis(before)))))
    }
}
