//! What a row is looked up by.

use super::Key;
use std::borrow::Cow;
use std::hash::Hash;

/// What a row whose key is a `K` is looked up by: a `K`, or a text for a `String`, owned or borrowed, also as a part
/// of a key. A `K` is made of it only where a row begins.
///
/// ```
/// use faust::prelude::*;
///
/// #[topic("orders", key = (customer, item))]
/// struct Order<'a> { customer: u64, item: &'a str }
///
/// #[table("carts", key = (customer, item))]
/// struct Cart { customer: u64, item: String, count: u32 }
///
/// #[agent]
/// async fn fill(order: Event<Order<'_>>, carts: Table<Cart>) -> Result<()> {
///     carts.update(&(order.customer, order.item), |cart| cart.count += 1).await
/// }
/// ```
///
/// It hashes as the key does. For a type of your own, implement it by hand:
///
/// ```
/// use faust::KeyRef;
///
/// #[derive(Hash)]
/// struct Word<'a>(&'a str);
///
/// impl KeyRef<String> for Word<'_> {
///     fn is(&self, key: &String) -> bool { self.0 == key }
///     fn to_key(&self) -> String { self.0.into() }
/// }
/// assert!(Word("tea").is(&"tea".to_key()));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key of a table whose keys are `{K}`",
    label = "not a `{K}`",
    note = "pass a reference to a `{K}`; a `String` is also found by a `&str`"
)]
pub trait KeyRef<K>: Hash {
    /// Whether it is this key.
    fn is(&self, key: &K) -> bool;
    /// The key.
    fn to_key(&self) -> K;
}

#[diagnostic::do_not_recommend]
impl<K: Key> KeyRef<K> for K {
    fn is(&self, key: &K) -> bool {
        self == key
    }

    fn to_key(&self) -> K {
        self.clone()
    }
}

macro_rules! key_refs {
    ($([$($generics:tt)*] $this:ty => $key:ty, |$by:ident, $of:ident| $is:expr, $to_key:expr;)*) => {
        $(#[diagnostic::do_not_recommend]
        impl<$($generics)*> KeyRef<$key> for $this {
            fn is(&self, key: &$key) -> bool {
                let ($by, $of) = (self, key);
                $is
            }

            fn to_key(&self) -> $key {
                let $by = self;
                $to_key
            }
        })*
    };
}

// So that `&word.key` is a key whether the record owns the text or borrows it.
key_refs! {
    [] str => String, |by, key| by == key, by.into();
    [] &str => String, |by, key| by == key, (*by).into();
    [] Cow<'_, str> => String, |by, key| by == key, by.as_ref().into();
    [T: Key] [T] => Vec<T>, |by, key| by == key, by.into();
    [A: Key] (A, &str) => (A, String), |by, key| by.0 == key.0 && by.1 == key.1, (by.0.clone(), by.1.into());
    [B: Key] (&str, B) => (String, B), |by, key| by.0 == key.0 && by.1 == key.1, (by.0.into(), by.1.clone());
    [] (&str, &str) => (String, String), |by, key| by.0 == key.0 && by.1 == key.1, (by.0.into(), by.1.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;

    fn check<K: Key + std::fmt::Debug>(by: &(impl KeyRef<K> + ?Sized), key: K, other: K) {
        let hasher = foldhash::fast::FixedState::default();
        assert!(by.is(&key) && !by.is(&other));
        assert_eq!(by.to_key(), key);
        assert_eq!(hasher.hash_one((7, by)), hasher.hash_one((7, &key)));
    }

    #[test]
    fn a_text_is_found_by_whatever_holds_it() {
        let text = |text: &str| text.to_string();
        check("tea", text("tea"), text("te"));
        check(&"tea", text("tea"), text("te"));
        check(&text("tea"), text("tea"), text("te"));
        check(&Cow::Borrowed("tea"), text("tea"), text("te"));
        check(&Cow::<str>::Owned(text("tea")), text("tea"), text("te"));
        check(&[1, 2][..], vec![1u8, 2], vec![1]);
        check(&(7u64, "tea"), (7u64, text("tea")), (8, text("tea")));
        check(&("tea", 7u64), (text("tea"), 7u64), (text("tea"), 8));
        check(&("tea", "te"), (text("tea"), text("te")), (text("te"), text("tea")));
    }
}
