//! The record of a topic.

use super::TopicDef;
use crate::codec::{CodecError, Key};

/// A topic by the shape of its records; `#[topic]` implements it.
///
/// By hand:
///
/// ```
/// use faust::{CodecError, Key, Place, Record, TopicDef, Value};
///
/// struct Order { id: u64, text: String }
///
/// impl Record for Order {
///     type Of<'m> = Self;
///     type Key = u64;
///     const TOPIC: TopicDef =
///         TopicDef { keyed: true, ..TopicDef::new("orders", Place { file: file!(), line: line!() }) };
///     fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Self, CodecError> {
///         Ok(Order { id: Key::decode(key.ok_or(CodecError::NoKey)?)?, text: Value::decode(value)? })
///     }
///     fn encode_key(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> {
///         self.id.encode_key(out)
///     }
///     fn encode_value(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> {
///         Value::encode(&self.text, out)
///     }
/// }
/// # trait E { fn encode_key(&self, out: &mut Vec<u8>) -> Result<bool, CodecError>; }
/// # impl E for u64 { fn encode_key(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> { Key::encode(self, out)?; Ok(true) } }
/// let order = Order::decode(Some(b"7"), Some(b"\"tea\"")).unwrap();
/// assert_eq!((order.id, order.text.as_str()), (7, "tea"));
/// ```
///
/// A record that borrows from its message says so in `Of`: `impl Record for Order<'_> { type Of<'m> = Order<'m>; .. }`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a topic",
    label = "not declared with `#[topic]`",
    note = "declare it: `#[topic(\"name\")] struct {Self} {{ .. }}`"
)]
pub trait Record: Sized + Send {
    /// The record of a message: it may borrow from it. `Self` where it owns what it holds.
    type Of<'m>: Record;
    /// What decides the partition; [`NoKey`] where records have none.
    type Key: 'static;
    /// The declaration.
    const TOPIC: TopicDef;
    /// Reads a record.
    fn decode<'m>(
        key: Option<&'m [u8]>,
        value: Option<&'m [u8]>,
    ) -> Result<Self::Of<'m>, CodecError>;
    /// Appends the key; false where there is none.
    fn encode_key(&self, out: &mut Vec<u8>) -> Result<bool, CodecError>;
    /// Appends the value; false for a tombstone.
    fn encode_value(&self, out: &mut Vec<u8>) -> Result<bool, CodecError>;
}

/// A record that owns what it holds, and so can be kept longer than its message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a topic",
    label = "not declared with `#[topic]`",
    note = "declare it: `#[topic(\"name\")] struct {Self} {{ .. }}`",
    note = "records of several topics, and those that borrow, are read as `Event<..>`"
)]
pub trait OwnedRecord: for<'m> Record<Of<'m> = Self> + 'static {}

#[diagnostic::do_not_recommend]
impl<T: for<'m> Record<Of<'m> = T> + 'static> OwnedRecord for T {}

/// The key of a topic whose records have none. A table cannot be owned by an agent of such a topic, except with
/// `scope = partition`.
#[derive(Clone, Copy, Debug)]
pub enum NoKey {}

/// That a table's partition key is the key of the topic that its agent reads.
#[diagnostic::on_unimplemented(
    message = "the table's key is `{Self}`, but the topic's key is `{K}`",
    label = "rows of this table belong to other partitions than the agent's events",
    note = "give the topic the table's key (`#[topic(\"..\", key = field)]`), or declare the table with `scope = partition`"
)]
pub trait SameKey<K> {}

impl<K: Key> SameKey<K> for K {}
