//! Following: the changelog into a store, for as long as it is wanted: of a standby, so that whoever takes the partition
//! over has only a tail to read, and of a copy of the table.

use super::load::Loader;
use super::pace::Pace;
use super::recovery::{Opened, RecoveryError, opened, outlived, rebuild};
use crate::kafka::{Broker, KafkaError, Messages, Offset, Source, TopicPartition};
use crate::table::store::{Store, StoreBatch, Stores};
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;

/// Follows the changelog from where the store is. Only committed records come, up to the first open transaction; each
/// batch is written with the position that it reaches.
pub(crate) async fn follow(
    broker: &dyn Broker,
    stores: &dyn Stores,
    owner: &str,
    table: &str,
    of: &TopicPartition,
    watch: &dyn Watch,
) -> Result<Infallible, RecoveryError> {
    let Opened { mut store, mut mark, fresh, end } =
        opened(broker, stores, owner, table, of).await?;
    watch.reached(of.partition, &store, mark.changelog, Some(end));
    // Of a store that was there: when it had everything.
    let mut complete_at = store.mark()?.map(|mark| mark.at);
    let mut loader = Loader::new(store.clone(), mark.changelog);
    let mut reader = watch.read(of, mark.changelog)?;
    let mut removed_below = i64::MIN;
    loop {
        let batch = poll_fn(|cx| reader.poll_batch(cx)).await?;
        let (bytes, caught_up) = (batch.messages.bytes(), batch.caught_up);
        let expired = newest_window(&*batch.messages).and_then(|start| watch.expired_below(start));
        loader.take(batch);
        if loader.has_records()
            && let Some(at) = complete_at.take()
            && let Some(why) = outlived(broker, &of.topic, at).await?
        {
            (store, mark) = rebuild(stores, table, of, &fresh, &why)?;
            loader = Loader::new(store.clone(), mark.changelog);
            reader = watch.read(of, mark.changelog)?;
            continue;
        }
        if caught_up {
            mark.at = broker.now().as_millis();
        }
        loader.write(&mut mark)?;
        if let Some(below) = expired.filter(|below| *below > removed_below) {
            removed_below = below;
            let prefix = below.max(0).to_be_bytes();
            let expired = StoreBatch { remove_below: Some(&prefix), ..StoreBatch::default() };
            store.write(&expired, &mark)?;
        }
        watch.reached(of.partition, &store, mark.changelog, None);
        watch.pace().take(bytes).await;
    }
}

/// The start of the newest window, where keys begin with one.
fn newest_window(messages: &dyn Messages) -> Option<i64> {
    let keys = (0..messages.len()).filter_map(|index| messages.get(index)?.key);
    keys.filter_map(|key| Some(i64::from_be_bytes(*key.first_chunk()?))).max()
}

/// What whoever follows tells, and asks.
pub(crate) trait Watch {
    /// Reads the changelog from an offset.
    fn read(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError>;
    /// Where the store is, and where the log ends, if it has just looked.
    fn reached(&self, partition: u32, store: &Arc<dyn Store>, at: Offset, end: Option<Offset>);
    /// Of a table with windows: the start below which they have expired, when there is one that begins at `newest`.
    fn expired_below(&self, _newest: i64) -> Option<i64> {
        None
    }
    /// How fast it may read.
    fn pace(&self) -> &Pace;
}
