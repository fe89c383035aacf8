//! Tables of sessions: an event begins one, extends one, or joins two.

use super::*;
use crate::define::{Session, Sessions, SessionsOf, WindowDef};
use crate::handle::Event;
use crate::time::{Timestamp, millis};

impl<T: Row<Window = Sessions>> Table<T> {
    /// Changes the session of the event: the one that it is in or comes at most the gap before or behind, longer by it
    /// then; where there is none, one that begins with it. Where it comes between two, `join` adds the later one to the
    /// earlier one first. Gives what `change` gives.
    ///
    /// ```
    /// use faust::prelude::*;
    /// use faust::testing::TestApp;
    ///
    /// #[topic("clicks", key = user)]
    /// struct Click { user: String }
    ///
    /// /// How often a user clicked until they were away for half an hour.
    /// #[table("visits", window = session(30min), grace = 1min, expires = 1d)]
    /// struct Visit { key: String, value: u64 }
    ///
    /// #[agent]
    /// async fn count(click: Event<Click>, visits: Table<Visit>) -> Result<u64> {
    ///     visits.update_session(&click, &click.user, |n| { *n += 1; *n }, |n, later| *n += later).await
    /// }
    ///
    /// #[app("visits", agents(count))]
    /// struct Visits;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let app = TestApp::start::<Visits>().await?;
    /// for minute in [0, 25, 50, 120] {
    ///     let time = faust::Timestamp::from_millis(minute * 60_000);
    ///     app.send_at(Click { user: "ada".into() }, time).await?;
    /// }
    /// app.run_until_idle().await?;
    /// let visits: Vec<u64> = app.table::<Visit>().rows()?.into_iter().map(|(_, _, n)| n).collect();
    /// assert_eq!(visits, [3, 1]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A session whose last event is longer ago than the gap and the `grace`, by the table's stream time, is closed at
    /// the latest a gap later; it is not extended any more, and an event that old is late: it changes nothing.
    pub fn update_session<'t, R: 't, E>(
        &self,
        event: &Event<E>,
        key: &(impl KeyRef<T::Key> + ?Sized),
        change: impl FnOnce(&mut T::Value) -> R + 't,
        join: impl FnOnce(&mut T::Value, T::Value) + 't,
    ) -> Access<'t, R> {
        let at = Moment { number: self.number, time: event.timestamp() };
        let mut calls = Some((change, join));
        let first = at.try_update::<T, R>(key, &mut calls);
        Access::tried(first, || {
            let key = key.to_key();
            move || at.try_update::<T, R>(&key, &mut calls)
        })
    }

    /// The session of the event, as [`update_session`](Self::update_session) would find it: with its first and its last event.
    pub fn session<E>(
        &self,
        event: &Event<E>,
        key: &(impl KeyRef<T::Key> + ?Sized),
    ) -> Access<'static, Option<Session<T::Value>>> {
        let at = Moment { number: self.number, time: event.timestamp() };
        let found = at.spot().with::<T, _>(|lane, event, cache| {
            let met = at.meets::<T>(lane, event.offset, cache, key)?;
            Ok(met.into_iter().flatten().next().map(|(_, session)| session))
        });
        Access::ready(found)
    }

    /// Whether the event comes too late: it changes nothing any more.
    pub fn is_late<E>(&self, event: &Event<E>) -> crate::Result<bool> {
        let at = Moment { number: self.number, time: event.timestamp() };
        at.spot().with::<T, _>(|lane, _, cache| Ok(at.spot().is_closed(lane, cache)))
    }
}

/// A moment in a table of sessions.
#[derive(Clone, Copy)]
struct Moment {
    number: u16,
    time: Timestamp,
}

/// A stretch with the session in it.
type Met<T> = (Spot, Session<<T as Row>::Value>);

impl Moment {
    fn spot(self) -> Spot {
        Spot { number: self.number, start: self.time.as_millis() }
    }

    /// The stretch that a moment is in.
    fn stretch<T: Row>(self, time: i64) -> Spot {
        let window = T::TABLE.window.unwrap_or(WindowDef::Session { gap: GAP });
        let start = window.window(Timestamp::from_millis(time)).start.as_millis();
        Spot { number: self.number, start }
    }

    /// The sessions that an event of this moment belongs to: two where it comes between them.
    fn meets<T: Row>(
        self,
        lane: &Rc<LaneState>,
        event: Offset,
        cache: &Cache<SessionsOf<T>>,
        key: &(impl KeyRef<T::Key> + ?Sized),
    ) -> crate::Result<[Option<Met<T>>; 2]> {
        let gap = millis(gap::<T>());
        let time = self.time.as_millis();
        let (from, to) = (time.saturating_sub(gap), time.saturating_add(gap));
        let newest = lane.task.newest_time(usize::from(self.number)).max(time);
        let (first, last) = (self.stretch::<T>(from).start, self.stretch::<T>(newest).start);
        let mut met = [None, None];
        let mut start = first;
        while start <= last {
            let spot = Spot { number: self.number, start };
            start = start.saturating_add(gap.max(1));
            if spot.is_closed(lane, cache) {
                continue;
            }
            let mut rows = cache.lock();
            let Found::Row(row) = rows.find(spot.start, key, event)? else { continue };
            let Some(session) = rows.read(row, lane.id) else { continue };
            if session.first.as_millis() > to {
                break;
            }
            if session.last.as_millis() >= from {
                let [earlier, later] = &mut met;
                let place = if earlier.is_none() { earlier } else { later };
                *place = Some((spot, session.clone()));
            }
        }
        Ok(met)
    }

    fn try_update<T: Row<Window = Sessions>, R>(
        self,
        key: &(impl KeyRef<T::Key> + ?Sized),
        calls: &mut Option<(impl FnOnce(&mut T::Value) -> R, impl FnOnce(&mut T::Value, T::Value))>,
    ) -> crate::Result<Tried<R>> {
        self.spot().with::<T, _>(|lane, At { offset: event, .. }, cache| {
            let late = self.stretch::<T>(self.time.as_millis()).is_late(lane, cache);
            let [earlier, later] = match late {
                true => [None, None],
                false => self.meets::<T>(lane, event, cache, key)?,
            };
            let of = |met: &Option<Met<T>>| met.as_ref().map(|(spot, _)| *spot);
            let spots = [of(&earlier), of(&later)];
            let last = [&earlier, &later].into_iter().flatten().map(|(_, session)| session.last);
            let last = last.max().map_or(self.time, |last| last.max(self.time));
            let target = self.stretch::<T>(last.as_millis());
            // All rows are this event's, or none is changed.
            for spot in spots.into_iter().flatten().chain((!late).then_some(target)) {
                if let Some(waits) = spot.claimed(lane, event, cache, key)? {
                    return Ok(Tried::Wait(waits));
                }
            }
            let Some((change, join)) = calls.take() else {
                return Err(format!("{}: written twice", name::<T>()).into());
            };
            let fresh = || Session { first: self.time, last, value: T::fresh(&key.to_key()) };
            let mut session = earlier.map_or_else(fresh, |(_, session)| session);
            session.first = session.first.min(self.time);
            session.last = last;
            if let Some((_, later)) = later {
                join(&mut session.value, later.value);
            }
            let result = change(&mut session.value);
            if !late {
                for spot in spots.into_iter().flatten().filter(|spot| spot.start != target.start) {
                    spot.change(lane, event, cache, key, |stored| *stored = None)?;
                }
                target.change(lane, event, cache, key, |stored| *stored = Some(session))?;
            }
            Ok(Tried::Done(result))
        })
    }
}

/// Of a table that says none: there is no such table of sessions.
const GAP: std::time::Duration = std::time::Duration::from_millis(1);

fn gap<T: Row>() -> std::time::Duration {
    T::TABLE.window.map_or(GAP, |window| window.size())
}
