//! Sets outside of the agents that own them: read from anywhere, in a copy on every worker, and written from anywhere.

use super::{Global, Remote, View};
use crate::codec::{Key, KeyPrefix, KeyRef};
use crate::define::{Members, Row};
use crate::table::store::Store;
use crate::web::rows_beginning;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cmp::Ordering;
use std::future::{Ready, ready};

/// The committed set of one key, wherever it is: [`View::of`] gives it.
pub struct ViewedSet<'v, T, Q: ?Sized> {
    view: &'v View<T>,
    key: &'v Q,
}

impl<T: Row<Window = Members>> View<T> {
    /// The set of a key.
    ///
    /// ```
    /// # use faust::prelude::*;
    /// #[table("blocked")]
    /// struct Blocked { key: String, value: Set<u64> }
    ///
    /// #[page("/blocked/{shop}")]
    /// async fn blocked_of(Path(shop): Path<String>, blocked: View<Blocked>) -> Result<Json<Vec<u64>>> {
    ///     Ok(Json(blocked.of(&shop).members().await?))
    /// }
    /// ```
    pub fn of<'v, Q: ?Sized>(&'v self, key: &'v Q) -> ViewedSet<'v, T, Q> {
        ViewedSet { view: self, key }
    }
}

impl<'v, T, K, M, Q> ViewedSet<'v, T, Q>
where
    T: Row<Window = Members, Key = (K, M), Value = bool>,
    K: Key + Serialize + DeserializeOwned,
    M: Key + Serialize + DeserializeOwned,
    Q: KeyRef<K> + ?Sized,
{
    /// Whether this is a member. Fails with [`Unavailable`](crate::Unavailable) while the set's partition moves or recovers.
    pub fn contains<P: KeyRef<M> + ?Sized>(
        &self,
        member: &P,
    ) -> impl Future<Output = crate::Result<bool>> + use<'v, T, K, M, Q, P> {
        let (view, row) = (self.view, (self.key.to_key(), member.to_key()));
        async move { Ok(view.find(0, &row).await?.is_some()) }
    }

    /// The members, in the order of their encoding. They are in memory at once. Fails with
    /// [`Unavailable`](crate::Unavailable) while the set's partition moves or recovers.
    pub fn members(&self) -> impl Future<Output = crate::Result<Vec<M>>> + use<'v, T, K, M, Q> {
        let (view, key) = (self.view, self.key.to_key());
        async move {
            let (mut prefix, mut home) = (Vec::new(), Vec::new());
            KeyPrefix::<(K, M)>::encode_prefix(&key, &mut prefix)?;
            key.encode(&mut home)?;
            let here = |store: &dyn Store| rows_beginning(store, &prefix);
            let rows = view.stored(&home, here, &[("prefix", &prefix), ("home", &home)]).await?;
            rows.iter().map(|(row, _)| Ok(T::Key::decode(row)?.1)).collect()
        }
    }
}

/// The set of one key in this worker's copy: [`Global::of`] gives it.
pub struct CopiedSet<'g, T, Q: ?Sized> {
    copy: &'g Global<T>,
    key: &'g Q,
}

impl<T: Row<Window = Members>> Global<T> {
    /// The set of a key.
    ///
    /// ```
    /// # use faust::prelude::*;
    /// #[table("blocked")]
    /// struct Blocked { key: String, value: Set<u64> }
    ///
    /// #[page("/blocked/{shop}/{customer}")]
    /// async fn is_blocked(Path(who): Path<(String, u64)>, blocked: Global<Blocked>) -> Result<Json<bool>> {
    ///     Ok(Json(blocked.of(&who.0).contains(&who.1).await?))
    /// }
    /// ```
    pub fn of<'g, Q: ?Sized>(&'g self, key: &'g Q) -> CopiedSet<'g, T, Q> {
        CopiedSet { copy: self, key }
    }
}

impl<T, K, M, Q> CopiedSet<'_, T, Q>
where
    T: Row<Window = Members, Key = (K, M), Value = bool>,
    K: Key + Serialize,
    M: Key,
    Q: KeyRef<K> + ?Sized,
{
    /// Whether this is a member.
    pub fn contains(&self, member: &(impl KeyRef<M> + ?Sized)) -> Ready<crate::Result<bool>> {
        let found = self.copy.find(&(self.key.to_key(), member.to_key()), |_| ());
        ready(found.map(|found| found.is_some()))
    }

    /// The members, in the order of their encoding. They are in memory at once.
    pub fn members(&self) -> Ready<crate::Result<Vec<M>>> {
        let mut prefix = Vec::new();
        let rows = KeyPrefix::<(K, M)>::encode_prefix(&self.key.to_key(), &mut prefix)
            .map_err(Into::into)
            .and_then(|()| self.copy.scan(&prefix, &prefix, &|_| Ordering::Equal));
        ready(rows.map(|rows| rows.into_iter().map(|((_, member), _)| member).collect()))
    }
}

/// The set of one key, written from elsewhere: [`Remote::of`] gives it.
pub struct RemoteSet<'r, T: Row, Q: ?Sized> {
    remote: &'r Remote<T>,
    key: &'r Q,
}

impl<T: Row<Window = Members>> Remote<T> {
    /// The set of a key.
    ///
    /// ```
    /// # use faust::prelude::*;
    /// #[table("blocked")]
    /// struct Blocked { key: String, value: Set<u64> }
    ///
    /// #[page("/block/{shop}/{customer}", method = post)]
    /// async fn block(Path(who): Path<(String, u64)>, blocked: Remote<Blocked>) -> Result<()> {
    ///     blocked.of(&who.0).add(&who.1).await
    /// }
    /// ```
    pub fn of<'r, Q: ?Sized>(&'r self, key: &'r Q) -> RemoteSet<'r, T, Q> {
        RemoteSet { remote: self, key }
    }
}

impl<T, K, M, Q> RemoteSet<'_, T, Q>
where
    T: Row<Window = Members, Key = (K, M), Value = bool>,
    K: Key,
    M: Key,
    Q: KeyRef<K> + ?Sized,
{
    /// Adds a member, if it is not one already.
    pub fn add(
        &self,
        member: &(impl KeyRef<M> + ?Sized),
    ) -> impl Future<Output = crate::Result<()>> {
        self.remote.write((self.key.to_key(), member.to_key()), Some(true))
    }

    /// Removes a member, if it is one.
    pub fn remove(
        &self,
        member: &(impl KeyRef<M> + ?Sized),
    ) -> impl Future<Output = crate::Result<()>> {
        self.remote.write((self.key.to_key(), member.to_key()), None)
    }
}
