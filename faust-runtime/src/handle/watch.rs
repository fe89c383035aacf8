//! The committed changes of a table, as they happen.

use super::view::View;
use crate::codec::Key;
use crate::define::{Row, Unwindowed, split};
use crate::table::store::Changed;
use futures::Stream;
use futures::stream::unfold;
use tokio::sync::broadcast::error::RecvError;

/// A change of a row: see [`View::watch`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change<K, V> {
    /// The row has this value now.
    Set(K, V),
    /// The row is removed.
    Removed(K),
    /// The listener was too slow: so many changes are lost to it. What it knows of rows may be old: look again.
    Missed(u64),
}

impl<T: Row<Window = Unwindowed<L>>, L> View<T> {
    /// The changes of the rows that this worker owns, once they are committed, from now on; of each key in their order.
    /// A row that is written several times between two commits changes once.
    ///
    /// Up to 1024 changes wait for a listener. One that is slower gets [`Change::Missed`] in the place of those that it
    /// has lost, and then the rest.
    ///
    /// ```
    /// use faust::Change;
    /// use faust::prelude::*;
    /// use futures::StreamExt;
    /// use std::pin::pin;
    ///
    /// #[table("counts")]
    /// struct Count { key: String, value: u64 }
    ///
    /// #[task]
    /// async fn show(counts: View<Count>) -> Result<()> {
    ///     let mut changes = pin!(counts.watch());
    ///     while let Some(change) = changes.next().await {
    ///         match change? {
    ///             Change::Set(word, n) => println!("{word}: {n}"),
    ///             Change::Removed(word) => println!("{word} is gone"),
    ///             Change::Missed(n) => println!("and {n} changes before"),
    ///             _ => {}
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn watch(
        &self,
    ) -> impl Stream<Item = crate::Result<Change<T::Key, T::Value>>> + Send + use<T, L> {
        unfold(self.listen(), |mut changes| async {
            let change = match changes.recv().await {
                Ok(change) => read::<T>(&change),
                Err(RecvError::Lagged(missed)) => Ok(Change::Missed(missed)),
                Err(RecvError::Closed) => return None,
            };
            Some((change, changes))
        })
    }
}

fn read<T: Row>((key, value): &Changed) -> crate::Result<Change<T::Key, T::Value>> {
    let key = T::Key::decode(key)?;
    let Some(value) = value else { return Ok(Change::Removed(key)) };
    let value = if T::TABLE.ttl.is_some() { split(value).1 } else { value };
    Ok(Change::Set(key, T::decode_value(value)?))
}
