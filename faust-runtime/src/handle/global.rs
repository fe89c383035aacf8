//! A full copy of a table on every worker.

use super::range::Bounds;
use crate::agent::{AgentParam, Bind, Param, TableUse, Use};
use crate::codec::{Key, KeyPrefix, KeyRef};
use crate::define::{AnyKey, ByKey, Row, Scope, Unwindowed};
use crate::error::Unavailable;
use crate::kafka::partition_for;
use crate::table::store::Store;
use crate::table::{Copy, in_order};
use crate::worker::Worker;
use std::cmp::Ordering;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::RangeBounds;
use std::sync::Arc;

/// A full copy of a table on every worker: small tables that events of any key look at, such as exchange rates. It is
/// written as ever, by the agents that have [`Table<T>`](crate::Table), and each worker follows what they commit into a
/// store of its own. No event is processed before the copy has everything that was committed when the worker started.
///
/// What is read is committed, so an event does not see here what it has written itself, and a little old: it says
/// what the table was a moment ago. It is not part of what a replay repeats. Of a table with `ttl` the copy has rows until
/// their removal is committed. Its rows are not cached: each read decodes one. Of a table of sets, `of(key)` gives a set.
///
/// ```
/// use faust::prelude::*;
/// use faust::testing::TestApp;
///
/// #[topic("rates", key = currency)]
/// struct Rate { currency: String, cents: i64 }
///
/// #[topic("orders", key = id)]
/// struct Order { id: u64, currency: String, amount: i64 }
///
/// #[table("current")]
/// struct Current { key: String, value: i64 }
///
/// #[agent]
/// async fn note(rate: Event<Rate>, current: Table<Current>) -> Result<()> {
///     current.insert(&rate.currency, rate.cents).await?;
///     Ok(())
/// }
///
/// #[agent]
/// async fn price(order: Event<Order>, current: Global<Current>) -> Result<Option<i64>> {
///     Ok(current.get(&order.currency).await?.map(|cents| cents * order.amount))
/// }
///
/// #[app("prices", agents(note, price))]
/// struct Prices;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = TestApp::start::<Prices>().await?;
/// app.send(Rate { currency: "NOK".into(), cents: 9 }).await?;
/// app.run_until_idle().await?;
/// let order = Order { id: 7, currency: "NOK".into(), amount: 100 };
/// assert_eq!(app.ask::<price>(order).await?, Some(900));
/// # Ok(())
/// # }
/// ```
pub struct Global<T> {
    copy: Arc<Copy>,
    row: PhantomData<fn() -> T>,
}

impl<T> Clone for Global<T> {
    fn clone(&self) -> Self {
        Self { copy: self.copy.clone(), row: PhantomData }
    }
}

/// Rows as they were read.
pub(super) type Rows<T> = Vec<(<T as Row>::Key, <T as Row>::Value)>;

impl<T: Row> Global<T> {
    fn new(worker: &Worker) -> crate::Result<Self> {
        let index = worker.topology.table_index(T::TABLE.name);
        match index.and_then(|index| worker.copy_of(index)) {
            Some(copy) => Ok(Self { copy: copy.clone(), row: PhantomData }),
            None => Err(format!("this worker has no copy of table `{}`", T::TABLE.name).into()),
        }
    }

    fn store(&self, partition: u32) -> crate::Result<Arc<dyn Store>> {
        self.copy.store(partition).ok_or_else(|| {
            let what = format!("the copy of table `{}` is being read", T::TABLE.name);
            Unavailable::new(what).into()
        })
    }

    fn stores(&self) -> impl Iterator<Item = crate::Result<Arc<dyn Store>>> {
        (0..self.copy.partitions()).map(|partition| self.store(partition))
    }

    /// The value of a row, as it is stored.
    pub(super) fn find<R>(
        &self,
        key: &T::Key,
        read: impl FnOnce(&[u8]) -> R,
    ) -> crate::Result<Option<R>> {
        let mut bytes = Vec::new();
        if T::TABLE.scope == Scope::Partition {
            key.encode(&mut bytes)?;
            for store in self.stores() {
                if let Some(value) = store?.get(&bytes)? {
                    return Ok(Some(read(&value)));
                }
            }
            return Ok(None);
        }
        T::encode_partition_key(key, &mut bytes)?;
        let store = self.store(partition_for(&bytes, self.copy.partitions()))?;
        bytes.clear();
        key.encode(&mut bytes)?;
        Ok(store.get(&bytes)?.map(|value| read(&value)))
    }

    /// Rows from an encoded key on that begin with `prefix` and are in place, in the order of their encoded keys.
    pub(super) fn scan(
        &self,
        from: &[u8],
        prefix: &[u8],
        place: &dyn Fn(&T::Key) -> Ordering,
    ) -> crate::Result<Rows<T>> {
        let mut rows: Vec<(Vec<u8>, (T::Key, T::Value))> = Vec::new();
        let mut failed = None;
        for store in self.stores() {
            store?.scan(from, &mut |bytes, value| {
                if !bytes.starts_with(prefix) {
                    return false;
                }
                let goes_on = T::Key::decode(bytes).and_then(|key| {
                    let place = place(&key);
                    if place.is_eq() {
                        rows.push((bytes.to_vec(), (key, T::decode_value(value)?)));
                    }
                    Ok(place.is_le() || !in_order::<T>())
                });
                goes_on.unwrap_or_else(|error| {
                    failed = Some(error);
                    false
                })
            })?;
        }
        match failed {
            Some(error) => Err(error.into()),
            None => {
                rows.sort_by(|(a, _), (b, _)| a.cmp(b));
                Ok(rows.into_iter().map(|(_, row)| row).collect())
            }
        }
    }
}

impl<T: Row<Window = Unwindowed<L>>, L> Global<T> {
    /// The row's value. Of a table with `scope = partition`: that of the first partition that has such a row.
    pub fn get(
        &self,
        key: &(impl KeyRef<T::Key> + ?Sized),
    ) -> Ready<crate::Result<Option<T::Value>>> {
        let found = self.find(&key.to_key(), T::decode_value);
        ready(found.and_then(|value| Ok(value.transpose()?)))
    }

    /// Whether there is such a row.
    pub fn contains(&self, key: &(impl KeyRef<T::Key> + ?Sized)) -> Ready<crate::Result<bool>> {
        ready(self.find(&key.to_key(), |_| ()).map(|found| found.is_some()))
    }

    /// The rows whose keys are in a range, in the order of the keys. All that is found is in memory at once; keys that
    /// are no `String`s are all looked at.
    pub fn range<Q: KeyRef<T::Key>>(
        &self,
        range: impl RangeBounds<Q>,
    ) -> Ready<crate::Result<Rows<T>>>
    where
        T::Key: Ord,
    {
        let bounds = Bounds::<T>::of(range);
        let rows = bounds.first().and_then(|from| self.scan(&from, &[], &|key| bounds.place(key)));
        ready(rows.map(|rows| bounds.sorted(rows)))
    }

    /// The rows whose keys begin so: with a text, or with the leading parts of a composite key. They are in the order of
    /// their encoded keys.
    pub fn prefix(
        &self,
        prefix: &(impl KeyPrefix<T::Key> + ?Sized),
    ) -> Ready<crate::Result<Rows<T>>> {
        let mut bytes = Vec::new();
        let encoded = prefix.encode_prefix(&mut bytes).map_err(Into::into);
        ready(encoded.and_then(|()| self.scan(&bytes, &bytes, &|_| Ordering::Equal)))
    }

    /// All rows, in the order of their encoded keys. They are in memory at once.
    pub fn rows(&self) -> Ready<crate::Result<Rows<T>>> {
        ready(self.scan(&[], &[], &|_| Ordering::Equal))
    }

    /// How many rows there are: a counter, not a scan.
    pub fn len(&self) -> u64 {
        self.stores().filter_map(|store| Some(store.ok()?.len())).sum()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Row<Window: ByKey>> AgentParam for Global<T> {
    type PartitionKey = AnyKey;
    const USES: &'static [Use] = &[Use::Global(TableUse::of::<T>())];

    fn bind(bind: &Bind<'_>) -> crate::Result<Self> {
        Self::new(bind.worker)
    }
}

impl<T: Row<Window: ByKey>> Param for Global<T> {
    const USES: &'static [Use] = &[Use::Global(TableUse::of::<T>())];

    fn bind(worker: &Worker) -> crate::Result<Self> {
        Self::new(worker)
    }
}
