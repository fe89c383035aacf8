//! Bytes ↔ values. Keys: strings as UTF-8, everything else as JSON text. Values: JSON; what encodes as `null` is a
//! tombstone (a record without a value), so `Option<V>` admits tombstones and nothing else does.

mod key;
mod key_prefix;
mod key_ref;
mod lazy;

pub use key_prefix::KeyPrefix;
pub use key_ref::KeyRef;
pub use lazy::Lazy;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::hash::Hash;

/// Why bytes could not be read, or a value not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The record has no key, but its topic declares one: fix the producer, or declare the topic without `key`.
    #[error("the record has no key, but its topic declares one")]
    NoKey,
    /// The record is of none of the topics that its enum has variants for.
    #[error("the record is of another topic than its enum has")]
    NoTopic,
    /// The record has no value: declare the value as `Option<V>` to admit tombstones.
    #[error("the record has no value (a tombstone), and its type is not an `Option`: {0}")]
    NoValue(#[source] serde_json::Error),
    /// The bytes are no session: was the table declared without sessions when they were written?
    #[error("the bytes are no session with its times in front")]
    NoSession,
    /// The bytes are no sliding windows: was the table declared with others when they were written?
    #[error("the bytes are no windows with their times in front")]
    NoWindows,
    /// The key is not what its type says; the cause names the place.
    #[error("key: {0}")]
    Key(#[source] serde_json::Error),
    /// The value is not what its type says; the cause names the place.
    #[error("value: {0}")]
    Value(#[source] serde_json::Error),
}

/// What can be the key of a record or a row: cloned, compared, hashed, encoded.
///
/// Strings are encoded as UTF-8, everything else as JSON text, as Faust does.
///
/// ```
/// use faust::Key;
/// let mut bytes = Vec::new();
/// "the".to_string().encode(&mut bytes).unwrap();
/// assert_eq!(bytes, b"the");
/// bytes.clear();
/// (7u64, "a".to_string()).encode(&mut bytes).unwrap();
/// assert_eq!(bytes, br#"[7,"a"]"#);
/// assert_eq!(<(u64, String)>::decode(&bytes).unwrap(), (7, "a".to_string()));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "not a key",
    note = "derive it: `#[derive(Clone, PartialEq, Eq, Hash, faust::Serialize, faust::Deserialize)] #[serde(crate = \"faust::serde\")]`",
    note = "keys are compared and hashed: numbers with a fraction, such as `f64`, cannot be"
)]
pub trait Key: Clone + Eq + Hash + Send + Sync + 'static {
    /// Appends the encoded key.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError>;
    /// Reads an encoded key.
    fn decode(bytes: &[u8]) -> Result<Self, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<K: Clone + Eq + Hash + Send + Sync + Serialize + DeserializeOwned + 'static> Key for K {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.serialize(key::Encoder { out }).map_err(CodecError::Key)
    }

    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        K::deserialize(key::Decoder { bytes }).map_err(CodecError::Key)
    }
}

/// Appends a composite key from references to its parts, as the tuple of the parts would be.
pub(crate) fn encode_parts(parts: impl Serialize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    parts.serialize(key::Encoder { out }).map_err(CodecError::Key)
}

/// Appends the key that a text is.
pub(crate) fn encode_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
}

/// The text that a key is, where it stands.
pub(crate) fn decode_text(bytes: &[u8]) -> Result<&str, CodecError> {
    <&str>::deserialize(key::Decoder { bytes }).map_err(CodecError::Key)
}

/// What can be the value of a record or a row: anything that serde reads and writes.
///
/// ```
/// use faust::Value;
/// let mut bytes = Vec::new();
/// assert!(Some(7u64).encode(&mut bytes).unwrap());
/// assert_eq!(bytes, b"7");
/// bytes.clear();
/// assert!(!None::<u64>.encode(&mut bytes).unwrap(), "a tombstone");
/// assert_eq!(Option::<u64>::decode(None).unwrap(), None);
/// assert!(u64::decode(None).is_err());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written to Kafka",
    label = "neither `Serialize` nor `Deserialize`",
    note = "derive it: `#[derive(faust::Serialize, faust::Deserialize)] #[serde(crate = \"faust::serde\")]`",
    note = "a type that is not yours: `#[serde(with = \"..\")]` above the field says how it is written, `#[serde(skip)]` leaves it out"
)]
pub trait Value: Sized + Send + 'static {
    /// Appends the encoded value; false (and nothing appended) for a tombstone.
    fn encode(&self, out: &mut Vec<u8>) -> Result<bool, CodecError>;
    /// Reads an encoded value; `None` is a tombstone.
    fn decode(bytes: Option<&[u8]>) -> Result<Self, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<V: Send + Serialize + DeserializeOwned + 'static> Value for V {
    fn encode(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        to_json(self, out)
    }

    fn decode(bytes: Option<&[u8]>) -> Result<Self, CodecError> {
        from_json(bytes)
    }
}

/// What can be, or be in, the value of a record that borrows from its message `'m`: a [`Value`] that need not own
/// what it holds, or a [`Lazy`] one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written to Kafka",
    label = "neither `Serialize` nor `Deserialize`",
    note = "derive it: `#[derive(faust::Serialize, faust::Deserialize)] #[serde(crate = \"faust::serde\")]`",
    note = "a type that is not yours: `#[serde(with = \"..\")]` above the field says how it is written, `#[serde(skip)]` leaves it out"
)]
pub trait ValueIn<'m>: Sized + Send {
    /// Appends the encoded value; false (and nothing appended) for a tombstone.
    fn encode(&self, out: &mut Vec<u8>) -> Result<bool, CodecError>;
    /// Reads an encoded value, where it stands; `None` is a tombstone.
    fn decode(bytes: Option<&'m [u8]>) -> Result<Self, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<'m, V: Send + Serialize + Deserialize<'m>> ValueIn<'m> for V {
    fn encode(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        to_json(self, out)
    }

    fn decode(bytes: Option<&'m [u8]>) -> Result<Self, CodecError> {
        from_json(bytes)
    }
}

/// A text, borrowed where its JSON has no escapes; serde reads a bare `Cow` as owned.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct CowText<'m>(#[serde(borrow)] pub(crate) Cow<'m, str>);

fn to_json(value: &impl Serialize, out: &mut Vec<u8>) -> Result<bool, CodecError> {
    let start = out.len();
    serde_json::to_writer(&mut *out, value).map_err(CodecError::Value)?;
    let tombstone = out.get(start..) == Some(b"null");
    if tombstone {
        out.truncate(start);
    }
    Ok(!tombstone)
}

pub(crate) fn from_json<'m, V: Deserialize<'m>>(bytes: Option<&'m [u8]>) -> Result<V, CodecError> {
    let Some(bytes) = bytes else {
        return serde_json::from_str("null").map_err(CodecError::NoValue);
    };
    // Looked at once as a whole, not text by text. What is no UTF-8 fails in the slower way, with the place.
    let value = match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(bytes),
    };
    value.map_err(CodecError::Value)
}
