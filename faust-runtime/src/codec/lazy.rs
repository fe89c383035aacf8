//! A value that is read when somebody looks at it.

use super::{CodecError, ValueIn};
use std::fmt;
use std::marker::PhantomData;

/// The value of a record as it is in its message, decoded when somebody looks: for the field `value` of a record with
/// the fields `key` and `value`.
///
/// ```
/// use faust::prelude::*;
/// use faust::testing::TestApp;
///
/// #[derive(faust::Serialize, faust::Deserialize)]
/// #[serde(crate = "faust::serde")]
/// struct Order<'a> { city: &'a str, cents: u64 }
///
/// #[topic("orders")]
/// struct Placed<'a> { key: u64, value: Lazy<'a, Order<'a>> }
///
/// #[table("totals")]
/// struct Total { key: u64, value: u64 }
///
/// #[agent]
/// async fn large(order: Event<Placed<'_>>, totals: Table<Total>) -> Result<()> {
///     if order.key % 2 == 0 {
///         return Ok(()); // nothing of the value was looked at
///     }
///     let cents = order.value.get()?.cents;
///     totals.update(&order.key, |total| *total += cents).await
/// }
///
/// #[app("shop", agents(large))]
/// struct Shop;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let app = TestApp::start::<Shop>().await?;
/// let mut buffer = Vec::new();
/// let value = Lazy::encode(&Order { city: "Oslo", cents: 250 }, &mut buffer)?;
/// app.send(Placed { key: 7, value }).await?;
/// app.send(Placed { key: 8, value }).await?;
/// app.run_until_idle().await?;
/// assert_eq!(app.table::<Total>().get(&7).await?, Some(250));
/// assert_eq!(app.table::<Total>().get(&8).await?, None);
/// # Ok(())
/// # }
/// ```
///
/// A value that is wrong is an error of [`get`](Self::get), and with `?` of the event; one that nobody looks at is
/// none. So is a tombstone: `get` fails where `V` is no `Option`, and [`bytes`](Self::bytes) tells it in any case. A
/// record that is sent on takes the bytes along, as they are.
pub struct Lazy<'m, V> {
    bytes: Option<&'m [u8]>,
    value: PhantomData<fn() -> V>,
}

impl<'m, V> Lazy<'m, V> {
    /// The value that these bytes are; `None` is a tombstone.
    pub fn new(bytes: Option<&'m [u8]>) -> Self {
        Self { bytes, value: PhantomData }
    }

    /// The encoded value; `None` is a tombstone.
    pub fn bytes(&self) -> Option<&'m [u8]> {
        self.bytes
    }

    /// Decodes the value, each time anew.
    pub fn get(&self) -> Result<V, CodecError>
    where
        V: ValueIn<'m>,
    {
        V::decode(self.bytes)
    }

    /// A value to be sent, encoded into a buffer of the caller's, which is cleared before.
    pub fn encode<'v>(value: &V, buffer: &'m mut Vec<u8>) -> Result<Self, CodecError>
    where
        V: ValueIn<'v>,
    {
        buffer.clear();
        let is_value = value.encode(buffer)?;
        Ok(Self::new(is_value.then_some(buffer)))
    }
}

impl<V> Clone for Lazy<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Lazy<'_, V> {}

impl<V> fmt::Debug for Lazy<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.bytes.map(String::from_utf8_lossy);
        f.debug_tuple("Lazy").field(&text).finish()
    }
}

/// It is not serde's, so that nobody mistakes it for a field of a value.
impl<'m, V> ValueIn<'m> for Lazy<'m, V> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<bool, CodecError> {
        out.extend_from_slice(self.bytes.unwrap_or_default());
        Ok(self.bytes.is_some())
    }

    fn decode(bytes: Option<&'m [u8]>) -> Result<Self, CodecError> {
        Ok(Self::new(bytes))
    }
}
