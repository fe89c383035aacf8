//! A standby: the changelog into the store, for as long as it is wanted. Whoever takes the partition over has only a
//! tail to read.

use super::recovery::{RecoveryError, apply, opened};
use crate::kafka::{Broker, KafkaError, Offset, TopicPartition};
use crate::table::store::{StoreBatch, Stores};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

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
    let (store, mut mark, end) = opened(broker, stores, owner, table, of).await?;
    watch.reached(mark.changelog, Some(end));
    let mut reader = broker.follow(of, mark.changelog)?;
    loop {
        let batch = poll_fn(|cx| reader.poll_batch(cx)).await?;
        if watch.is_void() && store.len() > 0 {
            stores.set_aside(table, of.partition)?;
            let (partition, offset) = (of.clone(), mark.changelog);
            return Err(KafkaError::OutOfRange { partition, offset }.into());
        }
        apply(&batch, &*store, &mut mark)?;
        if let Some(below) = watch.expired() {
            store.write(
                &StoreBatch { remove_below: Some(&below), ..StoreBatch::default() },
                &mark,
            )?;
        }
        watch.reached(mark.changelog, None);
        let bytes = batch.messages.bytes();
        drop(batch);
        watch.pace().spend(bytes).await;
    }
}

/// What a standby tells, and asks.
pub(crate) trait Watch {
    /// Where it is, and where the log ends, if it has just looked.
    fn reached(&self, at: Offset, end: Option<Offset>);
    /// The key below which rows have expired, if that is news.
    fn expired(&self) -> Option<Vec<u8>>;
    /// Whether all that it had read at some time was deleted from the log since: the tables were reset.
    fn is_void(&self) -> bool;
    /// What it shares with the other standbys of its thread.
    fn pace(&self) -> &Pace;
}

/// How much standbys may read together: who has had more than its share of a second waits until that is over.
pub(crate) struct Pace {
    bytes_per_second: usize,
    /// When what was read would have been read at that rate.
    due: Cell<Instant>,
}

/// So much may come at once, so that small batches do not wait.
const BURST: Duration = Duration::from_millis(100);

impl Pace {
    pub(crate) fn new(bytes_per_second: usize) -> Self {
        Self { bytes_per_second, due: Cell::new(Instant::now()) }
    }

    /// Waits as long as these bytes take beyond the burst, and lets others run.
    async fn spend(&self, bytes: usize) {
        let now = Instant::now();
        let took = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second.max(1) as f64);
        let due = self.due.get().max(now) + took;
        self.due.set(due);
        match due.checked_sub(BURST) {
            Some(until) if until > now => sleep_until(until).await,
            _ => yield_now().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::memory::{Cluster, Connection, Process};
    use crate::kafka::{Outgoing, TopicId};
    use crate::table::store::memory::{Disk, MemoryStores};
    use futures::future::join;
    use std::cell::RefCell;
    use tokio::time::{sleep, timeout};

    struct Watched {
        at: Cell<Offset>,
        expired: RefCell<Option<Vec<u8>>>,
        void: Cell<bool>,
        pace: Pace,
    }

    impl Watch for Watched {
        fn reached(&self, at: Offset, _: Option<Offset>) {
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
        let pace = Pace::new(usize::MAX);
        let (at, void) = (Cell::new(-1), Cell::new(false));
        let watch = Watched { at, expired: RefCell::default(), void, pace };
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
        let append =
            |key: &str| cluster.append("log", 0, Some(key.as_bytes()), Some(b"1"), &[], None);
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

    #[tokio::test(start_paused = true)]
    async fn standbys_read_no_faster_than_they_may() {
        let pace = Pace::new(1000);
        let begun = Instant::now();
        for _ in 0..10 {
            pace.spend(500).await;
        }
        let took = begun.elapsed().as_millis();
        assert!((4900..=5000).contains(&took), "5000 bytes took {took} ms");
        sleep(Duration::from_secs(60)).await;
        let begun = Instant::now();
        pace.spend(50).await;
        assert_eq!(begun.elapsed(), Duration::ZERO, "a little is read at once");
        pace.spend(1000).await;
        assert!(begun.elapsed() > Duration::from_millis(900), "idle time is not saved up");
    }
}
