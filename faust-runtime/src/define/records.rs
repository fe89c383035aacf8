//! What an agent reads: the records of one topic, or of several in an enum.

use super::{AnyKey, OwnedRecord, Owns, Record, SameKey, TopicUse};
use crate::codec::CodecError;
use std::marker::PhantomData;

/// What `Event<..>` holds: a record, or an enum whose variants are records of several topics, for which
/// `#[derive(Records)]` implements it.
///
/// The topics are co-partitioned: an agent gets partition n of each of them on one thread. Records of one key and one
/// topic come in their order; between topics there is none.
///
/// ```
/// use faust::prelude::*;
///
/// #[topic("deposits", key = account, partitions = 4)]
/// struct Deposit { account: u64, amount: u64 }
///
/// #[topic("withdrawals", key = account, partitions = 4)]
/// struct Withdrawal { account: u64, amount: u64 }
///
/// #[derive(Records)]
/// enum Movement { In(Deposit), Out(Withdrawal) }
///
/// #[table("balances")]
/// struct Balance { key: u64, value: i64 }
///
/// #[agent]
/// async fn book(movement: Event<Movement>, balances: Table<Balance>) -> Result<i64> {
///     let (account, amount) = match &*movement {
///         Movement::In(deposit) => (deposit.account, deposit.amount as i64),
///         Movement::Out(withdrawal) => (withdrawal.account, -(withdrawal.amount as i64)),
///     };
///     balances.update(&account, |balance| { *balance += amount; *balance }).await
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a topic",
    label = "not declared with `#[topic]`",
    note = "declare it: `#[topic(\"name\")] struct {Self} {{ .. }}`"
)]
pub trait Records: Sized + Send {
    /// The same as a message gives it: it may borrow from it. `Self` where it owns what it holds.
    type Of<'m>: Records;
    /// What decides the partition: the key of [`Only`] one topic, or of [`Both`] of two.
    type Key: 'static;
    /// The topics.
    const TOPICS: &'static [TopicUse];
    /// Reads a record of the topic with this number.
    fn read<'m>(
        topic: usize,
        key: Option<&'m [u8]>,
        value: Option<&'m [u8]>,
    ) -> Result<Self::Of<'m>, CodecError>;
    /// The number of the record's topic.
    fn topic(&self) -> usize;
    /// Appends the key; false where there is none.
    fn write_key(&self, out: &mut Vec<u8>) -> Result<bool, CodecError>;
    /// Appends the value; false for a tombstone.
    fn write_value(&self, out: &mut Vec<u8>) -> Result<bool, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<T: Record> Records for T {
    type Of<'m> = T::Of<'m>;
    type Key = Only<T::Key>;
    const TOPICS: &'static [TopicUse] = &[TopicUse::of::<T>()];

    fn read<'m>(
        _: usize,
        key: Option<&'m [u8]>,
        value: Option<&'m [u8]>,
    ) -> Result<T::Of<'m>, CodecError> {
        T::decode(key, value)
    }

    fn topic(&self) -> usize {
        0
    }

    fn write_key(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        self.encode_key(out)
    }

    fn write_value(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        self.encode_value(out)
    }
}

/// Variant `N` of an enum of records: one impl a variant, so that a wrong type is one error at that type.
pub trait VariantOf<const N: usize> {
    /// The variant's record.
    type Record: OwnedRecord;
}

/// What is done with the record of variant `N`: generic, so that an error in its type is not repeated.
#[derive(Debug)]
pub struct Variant<E, const N: usize>(PhantomData<E>);

impl<E: VariantOf<N>, const N: usize> Variant<E, N> {
    /// Its topic.
    pub const TOPIC: TopicUse = TopicUse::of::<E::Record>();

    /// Reads it.
    pub fn read(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<E::Record, CodecError> {
        E::Record::decode(key, value)
    }

    /// Appends its key.
    pub fn write_key(record: &E::Record, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        record.encode_key(out)
    }

    /// Appends its value.
    pub fn write_value(record: &E::Record, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        record.encode_value(out)
    }
}

impl<P, E, const N: usize> Agrees<Variant<E, N>> for Owns<P>
where
    E: VariantOf<N>,
    P: SameKey<<E::Record as Record>::Key>,
{
}

/// That the rows of a handle, by its partition key, are where the records of an agent are, by their key `K`.
#[diagnostic::on_unimplemented(
    message = "the rows of `{Self}` are not where the records of `{K}` are"
)]
pub trait Agrees<K> {}

impl<K> Agrees<K> for AnyKey {}

/// The key of one topic.
#[derive(Debug)]
pub struct Only<K>(PhantomData<K>);

impl<P: SameKey<K>, K> Agrees<Only<K>> for Owns<P> {}

/// The keys of two topics that one agent reads: what agrees with both is the same key as each.
#[derive(Debug)]
pub struct Both<A, B>(PhantomData<(A, B)>);

impl<P, A, B> Agrees<Both<A, B>> for Owns<P> where Self: Agrees<A> + Agrees<B> {}

/// The partition keys of two handles that one parameter groups: they agree where each does.
#[derive(Debug)]
pub struct Each<A, B>(PhantomData<(A, B)>);

impl<A: Agrees<K>, B: Agrees<K>, K> Agrees<K> for Each<A, B> {}
