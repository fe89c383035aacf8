//! The row of a table.

use super::{SameKey, Shape, TableDef};
use crate::codec::{CodecError, Key};
use crate::time::Timestamp;
use futures::future::BoxFuture;
use std::marker::PhantomData;

/// A table by the shape of its rows; `#[table]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a table",
    label = "not declared with `#[table]`",
    note = "declare it: `#[table(\"name\")] struct {Self} {{ key: .., value: .. }}`"
)]
pub trait Row: Sized + Send + 'static {
    /// What a row is found by.
    type Key: Key;
    /// What a row holds: the field `value`, or the whole struct.
    type Value: Clone + Send + 'static;
    /// What decides the partition: the key, a part of it, or, with `scope = partition`, nothing ([`AnyKey`]).
    type PartitionKey;
    /// [`Unwindowed`](super::Unwindowed), [`Windowed`](super::Windowed), [`Members`](super::Members) and others: how its
    /// rows are kept, and so which methods its handles have.
    type Window: Shape;
    /// The declaration.
    const TABLE: TableDef;
    /// The value of a row that is not there yet.
    fn fresh(key: &Self::Key) -> Self::Value;
    /// Appends an encoded value; false (and nothing appended) where it stands for no row. By hand:
    /// [`Value::encode`](crate::Value::encode).
    fn encode_value(value: &Self::Value, out: &mut Vec<u8>) -> Result<bool, CodecError>;
    /// Reads an encoded value. By hand: [`Value::decode`](crate::Value::decode).
    fn decode_value(bytes: &[u8]) -> Result<Self::Value, CodecError>;
    /// What the topic of writes from elsewhere is called, behind the app's id: `{table}-writes`.
    #[doc(hidden)]
    const WRITES: &'static str = "";
    /// The first rows of a table that was never used, where there are any: those of all partitions.
    #[doc(hidden)]
    fn initial() -> Option<Initial<Self>> {
        None
    }
    /// When a row was last written, where its value says so: with `ttl`.
    #[doc(hidden)]
    fn written(_value: &Self::Value) -> Option<Timestamp> {
        None
    }
    /// Appends what decides the partition, encoded as a key.
    fn encode_partition_key(key: &Self::Key, out: &mut Vec<u8>) -> Result<(), CodecError> {
        key.encode(out)
    }
}

/// Rows that are still being found.
#[doc(hidden)]
pub type Initial<T> = BoxFuture<'static, crate::Result<Vec<(<T as Row>::Key, <T as Row>::Value)>>>;

/// What decides the partition of a table with `scope = partition`: nothing, so it agrees with every topic.
#[derive(Debug)]
pub enum AnyKey {}

impl<K> SameKey<K> for AnyKey {}

/// What decides the partition of the rows that a handle owns.
#[derive(Debug)]
pub struct Owns<K>(PhantomData<K>);
