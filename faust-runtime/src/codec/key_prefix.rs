//! What several keys begin with.

use super::{CodecError, Key};
use serde::Serialize;
use std::borrow::Cow;

/// What keys of type `K` can begin with: a text where they are texts, the leading parts of a composite key where they
/// are tuples. The rows of all such keys lie side by side.
///
/// ```
/// use faust::prelude::*;
///
/// #[topic("orders", key = customer)]
/// struct Order { customer: u64, item: String }
///
/// #[table("carts", key = (customer, item), partition_by = customer)]
/// struct Cart { customer: u64, item: String, pieces: u32 }
///
/// #[agent]
/// async fn total(order: Event<Order>, carts: Table<Cart>) -> Result<u32> {
///     carts.update(&(order.customer, order.item.clone()), |cart| cart.pieces += 1).await?;
///     let all = carts.prefix(&order.customer).await?;
///     Ok(all.iter().map(|(_, cart)| cart.pieces).sum())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "keys of type `{K}` cannot begin with `{Self}`",
    label = "no beginning of a `{K}`",
    note = "a `String` begins with a text, a tuple with its first parts: `&a` or `&(a, b)` of `(a, b, c)`"
)]
pub trait KeyPrefix<K> {
    /// Appends what the encoded keys begin with, and no others do.
    fn encode_prefix(&self, out: &mut Vec<u8>) -> Result<(), CodecError>;
}

macro_rules! texts {
    ($($text:ty)*) => {
        $(impl KeyPrefix<String> for $text {
            fn encode_prefix(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
                out.extend_from_slice(self.as_bytes());
                Ok(())
            }
        })*
    };
}

texts!(str &str String Cow<'_, str>);

/// The leading parts of a tuple: its JSON up to the comma behind them.
fn parts(parts: &[&dyn erased::Part], out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.push(b'[');
    for part in parts {
        part.write(out)?;
        out.push(b',');
    }
    Ok(())
}

mod erased {
    use super::{CodecError, Serialize};

    pub(super) trait Part {
        fn write(&self, out: &mut Vec<u8>) -> Result<(), CodecError>;
    }

    impl<T: Serialize + ?Sized> Part for T {
        fn write(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
            serde_json::to_writer(out, self).map_err(CodecError::Key)
        }
    }
}

macro_rules! tuples {
    ($([$($generics:tt)*] $this:ty => $key:ty, $($part:tt)|+;)*) => {
        $(impl<$($generics)*> KeyPrefix<$key> for $this {
            fn encode_prefix(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
                tuples!(@parts self, out, $($part)|+)
            }
        })*
    };
    (@parts $self:ident, $out:ident, itself) => { parts(&[&$self], $out) };
    (@parts $self:ident, $out:ident, $($n:tt)|+) => { parts(&[$(&$self.$n),+], $out) };
}

tuples! {
    [A: Key + Serialize, B: Key] A => (A, B), itself;
    [B: Key] str => (String, B), itself;
    [B: Key] &str => (String, B), itself;
    [A: Key + Serialize, B: Key, C: Key] A => (A, B, C), itself;
    [B: Key, C: Key] str => (String, B, C), itself;
    [B: Key, C: Key] &str => (String, B, C), itself;
    [A: Key + Serialize, B: Key + Serialize, C: Key] (A, B) => (A, B, C), 0 | 1;
    [A: Key + Serialize, B: Key, C: Key, D: Key] A => (A, B, C, D), itself;
    [A: Key + Serialize, B: Key + Serialize, C: Key, D: Key] (A, B) => (A, B, C, D), 0 | 1;
    [A: Key + Serialize, B: Key + Serialize, C: Key + Serialize, D: Key] (A, B, C) => (A, B, C, D), 0 | 1 | 2;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded<K: Key>(key: &K) -> Vec<u8> {
        let mut bytes = Vec::new();
        key.encode(&mut bytes).unwrap();
        bytes
    }

    fn begins<K: Key>(prefix: &(impl KeyPrefix<K> + ?Sized), key: K) -> bool {
        let mut bytes = Vec::new();
        prefix.encode_prefix(&mut bytes).unwrap();
        encoded(&key).starts_with(&bytes)
    }

    #[test]
    fn a_key_begins_with_its_first_parts_and_with_no_others() {
        let text = |text: &str| text.to_string();
        assert!(begins("te", text("tea")) && !begins("te", text("toe")));
        assert!(begins(&1u64, (1u64, text("a"))) && !begins(&1u64, (12u64, text("a"))));
        assert!(begins("a", (text("a"), 7u8)) && !begins("a", (text("ab"), 7u8)));
        assert!(begins(&text("a\",1"), (text("a\",1"), 7u8)) && !begins("a", (text("a\",1"), 7u8)));
        assert!(begins(&(1u64, text("a")), (1u64, text("a"), true)));
        assert!(!begins(&(1u64, text("a")), (1u64, text("ab"), true)));
        assert!(begins(&(1u8, 2u8, 3u8), (1u8, 2u8, 3u8, 4u8)));
    }
}
