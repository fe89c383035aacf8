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

impl<T: Row<Window: ByTime>> InWindow<T> {
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
        self.spot.with(|lane, _, cache: &Cache<T>| Ok(self.spot.is_closed(lane, cache)))
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

    /// Changes the row in each window that the event is in, beginning with a fresh one where there is none; gives in
    /// how many. Windows that are closed are left out, and counted as late.
    ///
    /// ```
    /// # use faust::prelude::*;
    /// # #[topic("clicks", key = user)]
    /// # struct Click { user: String }
    /// /// How often a user has clicked in ten minutes, anew each minute.
    /// #[table("recent", window = hopping(10min, step = 1min), expires = 1h)]
    /// struct Recent { key: String, value: u64 }
    ///
    /// #[agent]
    /// async fn count(click: Event<Click>, recent: Table<Recent>) -> Result<()> {
    ///     recent.update_each(&click, &click.user, |n| *n += 1).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn update_each<'t, E>(
        &self,
        event: &Event<E>,
        key: &(impl KeyRef<T::Key> + ?Sized),
        mut change: impl FnMut(&mut T::Value) + 't,
    ) -> Access<'t, usize> {
        let (number, time) = (self.number, event.timestamp());
        let windows = T::TABLE.window.map(|window| window.windows(time)).into_iter().flatten();
        let mut spots =
            windows.map(move |window| Spot { number, start: window.start.as_millis() }).peekable();
        // In place as long as no other event holds one of the rows.
        let mut changed = 0;
        while let Some(spot) = spots.peek() {
            match spot.try_change::<T>(key, &mut change) {
                Ok(Tried::Done(done)) => changed += usize::from(done),
                Ok(Tried::Wait(waits)) => {
                    let key = key.to_key();
                    return Access(State::Waiting(Box::pin(async move {
                        let mut waits = Some(waits);
                        while let Some(spot) = spots.peek() {
                            if let Some(waits) = waits.take() {
                                waits.released().await;
                            }
                            match spot.try_change::<T>(&key, &mut change)? {
                                Tried::Done(done) => {
                                    changed += usize::from(done);
                                    spots.next();
                                }
                                Tried::Wait(again) => waits = Some(again),
                            }
                        }
                        Ok(changed)
                    })));
                }
                Err(error) => return Access::ready(Err(error)),
            }
            spots.next();
        }
        Access::ready(Ok(changed))
    }
}

impl Spot {
    /// Changes the event's copy of a row; whether its window still takes events.
    fn try_change<T: Row>(
        self,
        key: &(impl KeyRef<T::Key> + ?Sized),
        change: &mut impl FnMut(&mut T::Value),
    ) -> crate::Result<Tried<bool>> {
        let closed = self.with(|lane, _, cache: &Cache<T>| Ok(self.is_late(lane, cache)))?;
        if closed {
            return Ok(Tried::Done(false));
        }
        let write = |value: &mut Option<T::Value>, key: &dyn Fn() -> T::Key| {
            change(value.get_or_insert_with(|| T::fresh(&key())));
            true
        };
        self.try_write::<T, _>(key, &mut Some(write))
    }
}
