//! Standbys: tasks of others whose changelogs are followed here, on a thread of its own, and what is here of tasks'
//! state at all. Whoever writes the stores of a task holds its [`Writer`]: its recovery and the task itself, or its
//! standby.

use super::TaskId;
use crate::commit::Metadata;
use crate::kafka::{At, KafkaError, Offset, Source, TopicPartition};
use crate::monitor::StandbyStatus;
use crate::table::changelog::{Pace, RecoveryError, Watch, follow};
use crate::table::expired_below;
use crate::table::store::Store;
use crate::worker::Worker;
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

/// How much of a task's changelogs somebody has, summed over its tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// The next offsets.
    pub(crate) at: Offset,
    /// The ends, where they are known: by who runs the task, restores it or follows it.
    pub(crate) end: Option<Offset>,
    /// It is a standby now.
    pub(crate) follows: bool,
}

impl Held {
    /// How many records are missing, as far as is known.
    pub(crate) fn lag(&self) -> Option<u64> {
        Some(u64::try_from(self.end?.saturating_sub(self.at)).unwrap_or(0))
    }
}

/// The right to write the stores of a task: one at a time has it.
pub(crate) type Writer = Arc<OwnedMutexGuard<()>>;

/// The standbys of a worker.
#[derive(Default)]
pub(crate) struct Standbys {
    wanted: watch::Sender<BTreeSet<TaskId>>,
    writers: Mutex<HashMap<TaskId, Arc<AsyncMutex<()>>>>,
    /// What is here of tables' partitions that are not open: followed, being recovered, or left from before.
    copies: Mutex<BTreeMap<(usize, u32), Held>>,
    /// Below which keys rows have expired in copies that have not removed them yet.
    expired: Mutex<BTreeMap<(usize, u32), Vec<u8>>>,
    /// Copies whose log was emptied while they followed it.
    void: Mutex<BTreeSet<(usize, u32)>>,
}

impl Standbys {
    /// Follows these tasks from now on, and no others. They do not run here.
    pub(crate) fn follow(&self, tasks: BTreeSet<TaskId>) {
        self.wanted.send_if_modified(|wanted| {
            let news = *wanted != tasks;
            *wanted = tasks;
            news
        });
    }

    /// The task comes to run here: ends its standby and gives the right to write its stores.
    pub(crate) async fn take(&self, task: TaskId) -> Writer {
        self.wanted.send_if_modified(|wanted| wanted.remove(&task));
        self.writer(task).await
    }

    async fn writer(&self, task: TaskId) -> Writer {
        let lock = {
            let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
            writers.entry(task).or_default().clone()
        };
        Arc::new(lock.lock_owned().await)
    }

    fn copies(&self) -> MutexGuard<'_, BTreeMap<(usize, u32), Held>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody reads a table's partition from its changelog and is here.
    pub(crate) fn reached(&self, table: usize, partition: u32, at: Offset, end: Option<Offset>) {
        let mut copies = self.copies();
        let copy = copies.entry((table, partition)).or_default();
        copy.at = at;
        copy.end = end.or(copy.end);
    }

    /// A store lies here that nobody writes.
    pub(crate) fn rests(&self, table: usize, partition: u32, at: Offset) {
        self.copies().insert((table, partition), Held { at, ..Held::default() });
    }

    /// How many records a standby lacks; `None` if it is not one, or does not know yet.
    pub(crate) fn lag(&self, worker: &Worker, task: TaskId) -> Option<u64> {
        let copies = self.copies();
        let tables = worker.topology.logged_tables(task.group);
        tables
            .iter()
            .map(|table| copies.get(&(*table, task.partition)).filter(|copy| copy.follows)?.lag())
            .sum()
    }

    /// What this worker has of tasks' state.
    pub(crate) fn held(&self, worker: &Worker) -> Vec<(usize, u32, Held)> {
        let mut all = self.copies().clone();
        for (of, store) in worker.open_stores() {
            if let Ok(Some(mark)) = store.mark() {
                let at = mark.changelog;
                all.insert(of, Held { at, end: Some(at), follows: false });
            }
        }
        let mut held = Vec::new();
        for number in 0..worker.topology.groups.len() {
            let tables = worker.topology.logged_tables(number);
            let mut tasks: BTreeMap<u32, Vec<&Held>> = BTreeMap::new();
            for ((table, partition), copy) in &all {
                if tables.contains(table) {
                    tasks.entry(*partition).or_default().push(copy);
                }
            }
            held.extend(tasks.into_iter().map(|(partition, copies)| {
                let follows = copies.iter().all(|copy| copy.follows);
                // The end that a recovery knew is out of date when that was given up.
                let runs = worker.has(TaskId { group: number, partition });
                let known = copies.len() == tables.len() && (follows || runs);
                let ends = copies.iter().map(|copy| copy.end).sum();
                let at = copies.iter().map(|copy| copy.at).sum();
                (number, partition, Held { at, end: if known { ends } else { None }, follows })
            }));
        }
        held
    }

    /// Looks at what lies in the stores before anything runs.
    pub(crate) fn find(&self, worker: &Worker) {
        for (index, table) in worker.topology.tables.iter().enumerate() {
            let owner = worker.topology.store_owner(table);
            for partition in worker.stores_of_worker.partitions(&table.name) {
                let store = worker.stores_of_worker.open(&table.name, partition);
                // What cannot be read is found out, and mended, by who needs it.
                if let Ok(Some(mark)) = store.and_then(|store| store.mark())
                    && mark.owner == owner
                {
                    self.rests(index, partition, mark.changelog);
                }
            }
        }
    }
}

/// From one look at the ends of changelogs to the next.
const LOOK: Duration = Duration::from_secs(1);
/// From one look at what has expired to the next, in looks.
const EXPIRY: u64 = 60;
/// From a failure to the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows what is wanted until the worker stops. Stores are written on this thread.
pub(crate) async fn run(worker: Worker) {
    let mut wanted = worker.standbys.wanted.subscribe();
    let pace = Rc::new(Pace::new(Some(worker.settings.standby_rate)));
    let _looking = Ended(spawn_local(worker.clone().watched("standbys", look(worker.clone()))));
    let mut following: BTreeMap<TaskId, Ended> = BTreeMap::new();
    loop {
        let now = wanted.borrow_and_update().clone();
        following.retain(|task, _| now.contains(task));
        for task in now {
            following.entry(task).or_insert_with(|| {
                let standby = standby(worker.clone(), task, pace.clone());
                Ended(spawn_local(worker.clone().watched("a standby", standby)))
            });
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = worker.stopping() => return,
        }
    }
}

/// Something that runs until this is dropped.
struct Ended(JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Follows one task; what fails is tried again.
async fn standby(worker: Worker, task: TaskId, pace: Rc<Pace>) {
    let _writer = worker.standbys.writer(task).await;
    tracing::debug!(%task, "following");
    let tables = worker.topology.logged_tables(task.group);
    loop {
        let all = tables.iter().map(|table| follow_table(&worker, *table, task.partition, &pace));
        let Err(error) = try_join_all(all).await else { return };
        match error {
            RecoveryError::Kafka(error @ KafkaError::OutOfRange { .. }) => {
                tracing::info!(%task, %error, "the standby has fallen behind its changelog and begins anew");
            }
            error => tracing::warn!(%task, %error, "the standby is interrupted; trying again"),
        }
        sleep(PAUSE).await;
    }
}

/// One table of a standby, while it is followed.
struct Following<'a> {
    worker: &'a Worker,
    table: usize,
    partition: u32,
    pace: &'a Pace,
}

impl Watch for Following<'_> {
    fn read(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError> {
        self.worker.broker.follow(of, from)
    }

    fn reached(&self, _: u32, _: &Arc<dyn Store>, at: Offset, end: Option<Offset>) {
        let mut copies = self.worker.standbys.copies();
        let copy = copies.entry((self.table, self.partition)).or_default();
        *copy = Held { at, end: end.or(copy.end), follows: true };
    }

    fn expired(&self) -> Option<Vec<u8>> {
        let expired = &self.worker.standbys.expired;
        expired.lock().unwrap_or_else(PoisonError::into_inner).remove(&(self.table, self.partition))
    }

    fn is_void(&self) -> bool {
        let void = &self.worker.standbys.void;
        void.lock().unwrap_or_else(PoisonError::into_inner).remove(&(self.table, self.partition))
    }

    fn pace(&self) -> &Pace {
        self.pace
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        if let Some(copy) = self.worker.standbys.copies().get_mut(&(self.table, self.partition)) {
            *copy = Held { at: copy.at, ..Held::default() };
        }
    }
}

async fn follow_table(
    worker: &Worker,
    table: usize,
    partition: u32,
    pace: &Pace,
) -> Result<(), RecoveryError> {
    let Some(declared) = worker.topology.tables.get(table) else { return Ok(()) };
    let of = TopicPartition::new(declared.changelog.clone(), partition);
    let owner = worker.topology.store_owner(declared);
    let watch = Following { worker, table, partition, pace };
    let stores = &*worker.stores_of_worker;
    follow(&*worker.broker, stores, &owner, &declared.name, &of, &watch)
        .await
        .map(|never| match never {})
}

/// Keeps up to date where changelogs end, and what others and people are told of it.
async fn look(worker: Worker) {
    let mut before = BTreeMap::new();
    for n in 1u64.. {
        sleep(LOOK).await;
        let places: BTreeMap<(usize, u32), Offset> = {
            let copies = worker.standbys.copies();
            let followed = copies.iter().filter(|(_, copy)| copy.follows);
            followed.map(|(of, copy)| (*of, copy.at)).collect()
        };
        let followed: Vec<(usize, u32)> = places.keys().copied().collect();
        let changelog = |(table, partition): &(usize, u32)| {
            let table = worker.topology.tables.get(*table)?;
            Some(TopicPartition::new(table.changelog.clone(), *partition))
        };
        let of: Vec<TopicPartition> = followed.iter().filter_map(changelog).collect();
        if !of.is_empty() {
            let starts = worker.broker.offsets(of.clone(), At::Start);
            match try_join(starts, worker.broker.offsets(of, At::End)).await {
                Ok((starts, ends)) => {
                    let gone = followed.iter().zip(starts).filter(|(of, start)| {
                        *start > 0 && before.get(*of).is_some_and(|at| at <= start)
                    });
                    let mut void =
                        worker.standbys.void.lock().unwrap_or_else(PoisonError::into_inner);
                    void.extend(gone.map(|(of, _)| *of));
                    drop(void);
                    let mut copies = worker.standbys.copies();
                    for (of, end) in followed.iter().zip(ends) {
                        if let Some(copy) = copies.get_mut(of).filter(|copy| copy.follows) {
                            copy.end = Some(end);
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "the lag of standbys is not up to date"),
            }
            if n.is_multiple_of(EXPIRY)
                && let Err(error) = find_expired(&worker, &followed).await
            {
                tracing::debug!(%error, "expired rows stay in copies until the next look");
            }
        }
        before = places;
        worker.monitor.standbys(statuses(&worker));
        worker.tell_held();
    }
}

/// Owners remove expired windows from their stores, not from the changelog; so do copies, by the stream time that is
/// committed with the owner's offsets: of all sources, which is never ahead of the table's own.
async fn find_expired(worker: &Worker, followed: &[(usize, u32)]) -> Result<(), KafkaError> {
    for (index, partition) in followed {
        let Some(table) = worker.topology.tables.get(*index) else { continue };
        if table.def.expires.is_none() {
            continue;
        }
        let group = table.group.and_then(|group| worker.topology.groups.get(group));
        let topics = group.map(|group| group.topics.as_slice()).unwrap_or_default().iter();
        let sources: Vec<TopicPartition> = topics
            .filter_map(|topic| worker.topology.topics.get(*topic))
            .map(|topic| TopicPartition::new(topic.name.clone(), *partition))
            .collect();
        // What is to be called with windows that have closed gets them first, wherever that will be.
        let agents = worker.topology.agents.iter();
        let closers = agents.filter(|agent| agent.closes == Some(table.def.name));
        let closers: Vec<&str> = closers.map(|agent| agent.name()).collect();
        let (mut times, mut closing) = (Vec::new(), i64::MAX);
        for (of, commit) in
            sources.iter().zip(worker.broker.committed(sources.clone(), false).await?)
        {
            let metadata = commit.map(|commit| Metadata::decode(of, &commit)).transpose()?;
            let metadata = metadata.flatten().unwrap_or_default();
            times.push(metadata.time);
            let closed =
                |name: &&str| metadata.closed.get(*name).map_or(i64::MIN, |(start, _)| *start);
            closing = closers.iter().map(closed).fold(closing, i64::min);
        }
        let time = times.into_iter().min().unwrap_or(0);
        if let Some(below) = expired_below(&table.def, time, closing) {
            let mut expired =
                worker.standbys.expired.lock().unwrap_or_else(PoisonError::into_inner);
            expired.insert((*index, *partition), below);
        }
    }
    Ok(())
}

fn statuses(worker: &Worker) -> Vec<StandbyStatus> {
    let copies = worker.standbys.copies();
    let followed = copies.iter().filter(|(_, copy)| copy.follows);
    followed
        .filter_map(|((table, partition), copy)| {
            Some(StandbyStatus {
                table: worker.topology.tables.get(*table)?.name.to_string(),
                partition: *partition,
                at: copy.at,
                end: copy.end.unwrap_or(copy.at),
                lag: copy.lag().unwrap_or(0),
            })
        })
        .collect()
}
