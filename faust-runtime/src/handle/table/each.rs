//! Changing all windows that an event is in.

use super::*;
use crate::define::{Overlapping, Pane, Shape, Sliding, WindowDef, Windowed};
use crate::handle::Event;
use crate::time::{Timestamp, millis};
use std::time::Duration;

impl<T: Row<Window: EachWindow>> Table<T> {
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
        let first = T::Window::try_each::<T>(number, time, key, &mut change);
        Access::tried(first, || {
            let key = key.to_key();
            move || T::Window::try_each::<T>(number, time, &key, &mut change)
        })
    }
}

/// That [`Table::update_each`] knows the windows of an event.
pub trait EachWindow: Shape + Sized {
    /// Changes all of them; or none, where the event waits for a row.
    #[doc(hidden)]
    fn try_each<T: Row<Window = Self>>(
        number: u16,
        time: Timestamp,
        key: &(impl KeyRef<T::Key> + ?Sized),
        change: &mut impl FnMut(&mut T::Value),
    ) -> crate::Result<Tried<usize>>;
}

/// Windows whose starts follow from the event's time.
fn by_time<T: Row<Window: Shape<Kept<T> = T>>>(
    number: u16,
    time: Timestamp,
    key: &(impl KeyRef<T::Key> + ?Sized),
    change: &mut impl FnMut(&mut T::Value),
) -> crate::Result<Tried<usize>> {
    let Some(window) = T::TABLE.window else { return Ok(Tried::Done(0)) };
    let spots =
        || window.windows(time).map(|window| Spot { number, start: window.start.as_millis() });
    Spot { number, start: 0 }.with::<T, _>(|lane, At { offset: event, .. }, cache| {
        for spot in spots() {
            if let Some(waits) = spot.claimed(lane, event, cache, key)? {
                return Ok(Tried::Wait(waits));
            }
        }
        let mut changed = 0;
        for spot in spots().filter(|spot| !spot.is_late(lane, cache)) {
            changed += 1;
            spot.change(lane, event, cache, key, |value| {
                change(value.get_or_insert_with(|| T::fresh(&key.to_key())));
            })?;
        }
        Ok(Tried::Done(changed))
    })
}

macro_rules! by_time {
    ($($shape:ty)*) => {
        $(impl EachWindow for $shape {
            fn try_each<T: Row<Window = Self>>(
                number: u16,
                time: Timestamp,
                key: &(impl KeyRef<T::Key> + ?Sized),
                change: &mut impl FnMut(&mut T::Value),
            ) -> crate::Result<Tried<usize>> {
                by_time::<T>(number, time, key, change)
            }
        })*
    };
}

by_time!(Windowed Overlapping);

impl EachWindow for Sliding {
    fn try_each<T: Row<Window = Self>>(
        number: u16,
        time: Timestamp,
        key: &(impl KeyRef<T::Key> + ?Sized),
        change: &mut impl FnMut(&mut T::Value),
    ) -> crate::Result<Tried<usize>> {
        let size = millis(T::TABLE.window.map(|window| window.size()).unwrap_or_default()).max(1);
        let stretches = WindowDef::Tumbling { size: Duration::from_millis(size.unsigned_abs()) };
        let stretch = |start: i64| {
            let start = Timestamp::from_millis(start.max(0));
            Spot { number, start: stretches.window(start).start.as_millis() }
        };
        let at = time.as_millis();
        // Windows that begin in between can tell the event what it meets (KIP-450).
        let (from, to) = (stretch(at - 2 * size).start, stretch(at + 1).start);
        let spots = || (from..=to).step_by(size as usize).map(|start| Spot { number, start });
        Spot { number, start: 0 }.with::<T, _>(|lane, At { offset: event, .. }, cache| {
            let mut panes = Vec::new();
            for spot in spots() {
                if let Some(waits) = spot.claimed(lane, event, cache, key)? {
                    return Ok(Tried::Wait(waits));
                }
                panes.extend(spot.look(lane, event, cache, key)?.unwrap_or_default());
            }
            let changed = slide(&panes, at, size, || T::fresh(&key.to_key()), change);
            let mut count = 0;
            for spot in spots() {
                let here = |pane: &&Pane<T::Value>| stretch(pane.start).start == spot.start;
                let here: Vec<_> = changed.iter().filter(here).cloned().collect();
                if here.is_empty() || spot.is_late(lane, cache) {
                    continue;
                }
                count += here
                    .iter()
                    .filter(|pane| (pane.start..pane.start + size).contains(&at))
                    .count();
                spot.change(lane, event, cache, key, |stored| {
                    let stored = stored.get_or_insert_default();
                    for pane in here {
                        match stored.binary_search_by_key(&pane.start, |pane| pane.start) {
                            Ok(place) => {
                                if let Some(known) = stored.get_mut(place) {
                                    *known = pane;
                                }
                            }
                            Err(place) => stored.insert(place, pane),
                        }
                    }
                })?;
            }
            Ok(Tried::Done(count))
        })
    }
}

/// The windows that an event at `time` changes or makes, of those known that begin less than two sizes before it: each
/// that it is in; one that ends with it, with the events before it; one that begins behind it, if there are later ones;
/// and one that begins behind the event before it, if that had none (KIP-450).
fn slide<V: Clone>(
    known: &[Pane<V>],
    time: i64,
    size: i64,
    fresh: impl Fn() -> V,
    change: &mut impl FnMut(&mut V),
) -> Vec<Pane<V>> {
    let mut changed = Vec::new();
    let mut add = |start: i64, last: i64, value: V| {
        let mut pane = Pane { start, last: last.max(time), value };
        change(&mut pane.value);
        changed.push(pane);
    };
    let (left, right) = (time - size + 1, time + 1);
    let begins = |start: i64| known.iter().any(|pane| pane.start == start);
    // The newest event before this one, and what is in the last window that ends before this one.
    let mut before: Option<(i64, &V)> = None;
    let mut newest_before: Option<i64> = None;
    let mut behind: Option<&Pane<V>> = None;
    for pane in known {
        if pane.start < left {
            before = Some((pane.last, &pane.value));
            newest_before = newest_before.max(Some(pane.last));
        } else if pane.start <= time {
            if pane.last < time {
                newest_before = newest_before.max(Some(pane.last));
            } else if pane.last > time {
                behind = Some(pane);
            }
            add(pane.start, pane.last, pane.value.clone());
        }
    }
    if let Some(newest) = newest_before.filter(|newest| *newest < time)
        && !begins(newest + 1)
        && newest + size >= time
    {
        add(newest + 1, time, fresh());
    }
    if !begins(left) {
        let base = before.filter(|(last, _)| *last >= left).map(|(_, value)| value.clone());
        add(left, time, base.unwrap_or_else(fresh));
    }
    if let Some(behind) = behind.filter(|_| !begins(right)) {
        changed.push(Pane { start: right, last: behind.last, value: behind.value.clone() });
    }
    changed
}

impl Spot {
    /// Takes a row for the event, or says for whom it waits.
    pub(super) fn claimed<T: Row>(
        self,
        lane: &Rc<LaneState>,
        event: Offset,
        cache: &Cache<T>,
        key: &(impl KeyRef<T::Key> + ?Sized),
    ) -> crate::Result<Option<Waits>> {
        let mut cache = cache.lock();
        let Found::Row(row) = cache.find(self.start, key, event)? else { return Ok(None) };
        Waits::on::<T>(lane, cache.claim(row, lane.id))
    }

    /// Changes a row that is claimed.
    pub(super) fn change<T: Row>(
        self,
        lane: &LaneState,
        event: Offset,
        cache: &Cache<T>,
        key: &(impl KeyRef<T::Key> + ?Sized),
        change: impl FnOnce(&mut Option<T::Value>),
    ) -> crate::Result<()> {
        let mut cache = cache.lock();
        let Found::Row(row) = cache.find(self.start, key, event)? else { return Ok(()) };
        let mut first = false;
        let value = cache.write(row, lane.id, &mut first);
        // Before the user's code, which may panic.
        if first {
            lane.touch(self.number, row);
        }
        change(value);
        Ok(())
    }

    /// The row as the event sees it.
    fn look<T: Row>(
        self,
        lane: &LaneState,
        event: Offset,
        cache: &Cache<T>,
        key: &(impl KeyRef<T::Key> + ?Sized),
    ) -> crate::Result<Option<T::Value>> {
        let mut cache = cache.lock();
        let Found::Row(row) = cache.find(self.start, key, event)? else { return Ok(None) };
        Ok(cache.read(row, lane.id).cloned())
    }
}
