//! A full copy of a table on one worker: every partition of its changelog, followed into a store of its own. What it
//! has is committed; what is committed, it has a moment later.

use super::changelog::{Pace, RecoveryError, Watch, follow};
use super::store::{Store, Stores, StreamTime, shown};
use crate::define::TableDef;
use crate::kafka::{Broker, KafkaError, Offset, Source, TopicPartition};
use futures::future::try_join_all;
use std::cell::Cell;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// From one try to the next, when the broker is not to be reached.
const PAUSE: Duration = Duration::from_millis(100);

/// The copy of one table.
pub(crate) struct Copy {
    /// What its stores are called: no table has such a name.
    name: String,
    owner: String,
    changelog: Arc<str>,
    def: TableDef,
    partitions: Mutex<Vec<Followed>>,
    /// Partitions that have not reached what was committed when they began.
    behind: AtomicUsize,
    ready: watch::Sender<bool>,
    pace: Pace,
}

#[derive(Clone, Default)]
struct Followed {
    /// None until it is caught up for the first time.
    store: Option<Arc<dyn Store>>,
    at: Offset,
}

impl Copy {
    pub(crate) fn new(
        def: TableDef,
        table: &str,
        owner: String,
        changelog: Arc<str>,
        partitions: u32,
    ) -> Self {
        Self {
            name: format!("{table}+copy"),
            def,
            owner,
            changelog,
            partitions: Mutex::new(vec![Followed::default(); partitions as usize]),
            behind: AtomicUsize::new(partitions as usize),
            ready: watch::Sender::new(false),
            pace: Pace::new(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Followed>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has had everything that was committed when the worker started.
    pub(crate) fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Completes when it is ready.
    pub(crate) async fn ready(&self) {
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// How many partitions there are.
    pub(crate) fn partitions(&self) -> u32 {
        self.lock().len() as u32
    }

    /// The store of a partition; `None` while it catches up.
    pub(crate) fn store(&self, partition: u32) -> Option<Arc<dyn Store>> {
        self.lock().get(partition as usize)?.store.clone()
    }

    /// Where it is in each partition of its changelog.
    pub(crate) fn positions(&self) -> Vec<(TopicPartition, Offset)> {
        let of = |n| TopicPartition::new(self.changelog.clone(), n as u32);
        self.lock().iter().enumerate().map(|(n, followed)| (of(n), followed.at)).collect()
    }

    /// Follows every partition, until one cannot be followed.
    pub(crate) async fn follow(
        &self,
        broker: &dyn Broker,
        stores: &dyn Stores,
    ) -> Result<Infallible, RecoveryError> {
        let all = (0..self.partitions()).map(|n| self.follow_partition(broker, stores, n));
        match try_join_all(all).await?.first() {
            Some(never) => match *never {},
            None => std::future::pending().await,
        }
    }

    async fn follow_partition(
        &self,
        broker: &dyn Broker,
        stores: &dyn Stores,
        partition: u32,
    ) -> Result<Infallible, RecoveryError> {
        let of = TopicPartition::new(self.changelog.clone(), partition);
        let first = Cell::new(true);
        loop {
            match self.read(broker, stores, &of, &first).await {
                Ok(never) => match never {},
                // What was removed from the log is a store that is to be made anew: the next try sees that.
                Err(RecoveryError::Kafka(error))
                    if !matches!(error, KafkaError::Refused { .. }) =>
                {
                    tracing::warn!(%error, changelog = %of, "the copy of a table is interrupted; going on");
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn read(
        &self,
        broker: &dyn Broker,
        stores: &dyn Stores,
        of: &TopicPartition,
        first: &Cell<bool>,
    ) -> Result<Infallible, RecoveryError> {
        let reading = Reading { copy: self, broker, end: Cell::new(0), first };
        follow(broker, stores, &self.owner, &self.name, of, &reading).await
    }

    /// One more partition has everything.
    fn caught_up(&self) {
        if self.behind.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ready.send_replace(true);
        }
    }
}

/// One partition, while it is followed.
struct Reading<'a> {
    copy: &'a Copy,
    broker: &'a dyn Broker,
    /// Where the log ended when it was begun.
    end: Cell<Offset>,
    /// It has not reached an end yet.
    first: &'a Cell<bool>,
}

impl Watch for Reading<'_> {
    fn read(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError> {
        self.broker.copy(of, from)
    }

    fn reached(&self, partition: u32, store: &Arc<dyn Store>, at: Offset, end: Option<Offset>) {
        let end = end.unwrap_or(self.end.get());
        self.end.set(end);
        if let Some(followed) = self.copy.lock().get_mut(partition as usize) {
            followed.at = at;
            // Once it is readable it stays so: what it has is old at worst.
            if at >= end || followed.store.is_some() {
                followed.store = Some(shown(&self.copy.def, store.clone(), StreamTime::default()));
            }
        }
        if at >= end && self.first.replace(false) {
            self.copy.caught_up();
        }
    }

    fn pace(&self) -> &Pace {
        &self.copy.pace
    }
}
