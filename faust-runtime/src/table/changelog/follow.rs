//! Following: the changelog into a store, for as long as it is wanted: of a standby, so that whoever takes the partition
//! over has only a tail to read, and of a copy of the table.

use super::load::Loader;
use super::pace::Pace;
use super::recovery::{Opened, RecoveryError, opened, outlived, rebuild};
use crate::kafka::{Broker, KafkaError, Offset, Source, TopicPartition};
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
    loop {
        let batch = poll_fn(|cx| reader.poll_batch(cx)).await?;
        let caught_up = batch.caught_up;
        if watch.is_void() && store.len() > 0 {
            stores.set_aside(table, of.partition)?;
            let (partition, offset) = (of.clone(), mark.changelog);
            return Err(KafkaError::OutOfRange { partition, offset }.into());
        }
        let bytes = loader.take(batch);
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
        if let Some(below) = watch.expired() {
            let expired = StoreBatch { remove_below: Some(&below), ..StoreBatch::default() };
            store.write(&expired, &mark)?;
        }
        watch.reached(of.partition, &store, mark.changelog, None);
        watch.pace().take(bytes).await;
    }
}

/// What whoever follows tells, and asks.
pub(crate) trait Watch {
    /// Reads the changelog from an offset.
    fn read(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError>;
    /// Where the store is, and where the log ends, if it has just looked.
    fn reached(&self, partition: u32, store: &Arc<dyn Store>, at: Offset, end: Option<Offset>);
    /// The key below which rows have expired, if that is news.
    fn expired(&self) -> Option<Vec<u8>> {
        None
    }
    /// Whether all that it had read at some time was deleted from the log since: the tables were reset.
    fn is_void(&self) -> bool {
        false
    }
    /// How fast it may read.
    fn pace(&self) -> &Pace;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::memory::{Cluster, Connection, Process};
    use crate::kafka::{Outgoing, TopicId};
    use crate::table::store::memory::{Disk, MemoryStores};
    use futures::future::join;
    use std::cell::{Cell, RefCell};
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    struct Watched<'a> {
        broker: &'a dyn Broker,
        at: Cell<Offset>,
        expired: RefCell<Option<Vec<u8>>>,
        void: Cell<bool>,
        pace: Pace,
    }

    impl Watch for Watched<'_> {
        fn read(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError> {
            self.broker.follow(of, from)
        }

        fn reached(&self, _: u32, _: &Arc<dyn Store>, at: Offset, _: Option<Offset>) {
            self.at.set(at);
        }

        fn expired(&self) -> Option<Vec<u8>> {
            self.expired.take()
        }

        fn is_void(&self) -> bool {
            self.void.take()
        }

        fn pace(&self) -> &Pace {
            &self.pace
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_has_what_is_committed_and_its_position_and_removes_what_has_expired() {
        let cluster = Cluster::new();
        cluster.create("log", 1);
        let broker = Connection::new(cluster.clone(), Process::default());
        let stores = MemoryStores::new(Disk::default());
        let of = TopicPartition::new("log", 0);
        let pace = Pace::new(None);
        let (at, void) = (Cell::new(-1), Cell::new(false));
        let watch = Watched { broker: &broker, at, expired: RefCell::default(), void, pace };
        let some_time = || async {
            let standby = follow(&broker, &stores, "app", "t", &of, &watch);
            assert!(timeout(Duration::from_secs(1), standby).await.is_err(), "it follows");
            let store = stores.open("t", 0).unwrap();
            let mut keys = Vec::new();
            let mut see = |key: &[u8], _: &[u8]| {
                keys.push(String::from_utf8_lossy(key).into_owned());
                true
            };
            store.scan(&[], &mut see).unwrap();
            (keys.join(" "), store.mark().unwrap().map(|mark| mark.changelog))
        };
        let append = |key: &str| cluster.append("log", 0, Some(key.as_bytes()), Some(b"1"), None);
        append("a");
        append("b");
        let topic: TopicId = broker.topic_id("log");
        let mut txn = broker.transactional("open").await.unwrap();
        txn.begin(0).unwrap();
        let record = Outgoing {
            topic,
            partition: 0,
            key: Some(b"c"),
            value: Some(b"1"),
            timestamp: None,
            headers: &[],
        };
        txn.send(&record, None).unwrap();
        append("d");
        assert_eq!(some_time().await, ("a b".into(), Some(2)), "up to the open transaction");
        txn.abort().await.unwrap();
        *watch.expired.borrow_mut() = Some(b"b".to_vec());
        let (keys, mark) = some_time().await;
        assert_eq!(keys, "b d", "without what was aborted, and what has expired");
        assert_eq!((mark, watch.at.get()), (Some(5), 5), "behind the last marker");

        let reset = async {
            sleep(Duration::from_millis(100)).await;
            broker.delete_records(vec![(of.clone(), 5)]).await.unwrap();
            append("e");
            watch.void.set(true);
        };
        let standby = follow(&broker, &stores, "app", "t", &of, &watch);
        let (ended, ()) = join(timeout(Duration::from_secs(1), standby), reset).await;
        let ended = ended.expect("it begins anew");
        assert!(matches!(ended, Err(RecoveryError::Kafka(KafkaError::OutOfRange { .. }))));
        assert_eq!(some_time().await.0, "e", "what was reset does not come back");
    }
}
