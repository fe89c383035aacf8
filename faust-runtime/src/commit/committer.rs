//! Makes each cut one transaction, then one batch in each store. It lives on a thread of its own, because
//! transactions and store batches block; the shard fills the next cut meanwhile.

use super::cut::{Cut, TableCut, TaskCut};
use super::progress::Metadata;
use crate::kafka::{
    Broker, Committed, KafkaError, Offset, Outgoing, SendError, TopicPartition, Transactional,
    TxnError,
};
use crate::partition::TaskId;
use crate::table::store::{StoreBatch, StoreError};
use crate::time::Timestamp;
use futures::future::BoxFuture;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::sleep;

/// Which tasks this worker owns, with their epochs: what is not in here any more is not sent again.
#[derive(Clone, Default)]
pub(crate) struct Owned(Arc<Mutex<HashMap<TaskId, u32>>>);

impl Owned {
    pub(crate) fn insert(&self, task: TaskId, epoch: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(task, epoch);
    }

    pub(crate) fn remove(&self, task: TaskId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&task);
    }

    /// Removes a task; false where it has gone, or come back, meanwhile.
    fn lose(&self, task: TaskId, epoch: u32) -> bool {
        let mut owned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = owned.get(&task) == Some(&epoch);
        if lost {
            owned.remove(&task);
        }
        lost
    }

    fn holds(&self, task: TaskId, epoch: u32) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&task) == Some(&epoch)
    }
}

/// What a committer gives up on: the worker stops, and the next one recovers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CommitError {
    /// It cannot be committed, now or later: the cause says why.
    #[error("a cut cannot be committed: {0}")]
    Refused(String),
    /// Outputs were not delivered; the events that sent them are not committed and run again.
    #[error("outputs were not delivered: {0}")]
    Outputs(KafkaError),
    /// The disk: what was committed is in the changelog.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a cut.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Tasks whose part is committed and in their stores.
    pub(crate) committed: Vec<TaskId>,
    /// Changelog positions that the stores have reached, by task and table.
    pub(crate) reached: Vec<(TaskId, usize, Offset)>,
    /// Tasks that another worker has had since: nothing of them was committed, nor will be.
    pub(crate) lost: Vec<TaskId>,
    /// How often it was aborted and sent again.
    pub(crate) aborted: u32,
}

/// One shard's committer.
pub(crate) struct Committer {
    broker: Arc<dyn Broker>,
    id: String,
    producer: Box<dyn Transactional>,
    /// No other producer had to be made.
    is_first: bool,
    /// The tasks, with their epochs, of which is known whose they are since another one was made.
    known: HashSet<(TaskId, u32)>,
    owned: Owned,
}

/// From the first try to the next; doubled up to [`LONGEST`].
const BACKOFF: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

impl Committer {
    /// Opens the transactional producer `id`; what an earlier one left open is aborted.
    pub(crate) async fn open(
        broker: Arc<dyn Broker>,
        id: String,
        owned: Owned,
    ) -> Result<Self, CommitError> {
        let producer = initialised(&*broker, &id).await?;
        Ok(Self { broker, id, producer, is_first: true, known: HashSet::new(), owned })
    }

    /// Commits a cut. It is sent again until it is in or nothing of it is owned any more.
    pub(crate) async fn commit(&mut self, mut cut: Cut) -> Result<Outcome, CommitError> {
        let mut outcome = Outcome::default();
        let mut backoff = BACKOFF;
        if let Some(deliveries) = cut.deliveries.take() {
            deliveries.await.map_err(CommitError::Outputs)?;
        }
        loop {
            cut.tasks.retain(|task| self.owned.holds(task.task, task.epoch));
            if !self.is_first && !cut.tasks.is_empty() {
                self.look_up(&mut cut, &mut outcome).await?;
            }
            if cut.tasks.is_empty() {
                return Ok(outcome);
            }
            let error = match self.attempt(&cut).await {
                Ok(highest) => {
                    self.store(&cut, &highest, &mut outcome)?;
                    return Ok(outcome);
                }
                Err(Attempt::Refused(cause)) | Err(Attempt::Failed(TxnError::Lasting(cause))) => {
                    return Err(CommitError::Refused(cause));
                }
                Err(Attempt::Failed(TxnError::TooLarge(cause))) => {
                    return Err(CommitError::Refused(format!("{cause}{}", largest(&cut))));
                }
                Err(Attempt::Failed(error)) => error,
            };
            outcome.aborted += 1;
            tracing::warn!(%error, id = self.id, "a transaction failed; what is still owned is sent again");
            let aborted = match &error {
                TxnError::Abortable(_) => self.producer.abort().await,
                TxnError::Unknown(_) | TxnError::Lasting(_) | TxnError::TooLarge(_) => Err(error),
            };
            if aborted.is_err() {
                // It ends the open transaction one way or the other.
                self.producer = initialised(&*self.broker, &self.id).await?;
                self.is_first = false;
                self.known.clear();
            }
            sleep(backoff).await;
            backoff = LONGEST.min(backoff * 2);
        }
    }

    async fn attempt(&mut self, cut: &Cut) -> Result<Vec<Option<Offset>>, Attempt> {
        let tables = || cut.tasks.iter().flat_map(|task| &task.tables);
        self.producer.begin(tables().count() as u32).map_err(Attempt::Failed)?;
        // First what somebody waits for.
        for task in &cut.tasks {
            self.send(|| task.outputs.records(), None).await?;
        }
        for (slot, table) in tables().enumerate() {
            let Some(changelog) = table.changelog else { continue };
            self.send(|| table.records(changelog), Some(slot as u32)).await?;
        }
        let offsets: Vec<_> = cut.tasks.iter().flat_map(|task| task.offsets.clone()).collect();
        self.producer.commit(&offsets).await.map_err(Attempt::Failed)
    }

    /// Sends records, waiting for room.
    async fn send<'a, I: Iterator<Item = Outgoing<'a>>>(
        &mut self,
        records: impl Fn() -> I,
        slot: Option<u32>,
    ) -> Result<(), Attempt> {
        let mut sent = 0;
        while let Err((taken, error)) = self.producer.send_all(&mut records().skip(sent), slot) {
            sent += taken;
            self.wait_for_room(error).await?;
        }
        Ok(())
    }

    async fn wait_for_room(&mut self, error: SendError) -> Result<(), Attempt> {
        match error {
            SendError::Full => {
                self.producer.room().await;
                Ok(())
            }
            SendError::Refused(cause) => Err(Attempt::Refused(cause)),
            SendError::Failed(error) => Err(Attempt::Failed(error)),
        }
    }

    /// Looks up which tasks of a cut are in already, and which are another worker's: who takes a task over fences its
    /// last owner before its own first commit. So that is to be asked once for each task after a new producer had to be
    /// made, whether the group has said something or not.
    async fn look_up(&mut self, cut: &mut Cut, outcome: &mut Outcome) -> Result<(), CommitError> {
        let unknown = |task: &TaskCut| !self.known.contains(&(task.task, task.epoch));
        let (unknown, mut open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut cut.tasks).into_iter().partition(unknown);
        let of: Vec<TopicPartition> = unknown
            .iter()
            .filter_map(|task| Some(task.offsets.first()?.partition.clone()))
            .collect();
        let committed = stable_committed(&*self.broker, of.clone()).await?;
        let mut last = of.iter().zip(&committed).map(|(of, commit)| {
            let commit = commit.as_ref()?;
            Metadata::decode(of, commit).ok().flatten()
        });
        let mut is_in = Cut::default();
        for task in unknown {
            self.known.insert((task.task, task.epoch));
            match last.next().flatten() {
                Some(last) if last.epoch > task.epoch => {
                    tracing::warn!(task = %task.task, by = last.by, "another worker has had this task since");
                    if self.owned.lose(task.task, task.epoch) {
                        outcome.lost.push(task.task);
                    }
                }
                Some(last)
                    if last.by == self.id
                        && (last.epoch, last.cut) >= (task.epoch, task.number) =>
                {
                    is_in.tasks.push(task);
                }
                _ => open.push(task),
            }
        }
        cut.tasks = open;
        self.store(&is_in, &[], outcome)
    }

    /// Brings the stores up to a cut that is committed.
    fn store(
        &self,
        cut: &Cut,
        highest: &[Option<Offset>],
        outcome: &mut Outcome,
    ) -> Result<(), CommitError> {
        let mut highest = highest.iter();
        for task in &cut.tasks {
            let sources: Vec<_> = task
                .offsets
                .iter()
                .map(|c| (c.partition.to_string(), c.offset, c.metadata.clone()))
                .collect();
            for table in &task.tables {
                let highest = highest.next().copied().flatten();
                let reached = write(table, highest, &sources, self.broker.now())?;
                outcome.reached.push((task.task, table.table, reached));
            }
            outcome.committed.push(task.task);
        }
        Ok(())
    }
}

/// One store batch. Where the log's offset is unknown the mark keeps the previous one: rows ahead of it are harmless,
/// because changelog records are whole values.
fn write(
    table: &TableCut,
    highest: Option<Offset>,
    sources: &[(String, Offset, String)],
    now: Timestamp,
) -> Result<Offset, StoreError> {
    let mut mark = table.store.mark()?.unwrap_or_else(|| table.mark.clone());
    if let Some(highest) = highest {
        mark.changelog = mark.changelog.max(highest + 1);
    }
    mark.sources = sources.to_vec();
    mark.at = now.as_millis();
    if !table.is_empty() {
        let rows = table
            .rows
            .iter()
            .map(|row| (table.slice(&row.key), row.value.as_ref().map(|value| table.slice(value))));
        let batch = StoreBatch {
            rows: rows.collect(),
            added: table.added,
            remove_below: table.remove_below.as_deref(),
        };
        table.store.write(&batch, &mark)?;
    }
    Ok(mark.changelog)
}

/// The largest row of a cut, for the message that says that it is too large.
fn largest(cut: &Cut) -> String {
    let rows = cut.tasks.iter().flat_map(|task| &task.tables).flat_map(|table| {
        table.rows.iter().map(move |row| {
            let value = row.value.as_ref().map_or(0, |value| value.len());
            (row.key.len() + value, table, row)
        })
    });
    rows.max_by_key(|(bytes, ..)| *bytes).map_or_else(String::new, |(bytes, table, row)| {
        format!(
            "; the largest row is of table `{}`, key {}, {bytes} bytes: keep less in one row, or raise `max.message.bytes` \
             of its changelog",
            table.name,
            String::from_utf8_lossy(table.slice(&row.key))
        )
    })
}

enum Attempt {
    Refused(String),
    Failed(TxnError),
}

async fn initialised(broker: &dyn Broker, id: &str) -> Result<Box<dyn Transactional>, CommitError> {
    persist(
        || broker.transactional(id),
        |error| {
            tracing::warn!(%error, id, "no transactional producer yet; trying again");
        },
    )
    .await
}

/// The group's committed offsets, waited for until no transaction has any pending.
async fn stable_committed(
    broker: &dyn Broker,
    of: Vec<TopicPartition>,
) -> Result<Vec<Option<Committed>>, CommitError> {
    persist(
        || broker.committed(of.clone(), true),
        |error| match error {
            KafkaError::Unstable { .. } => {
                tracing::debug!(%error, "the committed offsets are not known yet");
            }
            error => {
                tracing::warn!(%error, "the committed offsets are not known yet; trying again")
            }
        },
    )
    .await
}

/// Asks until there is an answer, or one that will always be the same.
async fn persist<'a, T>(
    ask: impl Fn() -> BoxFuture<'a, Result<T, KafkaError>>,
    say: impl Fn(&KafkaError),
) -> Result<T, CommitError> {
    let mut backoff = BACKOFF;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error @ KafkaError::Refused { .. }) => {
                return Err(CommitError::Refused(error.to_string()));
            }
            Err(error) => say(&error),
        }
        sleep(backoff).await;
        backoff = LONGEST.min(backoff * 2);
    }
}
