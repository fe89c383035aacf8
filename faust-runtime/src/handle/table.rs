//! The rows of this partition, for the agents that own them.

use super::range::Bounds;
use crate::agent::{AgentParam, Bind, TableUse, Use};
use crate::codec::{KeyPrefix, KeyRef};
use crate::define::{Kept, KeptRow, Now, Owns, Plain, Row, Unwindowed};
use crate::kafka::Offset;
use crate::partition::{LaneState, with_current};
use crate::table::{Cache, Found, Span};
use crate::time::Timestamp;
use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::RangeBounds;
use std::rc::Rc;

/// Reads and writes the rows of a table that belong to the partition of the event at hand. What an event writes takes
/// effect when its agent returns `Ok`, all of it at once; its own reads see it before.
///
/// ```
/// use faust::prelude::*;
/// use faust::testing::TestApp;
///
/// #[topic("payments", key = account)]
/// struct Payment { account: String, cents: i64 }
///
/// #[table("balances")]
/// struct Balance { key: String, value: i64 }
///
/// #[agent]
/// async fn book(payment: Event<Payment>, balances: Table<Balance>) -> Result<()> {
///     let balance = balances.update(&payment.account, |b| { *b += payment.cents; *b }).await?;
///     if balance < 0 {
///         return Err("overdrawn".into()); // nothing of this payment remains
///     }
///     Ok(())
/// }
///
/// #[app("bank", agents(book))]
/// struct Bank;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = TestApp::start::<Bank>().await?;
/// app.send(Payment { account: "ada".into(), cents: 500 }).await?;
/// app.send(Payment { account: "ada".into(), cents: -900 }).await?;
/// app.run_until_idle().await?;
/// assert_eq!(app.table::<Balance>().get(&"ada".into()).await?, Some(500));
/// assert_eq!(app.dead_letters().len(), 1);
/// # Ok(())
/// # }
/// ```
pub struct Table<T> {
    number: u16,
    row: PhantomData<fn() -> T>,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T: Row> AgentParam for Table<T> {
    type PartitionKey = Owns<T::PartitionKey>;
    const USES: &'static [Use] = &[Use::Table(TableUse::of::<T>())];

    fn bind(bind: &Bind<'_>) -> crate::Result<Self> {
        let index = bind.worker.topology.table_index(T::TABLE.name);
        let number = index.and_then(|index| bind.task.table_numbers.get(&index)).copied();
        match number {
            Some(number) => Ok(Self { number, row: PhantomData }),
            None => Err(format!("table `{}` is not part of this task", T::TABLE.name).into()),
        }
    }
}

/// One window of a table, or the whole of a table without windows: what the methods work on.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    number: u16,
    start: i64,
}

/// The event at hand: where it is in its partition, and when it happens.
#[derive(Clone, Copy)]
pub(super) struct At {
    offset: Offset,
    time: Timestamp,
}

fn name<T: Row>() -> String {
    format!("table `{}`", T::TABLE.name)
}

impl Spot {
    /// A table without windows.
    pub(super) fn of<T>(table: &Table<T>) -> Self {
        Self { number: table.number, start: 0 }
    }

    /// When the event happens.
    pub(super) fn now<T: Row<Window: Plain>>(self) -> crate::Result<Now> {
        self.with::<T, _>(|lane, at, _| Ok(self.now_of::<T>(lane, at)))
    }

    fn now_of<T: Row<Window: Plain>>(self, lane: &LaneState, at: At) -> Now {
        let stream = match <T::Window as Plain>::AGES {
            true => Timestamp::from_millis(lane.task.stream_time(usize::from(self.number))),
            false => at.time,
        };
        Now { event: at.time, stream: stream.max(at.time) }
    }

    /// What an event may stage.
    pub(super) fn stage_bytes<T: Row>(self) -> crate::Result<usize> {
        self.with::<T, _>(|lane, _, _| Ok(lane.task.stage_bytes()))
    }

    fn with<T: Row, R>(
        self,
        call: impl FnOnce(&Rc<LaneState>, At, &Cache<KeptRow<T>>) -> crate::Result<R>,
    ) -> crate::Result<R> {
        with_current(name::<T>, |lane, event| {
            let number = usize::from(self.number);
            let table = lane.task.tables.get(number);
            match table.and_then(|table| table.as_any().downcast_ref::<Cache<KeptRow<T>>>()) {
                Some(cache) => {
                    call(lane, At { offset: event.offset, time: event.timestamp }, cache)
                }
                None => Err(format!("{} is bound to another task", name::<T>()).into()),
            }
        })
    }

    /// Whether the window takes no more events.
    fn is_closed<T: Row>(self, lane: &LaneState, cache: &Cache<T>) -> bool {
        T::TABLE.window.is_some() && {
            let now = lane.task.stream_time(usize::from(self.number));
            cache.lock().is_closed(self.start, now)
        }
    }

    /// The same, for a write: one that comes too late is counted.
    fn is_late<T: Row>(self, lane: &LaneState, cache: &Cache<T>) -> bool {
        let late = self.is_closed(lane, cache);
        if late {
            cache.lock().count_late();
        }
        late
    }

    pub(super) fn read<T: Row<Window: Plain>, R>(
        self,
        key: &(impl KeyRef<T::Key> + ?Sized),
        read: impl FnOnce(Option<&T::Value>) -> R,
    ) -> crate::Result<R> {
        self.with::<T, R>(|lane, at, cache| {
            let now = self.now_of::<T>(lane, at);
            let mut cache = cache.lock();
            Ok(match cache.find(self.start, key, at.offset)? {
                Found::Row(row) => read(T::Window::look::<T>(cache.read(row, lane.id), now)),
                Found::Expired => read(None),
            })
        })
    }

    /// Rows in the order of their encoded keys, from one on, as long as they begin with `prefix`.
    pub(super) fn scan<T: Row<Window: Plain>>(
        self,
        from: Vec<u8>,
        prefix: &[u8],
        most: usize,
        place: &dyn Fn(&T::Key) -> Ordering,
    ) -> crate::Result<Vec<(T::Key, T::Value)>> {
        let span = Span { start: self.start, from, prefix, most, place };
        self.with::<T, _>(|lane, at, cache| {
            let (touched, now) = (lane.touched(self.number), self.now_of::<T>(lane, at));
            let rows = cache.lock().scan(&span, lane.id, touched.into_iter())?.into_iter();
            let seen = |(key, kept)| Some((key, T::Window::take::<T>(kept, now)?));
            Ok(rows.filter_map(seen).collect())
        })
    }

    fn range<T: Row<Key: Ord, Window: Plain>, Q: KeyRef<T::Key>>(
        self,
        range: impl RangeBounds<Q>,
    ) -> crate::Result<Vec<(T::Key, T::Value)>> {
        let bounds = Bounds::<T>::of(range);
        let rows = self.scan::<T>(bounds.first()?, &[], usize::MAX, &|key| bounds.place(key))?;
        Ok(bounds.sorted(rows))
    }

    /// Rows whose encoded keys begin so, in their order.
    pub(super) fn prefix<T: Row<Window: Plain>>(
        self,
        prefix: &(impl KeyPrefix<T::Key> + ?Sized),
        most: usize,
    ) -> crate::Result<Vec<(T::Key, T::Value)>> {
        let mut bytes = Vec::new();
        prefix.encode_prefix(&mut bytes)?;
        self.scan::<T>(bytes.clone(), &bytes, most, &|_| Ordering::Equal)
    }

    /// Writes to the event's copy of a row, once no other event holds it. `write` is told how to make the key.
    ///
    /// A part of its caller, so that what is there at once goes by registers.
    #[inline(always)]
    pub(super) fn write<'t, T: Row<Window: Plain>, R: 't>(
        self,
        key: &(impl KeyRef<T::Key> + ?Sized),
        write: impl FnOnce(&mut Option<T::Value>, &dyn Fn() -> T::Key) -> R + 't,
    ) -> Access<'t, R> {
        let mut write = Some(write);
        let first = self.try_write::<T, R>(key, &mut write);
        Access::tried(first, || {
            let key = key.to_key();
            move || self.try_write::<T, R>(&key, &mut write)
        })
    }

    fn try_write<T: Row<Window: Plain>, R>(
        self,
        key: &(impl KeyRef<T::Key> + ?Sized),
        write: &mut Option<impl FnOnce(&mut Option<T::Value>, &dyn Fn() -> T::Key) -> R>,
    ) -> crate::Result<Tried<R>> {
        let mut write = |kept: &mut Option<Kept<T>>, now| match write.take() {
            Some(write) => {
                let write = |value: &mut Option<T::Value>| write(value, &|| key.to_key());
                Ok(Tried::Done(T::Window::change::<T, R>(kept, now, write)))
            }
            None => Err(format!("{}: written twice", name::<T>()).into()),
        };
        self.with::<T, _>(|lane, at, cache| {
            let now = self.now_of::<T>(lane, at);
            // The event goes on, and nothing of the row remains.
            if self.is_late(lane, cache) {
                return write(&mut None, now);
            }
            let mut cache = cache.lock();
            let row = match cache.find(self.start, key, at.offset)? {
                Found::Row(row) => row,
                Found::Expired => return write(&mut None, now),
            };
            if let Some(waits) = Waits::on::<T>(lane, cache.claim(row, lane.id))? {
                return Ok(Tried::Wait(waits));
            }
            let mut first = false;
            let value = cache.write(row, lane.id, &mut first);
            // Before the user's code, which may panic.
            if first {
                lane.touch(self.number, row);
            }
            write(value, now)
        })
    }
}

/// The methods of a table are those of one window. These read.
macro_rules! reads {
    ($self:ident => $spot:expr) => {
        /// The row's value.
        pub fn get(
            &$self,
            key: &(impl KeyRef<T::Key> + ?Sized),
        ) -> Access<'static, Option<T::Value>> {
            Access::ready($spot.read::<T, _>(key, |value| value.cloned()))
        }

        /// Looks at the row's value without cloning it.
        pub fn with<R>(
            &$self,
            key: &(impl KeyRef<T::Key> + ?Sized),
            look: impl FnOnce(Option<&T::Value>) -> R,
        ) -> Access<'static, R> {
            Access::ready($spot.read::<T, _>(key, look))
        }

        /// Whether there is such a row.
        pub fn contains(&$self, key: &(impl KeyRef<T::Key> + ?Sized)) -> Access<'static, bool> {
            Access::ready($spot.read::<T, _>(key, |value| value.is_some()))
        }

        /// The rows of this partition whose keys are in a range, in the order of the keys, as the event sees them.
        ///
        /// Keys that are `String`s are read from the first to the last; the encoding of other keys does not have their
        /// order, so all rows of the partition are looked at. All that is found is in memory at once.
        ///
        /// ```
        /// # use faust::prelude::*;
        /// # #[topic("orders", key = id)]
        /// # struct Order { id: String }
        /// # #[table("counts")]
        /// # struct Count { key: String, value: u64 }
        /// #[agent]
        /// async fn look(order: Event<Order>, counts: Table<Count>) -> Result<()> {
        ///     let from_a_to_c = counts.range("a".."d").await?;
        ///     let all = counts.rows().await?;
        ///     assert!(from_a_to_c.len() <= all.len());
        ///     Ok(())
        /// }
        /// ```
        pub fn range<Q: KeyRef<T::Key>>(
            &$self,
            range: impl RangeBounds<Q>,
        ) -> Access<'static, Vec<(T::Key, T::Value)>>
        where
            T::Key: Ord,
        {
            Access::ready($spot.range::<T, Q>(range))
        }

        /// All rows of this partition, as the event sees them, in the order of their encoded keys. They are in memory
        /// at once.
        pub fn rows(&$self) -> Access<'static, Vec<(T::Key, T::Value)>> {
            Access::ready($spot.scan::<T>(Vec::new(), &[], usize::MAX, &|_| Ordering::Equal))
        }

        /// The rows of this partition whose keys begin so, as the event sees them: with a text, or with the leading parts
        /// of a composite key ([`KeyPrefix`]). They are in the order of their encoded keys, side by side, and no others are
        /// looked at.
        pub fn prefix(
            &$self,
            prefix: &(impl KeyPrefix<T::Key> + ?Sized),
        ) -> Access<'static, Vec<(T::Key, T::Value)>> {
            Access::ready($spot.prefix::<T>(prefix, usize::MAX))
        }
    };
}

/// These write.
macro_rules! writes {
    ($self:ident => $spot:expr) => {
        /// Changes the row, beginning with a fresh one where there is none; gives what `change` gives.
        #[inline]
        pub fn update<'t, R: 't>(
            &$self,
            key: &(impl KeyRef<T::Key> + ?Sized),
            change: impl FnOnce(&mut T::Value) -> R + 't,
        ) -> Access<'t, R> {
            $spot.write::<T, _>(key, |value, key| {
                change(value.get_or_insert_with(|| T::fresh(&key())))
            })
        }

        /// Changes the row, beginning with `first()` where there is none; gives what `change` gives.
        pub fn upsert<'t, R: 't>(
            &$self,
            key: &(impl KeyRef<T::Key> + ?Sized),
            first: impl FnOnce() -> T::Value + 't,
            change: impl FnOnce(&mut T::Value) -> R + 't,
        ) -> Access<'t, R> {
            $spot.write::<T, _>(key, |value, _| change(value.get_or_insert_with(first)))
        }

        /// Sets the row; gives the value that it had.
        pub fn insert(
            &$self,
            key: &(impl KeyRef<T::Key> + ?Sized),
            value: T::Value,
        ) -> Access<'static, Option<T::Value>> {
            $spot.write::<T, _>(key, |old, _| old.replace(value))
        }

        /// Removes the row; gives the value that it had.
        pub fn remove(
            &$self,
            key: &(impl KeyRef<T::Key> + ?Sized),
        ) -> Access<'static, Option<T::Value>> {
            $spot.write::<T, _>(key, |old, _| old.take())
        }
    };
}

impl<T: Row<Window = Unwindowed<L>>, L> Table<T>
where
    Unwindowed<L>: Plain,
{
    reads!(self => Spot::of(self));
    writes!(self => Spot::of(self));
}

mod access;
mod each;
mod sessions;
mod windowed;

pub use access::Access;
use access::{Tried, Waits};
pub use each::EachWindow;
pub use windowed::InWindow;
