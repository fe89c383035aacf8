//! Fields as the macros see them: each is checked once, at its own type, and reached through a codec that exists for
//! every type. So a type that cannot be encoded is one error, at the field that has it.

use crate::codec::{self, CodecError, CowText, Key, Value, ValueIn};
use serde::Serialize;
use std::borrow::Cow;
use std::marker::PhantomData;

/// Field `N` of a record or a row that is its own value: one impl a field.
pub trait FieldOf<const N: usize> {
    /// The field's type.
    type Field: Value;
}

/// The same of a record that borrows from its message.
pub trait FieldIn<'m, const N: usize> {
    /// The field's type.
    type Field: ValueIn<'m>;
}

/// Part `N` of a record's key: one impl a part.
pub trait KeyOf<const N: usize> {
    /// The part's type; `String` where the record borrows the text.
    type Part: KeyPart;
}

/// What can be a part of a key: every [`Key`]. It demands nothing else by itself, so that what is missing is one error.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "not a key",
    note = "derive it: `#[derive(Clone, PartialEq, Eq, Hash, faust::Serialize, faust::Deserialize)] #[serde(crate = \"faust::serde\")]`",
    note = "keys are compared and hashed: numbers with a fraction, such as `f64`, cannot be"
)]
pub trait KeyPart {}

#[diagnostic::do_not_recommend]
impl<K: Key> KeyPart for K {}

/// The codec of keys of type `K`: these inherent functions win over those of [`NoKeyCodec`] where `K` is a key.
#[derive(Debug)]
pub struct KeyCodec<K>(PhantomData<K>);

impl<K: Key> KeyCodec<K> {
    /// Appends a key.
    pub fn encode(key: &K, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        key.encode(out).map(|()| true)
    }

    /// Appends a composite key from references to its parts.
    pub fn encode_parts(parts: impl Serialize, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        codec::encode_parts(parts, out).map(|()| true)
    }

    /// Reads a key.
    pub fn decode(bytes: Option<&[u8]>) -> Result<K, CodecError> {
        K::decode(bytes.ok_or(CodecError::NoKey)?)
    }
}

/// What stands in where a type is not a key: never called, since the program does not compile.
pub trait NoKeyCodec<K> {
    /// Nothing.
    fn encode(_key: &K, _out: &mut Vec<u8>) -> Result<bool, CodecError> {
        Ok(false)
    }

    /// Nothing.
    fn encode_parts<P>(_parts: P, _out: &mut Vec<u8>) -> Result<bool, CodecError> {
        Ok(false)
    }

    /// Nothing.
    fn decode(_bytes: Option<&[u8]>) -> Result<K, CodecError> {
        Err(CodecError::NoKey)
    }
}

impl<K> NoKeyCodec<K> for KeyCodec<K> {}

/// The codec of values of type `V`: these inherent functions win over those of [`NoValueCodec`] where `V` is a value.
#[derive(Debug)]
pub struct ValueCodec<V>(PhantomData<V>);

impl<V: Value> ValueCodec<V> {
    /// Appends a value.
    pub fn encode(value: &V, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        value.encode(out)
    }

    /// Reads a value.
    pub fn decode(bytes: Option<&[u8]>) -> Result<V, CodecError> {
        V::decode(bytes)
    }
}

/// What stands in where a type is not a value: never called, since the program does not compile.
pub trait NoValueCodec<V> {
    /// Nothing.
    fn encode(_value: &V, _out: &mut Vec<u8>) -> Result<bool, CodecError> {
        Ok(false)
    }

    /// Nothing.
    fn decode(_bytes: Option<&[u8]>) -> Result<V, CodecError> {
        Err(CodecError::NoKey)
    }
}

impl<V> NoValueCodec<V> for ValueCodec<V> {}

/// The codec of values of type `V` that borrow from a message, in the same manner.
#[derive(Debug)]
pub struct BorrowedCodec<'m, V>(PhantomData<(&'m [u8], V)>);

impl<'m, V: ValueIn<'m>> BorrowedCodec<'m, V> {
    /// Appends a value.
    pub fn encode(value: &V, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        value.encode(out)
    }

    /// Reads a value.
    pub fn decode(bytes: Option<&'m [u8]>) -> Result<V, CodecError> {
        V::decode(bytes)
    }
}

/// What stands in where a type is not such a value: never called, since the program does not compile.
pub trait NoBorrowedCodec<'m, V> {
    /// Nothing.
    fn encode(_value: &V, _out: &mut Vec<u8>) -> Result<bool, CodecError> {
        Ok(false)
    }

    /// Nothing.
    fn decode(_bytes: Option<&'m [u8]>) -> Result<V, CodecError> {
        Err(CodecError::NoKey)
    }
}

impl<'m, V> NoBorrowedCodec<'m, V> for BorrowedCodec<'m, V> {}

/// The codec of texts that a record borrows, as `&str` or `Cow<str>`.
#[derive(Debug)]
pub enum Text {}

impl Text {
    /// Appends a key.
    pub fn encode_key(key: &str, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        codec::encode_text(key, out);
        Ok(true)
    }

    /// Reads a key.
    pub fn decode_key<'m, K: From<&'m str>>(bytes: Option<&'m [u8]>) -> Result<K, CodecError> {
        codec::decode_text(bytes.ok_or(CodecError::NoKey)?).map(K::from)
    }

    /// Reads a value; one without escapes is borrowed.
    pub fn decode_value(bytes: Option<&[u8]>) -> Result<Cow<'_, str>, CodecError> {
        codec::from_json(bytes).map(|CowText(text)| text)
    }
}
