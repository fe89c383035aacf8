//! The versions of a value.

use super::table::{Spot, Table};
use super::view::View;
use crate::codec::{Key, KeyPrefix, KeyRef};
use crate::define::{History, Row, Stamp, Version};
use crate::time::{Timestamp, millis};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cmp::Ordering;
use std::marker::PhantomData;

/// The versions of one key of a table with `history`: [`Table::history`] gives it.
///
/// A value holds from its time on until that of the next one. What was before the table's stream time less `history` is
/// forgotten, but for the version that held at that moment.
///
/// ```
/// use faust::prelude::*;
/// use faust::testing::TestApp;
///
/// #[topic("quotes", key = item)]
/// struct Quote { item: String, cents: u64 }
///
/// #[topic("orders", key = item)]
/// struct Order { item: String, pieces: u64 }
///
/// #[table("prices", history = 1d)]
/// struct Price { key: String, value: u64 }
///
/// #[agent]
/// async fn quote(quote: Event<Quote>, prices: Table<Price>) -> Result<()> {
///     prices.history(&quote.item).put(quote.timestamp(), quote.cents).await?;
///     Ok(())
/// }
///
/// /// At the price of when it was ordered, however late it comes.
/// #[agent]
/// async fn bill(order: Event<Order>, prices: Table<Price>) -> Result<Option<u64>> {
///     let price = prices.history(&order.item).at(order.timestamp()).await?;
///     Ok(price.map(|cents| cents * order.pieces))
/// }
///
/// #[app("shop", agents(quote, bill))]
/// struct Shop;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = TestApp::start::<Shop>().await?;
/// app.send(Quote { item: "tea".into(), cents: 3 }).await?;
/// app.run_until_idle().await?;
/// assert_eq!(app.ask::<bill>(Order { item: "tea".into(), pieces: 2 }).await?, Some(6));
/// # Ok(())
/// # }
/// ```
pub struct Versions<'k, T, Q: ?Sized> {
    spot: Spot,
    key: &'k Q,
    row: PhantomData<fn() -> T>,
}

impl<T: Row<Window = History>> Table<T> {
    /// The versions of a key.
    pub fn history<'k, Q: ?Sized>(&self, key: &'k Q) -> Versions<'k, T, Q> {
        Versions { spot: Spot::of(self), key, row: PhantomData }
    }
}

impl<T, K, V, Q> Versions<'_, T, Q>
where
    T: Row<Window = History, Key = (K, Stamp), Value = Version<V>>,
    K: Key + Serialize + DeserializeOwned,
    V: Clone + Send + 'static,
    Q: KeyRef<K> + ?Sized,
{
    /// The value as of a moment; `None` where there was none, or that is forgotten.
    pub async fn at(&self, time: Timestamp) -> crate::Result<Option<V>> {
        if time < self.limit()? {
            return Ok(None);
        }
        let found = self.from(time, 1)?.into_iter().next();
        Ok(found.and_then(|(_, version)| version.0))
    }

    /// The newest value.
    pub async fn latest(&self) -> crate::Result<Option<V>> {
        self.at(Timestamp::from_millis(i64::MAX)).await
    }

    /// All versions that are kept, the newest first: since when, and the value, or `None` from when there was none.
    pub async fn all(&self) -> crate::Result<Vec<(Timestamp, Option<V>)>> {
        let all = self.from(Timestamp::from_millis(i64::MAX), usize::MAX)?.into_iter();
        Ok(all.map(|((_, stamp), version)| (stamp.0, version.0)).collect())
    }

    /// From this time on the value is this one. False where that is before what is kept: then nothing is written.
    pub async fn put(&self, time: Timestamp, value: V) -> crate::Result<bool> {
        self.write(time, Some(value)).await
    }

    /// From this time on there is no value. False where that is before what is kept: then nothing is written.
    pub async fn end(&self, time: Timestamp) -> crate::Result<bool> {
        self.write(time, None).await
    }

    async fn write(&self, time: Timestamp, value: Option<V>) -> crate::Result<bool> {
        let limit = self.limit()?;
        if time < limit {
            return Ok(false);
        }
        let key = (self.key.to_key(), Stamp(time));
        self.spot.write::<T, _>(&key, |row, _| *row = Some(Version(value))).await?;
        // The first one held at the limit; those behind it are forgotten.
        for (old, _) in self.from(limit, usize::MAX)?.into_iter().skip(1) {
            self.spot.write::<T, _>(&old, |row, _| *row = None).await?;
        }
        Ok(true)
    }

    /// The earliest moment that is kept.
    fn limit(&self) -> crate::Result<Timestamp> {
        let now = self.spot.now::<T>()?.stream.as_millis();
        let kept = T::TABLE.history.map_or(i64::MAX, millis);
        Ok(Timestamp::from_millis(now.saturating_sub(kept).max(0)))
    }

    /// Versions that began at a moment or before it, the newest first.
    fn from(&self, time: Timestamp, most: usize) -> crate::Result<Vec<((K, Stamp), Version<V>)>> {
        let (mut from, mut prefix) = (Vec::new(), Vec::new());
        let key = (self.key.to_key(), Stamp(time));
        key.encode(&mut from)?;
        KeyPrefix::<(K, Stamp)>::encode_prefix(&key.0, &mut prefix)?;
        self.spot.scan::<T>(from, &prefix, most, &|_| Ordering::Equal)
    }
}

impl<T, K, V> View<T>
where
    T: Row<Window = History, Key = (K, Stamp), Value = Version<V>>,
    K: 'static,
    V: Clone + Send + 'static,
{
    /// The value as of a moment, of what is kept. Fails with [`Unavailable`](crate::Unavailable) while its partition moves
    /// or recovers.
    pub fn get_at<'v, Q: KeyRef<K> + ?Sized>(
        &'v self,
        key: &Q,
        time: Timestamp,
    ) -> impl Future<Output = crate::Result<Option<V>>> + use<'v, T, K, V, Q> {
        let key = (key.to_key(), Stamp(time));
        async move { Ok(self.find(0, &key).await?.and_then(|version| version.0)) }
    }

    /// The newest value. Fails with [`Unavailable`](crate::Unavailable) while its partition moves or recovers.
    pub fn latest<'v, Q: KeyRef<K> + ?Sized>(
        &'v self,
        key: &Q,
    ) -> impl Future<Output = crate::Result<Option<V>>> + use<'v, T, K, V, Q> {
        self.get_at(key, Timestamp::from_millis(i64::MAX))
    }
}
