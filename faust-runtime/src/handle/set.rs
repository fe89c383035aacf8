//! The set of a key: rows under the key and each member.

use super::table::{Access, Spot, Table};
use crate::codec::{Key, KeyRef};
use crate::define::{Members, Row};
use serde::Serialize;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

/// The set of one key of a [`Set`](crate::Set) table: [`Table::of`] gives it. What an event changes takes effect when its
/// agent returns `Ok`, as with all tables.
pub struct SetOf<'k, T, Q: ?Sized> {
    spot: Spot,
    key: &'k Q,
    row: PhantomData<fn() -> T>,
}

impl<T: Row<Window = Members>> Table<T> {
    /// The set of a key.
    pub fn of<'k, Q: ?Sized>(&self, key: &'k Q) -> SetOf<'k, T, Q> {
        SetOf { spot: Spot::of(self), key, row: PhantomData }
    }
}

/// A key and a member, found as the row of both.
struct Place<'a, K: ?Sized, M: ?Sized>(&'a K, &'a M);

/// As the pair of them hashes.
impl<K: Hash + ?Sized, M: Hash + ?Sized> Hash for Place<'_, K, M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        self.1.hash(state);
    }
}

impl<K, M, Q, P> KeyRef<(K, M)> for Place<'_, Q, P>
where
    Q: KeyRef<K> + ?Sized,
    P: KeyRef<M> + ?Sized,
{
    fn is(&self, key: &(K, M)) -> bool {
        self.0.is(&key.0) && self.1.is(&key.1)
    }

    fn to_key(&self) -> (K, M) {
        (self.0.to_key(), self.1.to_key())
    }
}

impl<T, K, M, Q> SetOf<'_, T, Q>
where
    T: Row<Window = Members, Key = (K, M), Value = bool>,
    K: Key + Serialize,
    M: Key,
    Q: KeyRef<K> + ?Sized,
{
    /// Adds a member; whether it is new.
    pub fn add(&self, member: &(impl KeyRef<M> + ?Sized)) -> Access<'static, bool> {
        self.spot.write::<T, _>(&Place(self.key, member), |row, _| row.replace(true).is_none())
    }

    /// Removes a member; whether it was there.
    pub fn remove(&self, member: &(impl KeyRef<M> + ?Sized)) -> Access<'static, bool> {
        self.spot.write::<T, _>(&Place(self.key, member), |row, _| row.take().is_some())
    }

    /// Whether this is a member. Others are not looked at.
    pub fn contains(&self, member: &(impl KeyRef<M> + ?Sized)) -> Access<'static, bool> {
        Access::ready(self.spot.read::<T, _>(&Place(self.key, member), |row| row.is_some()))
    }

    /// The members, in the order of their encoding: that of the alphabet for plain texts. They are in memory at once.
    pub fn members(&self) -> Access<'static, Vec<M>> {
        Access::ready(
            self.rows(usize::MAX).map(|rows| rows.into_iter().map(|((_, m), _)| m).collect()),
        )
    }

    /// How many members there are: all of them are read.
    pub fn len(&self) -> Access<'static, u64> {
        Access::ready(self.rows(usize::MAX).map(|rows| rows.len() as u64))
    }

    /// Whether there is none: one is read at most.
    pub fn is_empty(&self) -> Access<'static, bool> {
        Access::ready(self.rows(1).map(|rows| rows.is_empty()))
    }

    /// Removes all members; how many there were. Each is a write of this event.
    pub async fn clear(&self) -> crate::Result<u64> {
        let members = self.members().await?;
        for member in &members {
            self.remove(member).await?;
        }
        Ok(members.len() as u64)
    }

    fn rows(&self, most: usize) -> crate::Result<Vec<((K, M), bool)>> {
        self.spot.prefix::<T>(&self.key.to_key(), most)
    }
}
