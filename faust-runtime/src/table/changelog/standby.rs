//! A standby: the changelog into the store, for as long as it is wanted. Whoever takes the partition over has only a
//! tail to read.

use super::load::Loader;
use super::pace::Pace;
use super::recovery::{Opened, RecoveryError, opened, outlived, rebuild};
use crate::kafka::{Broker, Offset, TopicPartition};
use crate::table::store::{StoreBatch, Stores};
use std::convert::Infallible;
use std::future::poll_fn;

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
    let Opened { mut store, mut mark, start, end } =
        opened(broker, stores, owner, table, of).await?;
    watch.reached(mark.changelog, Some(end));
    // Of a store that was there: when it had everything.
    let mut complete_at = store.mark()?.map(|mark| mark.at);
    let mut loader = Loader::new(store.clone(), mark.changelog);
    let mut reader = broker.follow(of, mark.changelog)?;
    loop {
        let batch = poll_fn(|cx| reader.poll_batch(cx)).await?;
        let (bytes, caught_up) = (batch.messages.bytes(), batch.caught_up);
        loader.take(batch);
        if loader.has_records()
            && let Some(at) = complete_at.take()
            && let Some(why) = outlived(broker, &of.topic, at).await?
        {
            (store, mark) = rebuild(stores, owner, table, of, start, &why)?;
            mark.at = broker.now().as_millis();
            loader = Loader::new(store.clone(), start);
            reader = broker.follow(of, start)?;
            continue;
        }
        if caught_up {
            mark.at = broker.now().as_millis();
        }
        loader.write(&mut mark)?;
        if let Some(below) = watch.expired() {
            let expired = StoreBatch { remove_below: Some(&below), ..StoreBatch::default() };
            store.write(&expired, &mark)?;
        }
        watch.reached(mark.changelog, None);
        watch.pace().take(bytes).await;
    }
}

/// What a standby tells, and asks.
pub(crate) trait Watch {
    /// Where it is, and where the log ends, if it has just looked.
    fn reached(&self, at: Offset, end: Option<Offset>);
    /// The key below which rows have expired, if that is news.
    fn expired(&self) -> Option<Vec<u8>>;
    /// What it shares with the other standbys of its thread.
    fn pace(&self) -> &Pace;
}
