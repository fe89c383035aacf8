//! From the changelog into the store: from the store's own offset to the end of the log, committed records only.

use crate::kafka::{At, Batch, Broker, KafkaError, Offset, TopicPartition};
use crate::table::store::{Mark, Store, StoreBatch, StoreError, Stores};
use futures::future::try_join;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// A store that has everything that is committed.
pub(crate) struct Recovered {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) mark: Mark,
    /// How many changelog records it lacked.
    pub(crate) replayed: u64,
}

/// How long it rests when it was interrupted.
const PAUSE: Duration = Duration::from_millis(100);

/// What recovery cannot mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RecoveryError {
    /// The broker; recovery is tried again.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far recovery is: from, at, to.
pub(crate) type Report<'a> = &'a (dyn Fn(Offset, Offset, Offset) + Send + Sync);

/// Opens a store and brings it up to the end of its changelog. A store that is another app's, or damaged, or does not
/// fit its changelog, is set aside and rebuilt.
pub(crate) async fn recover(
    broker: &dyn Broker,
    stores: &dyn Stores,
    owner: &str,
    table: &str,
    of: &TopicPartition,
    report: Report<'_>,
) -> Result<Recovered, RecoveryError> {
    let (store, mut mark, end) = opened(broker, stores, owner, table, of).await?;
    let from = mark.changelog;
    let mut replayed = 0;
    while mark.changelog < end {
        let mut reader = broker.restore(of, mark.changelog)?;
        match read(&mut *reader, &*store, &mut mark, end, &mut replayed, &|at| {
            report(from, at, end)
        })
        .await
        {
            Ok(()) => {}
            Err(RecoveryError::Kafka(
                error @ (KafkaError::Unreachable { .. } | KafkaError::Failed { .. }),
            )) => {
                tracing::warn!(%error, changelog = %of, "recovery was interrupted; going on");
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Recovered { store, mark, replayed })
}

/// Opens a store that fits its changelog, a new one if need be; and where the changelog ends.
pub(super) async fn opened(
    broker: &dyn Broker,
    stores: &dyn Stores,
    owner: &str,
    table: &str,
    of: &TopicPartition,
) -> Result<(Arc<dyn Store>, Mark, Offset), RecoveryError> {
    let log = vec![of.clone()];
    // The end with open transactions: what is behind the last stable offset may still be committed.
    let asked = (broker.offsets(log.clone(), At::Start), broker.offsets(log, At::End));
    let (start, end) = try_join(asked.0, asked.1).await?;
    let (start, end) = (first(start), first(end));
    let (store, mark) = open(stores, owner, table, of, start, end)?;
    Ok((store, mark, end))
}

fn open(
    stores: &dyn Stores,
    owner: &str,
    table: &str,
    of: &TopicPartition,
    start: Offset,
    end: Offset,
) -> Result<(Arc<dyn Store>, Mark), RecoveryError> {
    let opened = stores.open(table, of.partition);
    let why = match opened.and_then(|store| Ok((store.mark()?, store))) {
        Ok((None, store)) => {
            let mark = Mark { owner: owner.into(), changelog: start, ..Mark::default() };
            return Ok((store, mark));
        }
        Ok((Some(mark), _)) if mark.owner != owner => format!("it belongs to {}", mark.owner),
        Ok((Some(mark), _)) if mark.changelog < start => {
            format!("it is at {}, but the changelog starts at {start}", mark.changelog)
        }
        // What it has was all deleted: the tables were reset by another worker.
        Ok((Some(mark), store)) if mark.changelog == start && start > 0 && store.len() > 0 => {
            format!("all that it has was deleted from the changelog, which starts at {start}")
        }
        Ok((Some(mark), _)) if mark.changelog > end => {
            format!("it is at {}, but the changelog ends at {end}", mark.changelog)
        }
        Ok((Some(mark), store)) => return Ok((store, mark)),
        Err(StoreError::Damaged { cause, .. }) => cause,
        Err(error) => return Err(error.into()),
    };
    tracing::warn!(changelog = %of, why, "the store is set aside and rebuilt from its changelog");
    stores.set_aside(table, of.partition)?;
    let store = stores.open(table, of.partition)?;
    Ok((store, Mark { owner: owner.into(), changelog: start, ..Mark::default() }))
}

/// Reads until the position has reached `end`; it moves over control records and aborted transactions.
async fn read(
    reader: &mut dyn crate::kafka::Source,
    store: &dyn Store,
    mark: &mut Mark,
    end: Offset,
    replayed: &mut u64,
    report: &(dyn Fn(Offset) + Sync),
) -> Result<(), RecoveryError> {
    while mark.changelog < end {
        let batch = poll_fn(|cx| reader.poll_batch(cx)).await?;
        *replayed += apply(&batch, store, mark)?;
        report(mark.changelog.min(end));
    }
    Ok(())
}

/// Writes one batch, the newest value of each key, with the position that it reaches.
pub(super) fn apply(batch: &Batch, store: &dyn Store, mark: &mut Mark) -> Result<u64, StoreError> {
    let mut newest: HashMap<&[u8], Option<&[u8]>> = HashMap::new();
    for index in 0..batch.messages.len() {
        let Some(message) = batch.messages.get(index) else { break };
        if let Some(key) = message.key {
            newest.insert(key, message.value);
        }
        mark.changelog = mark.changelog.max(message.offset + 1);
    }
    if let Some(end) = batch.end {
        mark.changelog = mark.changelog.max(end);
    }
    let mut added = 0;
    for (key, value) in &newest {
        match (store.get(key)?.is_some(), value.is_some()) {
            (false, true) => added += 1,
            (true, false) => added -= 1,
            _ => {}
        }
    }
    let write = StoreBatch { rows: newest.into_iter().collect(), added, remove_below: None };
    store.write(&write, mark)?;
    Ok(batch.messages.len() as u64)
}

fn first(offsets: Vec<Offset>) -> Offset {
    offsets.first().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::store::memory::{Disk, MemoryStores};
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Stores that are damaged until they are set aside.
    struct Unreadable(MemoryStores, AtomicBool);

    impl Stores for Unreadable {
        fn open(&self, table: &str, partition: u32) -> Result<Arc<dyn Store>, StoreError> {
            match self.1.load(Ordering::Relaxed) {
                true => self.0.open(table, partition),
                false => Err(StoreError::Damaged { path: "stores".into(), cause: "torn".into() }),
            }
        }

        fn set_aside(&self, table: &str, partition: u32) -> Result<(), StoreError> {
            self.1.store(true, Ordering::Relaxed);
            self.0.set_aside(table, partition)
        }

        fn partitions(&self, table: &str) -> BTreeSet<u32> {
            self.0.partitions(table)
        }
    }

    #[test]
    fn rows_that_were_deleted_from_the_changelog_do_not_come_back_from_an_old_store() {
        let stores = MemoryStores::new(Disk::default());
        let of = TopicPartition::new("changelog", 0);
        let mark = Mark { owner: "app".into(), changelog: 7, ..Mark::default() };
        let rows = StoreBatch { rows: vec![(b"a", Some(b"1"))], added: 1, remove_below: None };
        stores.open("t", 0).unwrap().write(&rows, &mark).unwrap();
        assert_eq!(open(&stores, "app", "t", &of, 6, 9).unwrap().0.len(), 1, "one record is there");
        let (store, mark) = open(&stores, "app", "t", &of, 7, 9).unwrap();
        assert_eq!((store.len(), mark.changelog), (0, 7));
    }

    #[test]
    fn a_store_that_cannot_be_read_is_rebuilt_from_the_start_of_its_changelog() {
        let stores = Unreadable(MemoryStores::new(Disk::default()), AtomicBool::new(false));
        let of = TopicPartition::new("changelog", 3);
        let (store, mark) = open(&stores, "app", "t", &of, 5, 9).unwrap();
        assert_eq!((mark.owner.as_str(), mark.changelog, store.len()), ("app", 5, 0));
        assert_eq!(stores.partitions("t"), [3].into());
    }
}
