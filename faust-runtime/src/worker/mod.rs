//! The process: what everything in it shares, how it starts, and how it stops.

mod copies;
#[cfg(feature = "dev-broker")]
pub(crate) mod dev_broker;
mod outage;
mod place;
mod run;
pub(crate) mod slot;
mod topics;

pub(crate) use place::Place;
pub(crate) use run::Running;
use topics::Counts;
pub(crate) use topics::TopicsError;

use crate::app::topology::{Topology, TopologyError};
use crate::app::{AppDef, Settings};
use crate::consumer::{Assignment, Plan};
use crate::kafka::{Broker, KafkaError, Producer, TopicId, partition_for};
use crate::monitor::Monitor;
use crate::partition::{Standbys, TaskId};
use crate::rpc::Replies;
use crate::table::changelog::Pace;
use crate::table::store::{Feed, Store, StoreError, Stores};
use futures::FutureExt;
use futures::future::try_join_all;
use std::any::{Any, TypeId};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore, watch};
use tokio::time::{Instant, sleep};

/// A worker: what pages, timers and tasks are bound to. Cheap to clone.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

/// What a [`Worker`] shares.
pub struct Inner {
    pub(crate) settings: Arc<Settings>,
    pub(crate) topology: Topology,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) monitor: Monitor,
    pub(crate) place: Place,
    pub(crate) replies: Replies,
    pub(crate) stores_of_worker: Arc<dyn Stores>,
    /// What it is known by for as long as its slot of the data folder exists.
    pub(crate) id: String,
    assignment: Arc<Assignment>,
    pub(crate) standbys: Standbys,
    /// The stores of the tables' partitions that are here, by table and partition; absent while they recover.
    stores: RwLock<HashMap<(usize, u32), Arc<dyn Store>>>,
    /// Where the tasks of others are, by group and partition.
    owners: RwLock<HashMap<(usize, u32), String>>,
    live: RwLock<HashSet<String>>,
    /// Transactional ids of members that are gone, and may have left a transaction open.
    departed: Mutex<BTreeSet<String>>,
    /// Those that need not be ended again: each costs a client and some answers of a broker, and all tasks ask for it.
    ended: Mutex<HashMap<String, Arc<OnceCell<()>>>>,
    /// Each recovery has a thread, and its writes one disk.
    pub(crate) recoveries: Semaphore,
    /// How fast all of them together may read.
    pub(crate) restore_pace: Pace,
    /// The tasks that are here.
    tasks: RwLock<BTreeSet<TaskId>>,
    partitions: HashMap<TopicId, u32>,
    copies: copies::Copies,
    /// What changes in each table, by its index.
    feeds: Vec<Feed>,
    producer: Mutex<Box<dyn Producer>>,
    resources: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    failure: watch::Sender<Option<String>>,
    stopping: watch::Sender<bool>,
    joined: watch::Sender<bool>,
    /// How many partition tasks have been recovered.
    recovered: watch::Sender<u64>,
}

/// What a worker is made of.
pub(crate) struct WorkerConfig {
    pub(crate) app: AppDef,
    pub(crate) settings: Settings,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) stores: Arc<dyn Stores>,
    pub(crate) place: Place,
    /// Stays the same when the worker comes back: the group's instance id and the transactional ids are made of it.
    pub(crate) id: String,
}

/// How many tables' partitions may recover at once.
const RECOVERIES: usize = 8;

/// Why a worker does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum WorkerError {
    /// The manifest; all its mistakes.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Topology(Vec<TopologyError>),
    /// The topics that are there do not fit.
    #[error(transparent)]
    Topics(#[from] TopicsError),
    /// The broker.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where the rows of a partition are.
pub(crate) enum Home {
    /// On this worker.
    Here(Arc<dyn Store>),
    /// On another, at this endpoint.
    At(String),
    /// Nowhere at the moment.
    Moving,
}

impl std::ops::Deref for Worker {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Worker {
    /// Reaches the broker and prepares the topics. It processes nothing yet: see [`Running::start`].
    pub(crate) async fn open(config: WorkerConfig) -> Result<Self, WorkerError> {
        let WorkerConfig { app, settings, broker, stores, place, id } = config;
        let topology = Topology::new(&app, &settings).map_err(WorkerError::Topology)?;
        let replies = Replies::new(&id);
        let existing = reach(&*broker, &settings).await?;
        let counts = topics::prepare(&*broker, &topology, &settings, existing).await?;
        let partitions =
            counts.iter().map(|(name, count)| (broker.topic_id(name), *count)).collect();
        let producer = Mutex::new(broker.producer()?);
        let copies = copies::of(&topology, &counts);
        let feeds = topology.tables.iter().map(|_| Feed::default()).collect();
        Ok(Self(Arc::new(Inner {
            monitor: Monitor::new(&topology),
            assignment: Arc::new(Assignment::new(&topology, &settings)),
            standbys: Standbys::default(),
            topology,
            broker,
            place,
            replies,
            stores_of_worker: stores,
            id,
            stores: RwLock::default(),
            owners: RwLock::default(),
            live: RwLock::default(),
            departed: Mutex::default(),
            ended: Mutex::default(),
            recoveries: Semaphore::new(RECOVERIES),
            restore_pace: Pace::new(settings.restore_rate),
            settings: Arc::new(settings),
            tasks: RwLock::default(),
            partitions,
            copies,
            feeds,
            producer,
            resources: Mutex::default(),
            failure: watch::Sender::new(None),
            stopping: watch::Sender::new(false),
            joined: watch::Sender::new(false),
            recovered: watch::Sender::new(0),
        })))
    }

    /// The worker must stop: what it has committed is safe, and the next one goes on from there.
    pub(crate) fn fail(&self, error: String) {
        tracing::error!(error, "the worker fails");
        self.failure.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(error);
            first
        });
    }

    /// Runs a part of the engine; a panic in it is a defect of ours, and the worker fails rather than to go on without.
    pub(crate) async fn watched(self, what: impl fmt::Display, part: impl Future<Output = ()>) {
        if AssertUnwindSafe(part).catch_unwind().await.is_err() {
            self.fail(format!("{what} panicked, which is a defect of faust: see the output above"));
        }
    }

    /// Starts a part of the engine at its place, watched.
    fn spawn<F, Fut>(&self, name: &str, make: F)
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let (worker, what) = (self.clone(), name.to_string());
        self.place.spawn(name, move || worker.watched(what, make()));
    }

    /// Completes with the error that the worker fails with.
    pub(crate) async fn failed(&self) -> String {
        let mut failure = self.failure.subscribe();
        let error = failure.wait_for(Option::is_some).await;
        error.ok().and_then(|error| error.clone()).unwrap_or_default()
    }

    /// Completes when the worker begins to stop.
    pub(crate) async fn stopping(&self) {
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// The group has answered: these tasks are here.
    pub(crate) fn assigned(&self, tasks: BTreeSet<TaskId>) {
        *self.tasks.write().unwrap_or_else(PoisonError::into_inner) = tasks;
        self.joined.send_replace(true);
    }

    /// One more partition task has its tables, and runs.
    pub(crate) fn recovered(&self) {
        self.recovered.send_modify(|n| *n += 1);
    }

    /// Whether this worker has partition 0 of the first group: one worker of the app does.
    pub(crate) fn is_leader(&self) -> bool {
        self.has(TaskId { group: 0, partition: 0 })
    }

    /// Whether a task is here, or starts here.
    pub(crate) fn has(&self, task: TaskId) -> bool {
        self.tasks.read().unwrap_or_else(PoisonError::into_inner).contains(&task)
    }

    /// Takes over where the tasks of others are, and who is alive.
    pub(crate) fn learn(&self, plan: Plan) {
        let live = plan.live();
        {
            let mut known = self.live.write().unwrap_or_else(PoisonError::into_inner);
            let mut departed = self.departed.lock().unwrap_or_else(PoisonError::into_inner);
            departed.extend(known.difference(&live).cloned());
            departed.retain(|id| !live.contains(id));
            self.ended().retain(|id, _| !live.contains(id));
            *known = live;
        }
        let owners = plan.owners.into_iter().map(|(group, partition, at)| ((group, partition), at));
        *self.owners.write().unwrap_or_else(PoisonError::into_inner) = owners.collect();
    }

    /// Whether a transactional id belongs to a member of the group, or to a shard of this worker.
    pub(crate) fn is_live(&self, id: &str) -> bool {
        self.live.read().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Ends the transactions that members who are gone have left open.
    pub(crate) async fn end_departed(&self) -> Result<(), KafkaError> {
        let departed = {
            let departed = self.departed.lock().unwrap_or_else(PoisonError::into_inner);
            departed.clone()
        };
        let all = departed.iter().map(|id| self.end_transaction(id));
        try_join_all(all).await?;
        let mut left = self.departed.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|id| !departed.contains(id));
        Ok(())
    }

    /// Ends the transaction of an id that nobody uses any more: once, whoever asks.
    pub(crate) async fn end_transaction(&self, id: &str) -> Result<(), KafkaError> {
        let once = self.ended().entry(id.to_string()).or_default().clone();
        let end = async || {
            tracing::info!(id, "ending what a worker that is gone has left open");
            self.broker.transactional(id).await.map(drop)
        };
        once.get_or_try_init(end).await.map(|_| ())
    }

    /// A transaction is open still: whoever is gone was not quite gone when it was ended.
    pub(crate) fn end_again(&self) {
        self.ended().clear();
    }

    fn ended(&self) -> MutexGuard<'_, HashMap<String, Arc<OnceCell<()>>>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where other workers reach this one; told to the group at the next join.
    pub(crate) fn announce(&self, endpoint: String) {
        let ids =
            (0..self.settings.shards.max(1)).map(|shard| self.transactional_id(shard)).collect();
        let rack = self.settings.rack.clone().unwrap_or_default();
        self.assignment.announce(|to| (to.endpoint, to.ids, to.rack) = (endpoint, ids, rack));
    }

    /// What this worker has of tasks' state; told to the group at the next join.
    pub(crate) fn tell_held(&self) {
        let held = self.standbys.held(self);
        self.assignment.announce(|to| to.held = held);
    }

    fn transactional_id(&self, shard: usize) -> String {
        format!("{}-{}-{shard}", self.topology.group, self.id)
    }

    /// Whether a transactional id is one of this worker's.
    pub(crate) fn is_own(&self, id: &str) -> bool {
        let own = self.transactional_id(0);
        id.trim_end_matches(|c: char| c.is_ascii_digit()) == own.trim_end_matches('0')
    }

    /// The name here of a topic that is declared under this one.
    pub(crate) fn topic_name(&self, declared: &str) -> Arc<str> {
        match self.topology.topic_index(declared).and_then(|index| self.topology.topics.get(index))
        {
            Some(topic) => topic.name.clone(),
            None => self.settings.topic_name(declared).into(),
        }
    }

    /// How many partitions a topic had when the worker started.
    pub(crate) fn partitions_of(&self, topic: TopicId) -> Option<u32> {
        self.partitions.get(&topic).copied()
    }

    /// How many partitions the topics of a group have.
    pub(crate) fn partitions_of_group(&self, group: usize) -> u32 {
        let topic = self.topology.groups.get(group).and_then(|group| group.topics.first());
        let topic = topic.and_then(|topic| self.topology.topics.get(*topic));
        topic.and_then(|topic| self.partitions_of(self.broker.topic_id(&topic.name))).unwrap_or(1)
    }

    /// The dead-letter topic.
    pub(crate) fn dead_letters(&self) -> TopicId {
        self.broker.topic_id(&self.topology.dead_letters())
    }

    /// The plain producer, for what is sent outside of events; for one short call.
    pub(crate) fn outside(&self) -> MutexGuard<'_, Box<dyn Producer>> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the plain producer may have room.
    pub(crate) async fn room(&self) {
        let room = self.outside().room();
        room.await;
    }

    /// A table's partition can be read from now on.
    pub(crate) fn open_store(&self, table: usize, task: TaskId, store: Arc<dyn Store>) {
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        stores.insert((table, task.partition), store);
    }

    /// What changes in a table.
    pub(crate) fn feed(&self, table: usize) -> Feed {
        self.feeds.get(table).cloned().unwrap_or_default()
    }

    /// The partitions of a task's tables are here no more.
    pub(crate) fn close_stores(&self, task: TaskId) {
        let tables = self.topology.groups.get(task.group).map(|group| group.tables.as_slice());
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        for table in tables.unwrap_or_default() {
            let store = stores.remove(&(*table, task.partition));
            // What cannot be read is found out by who opens it next.
            if let Some(Ok(Some(mark))) = store.map(|store| store.mark()) {
                self.standbys.rests(*table, task.partition, mark.changelog);
            }
        }
    }

    /// The tables' partitions that run here, by table and partition.
    pub(crate) fn open_stores(&self) -> Vec<((usize, u32), Arc<dyn Store>)> {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        stores.iter().map(|(of, store)| (*of, store.clone())).collect()
    }

    /// The partitions of a table that are here, in their order.
    pub(crate) fn stores_of(&self, table: usize) -> Vec<Arc<dyn Store>> {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = stores.iter().filter(|((of, _), _)| *of == table).collect();
        found.sort_by_key(|((_, partition), _)| *partition);
        found.into_iter().map(|(_, store)| store.clone()).collect()
    }

    /// Where the other workers are that own partitions of a group.
    pub(crate) fn others(&self, group: Option<usize>) -> BTreeSet<String> {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        let own = self.assignment.own_endpoint();
        let of_group = owners.iter().filter(|((of, _), _)| Some(*of) == group);
        of_group.map(|(_, at)| at.clone()).filter(|at| *at != own && !at.is_empty()).collect()
    }

    /// Where the rows of a table are that have this partition key.
    pub(crate) fn home(&self, table: usize, partition_key: &[u8]) -> Home {
        let Some(group) = self.topology.tables.get(table).and_then(|table| table.group) else {
            return Home::Moving;
        };
        let partition = partition_for(partition_key, self.partitions_of_group(group));
        let here = {
            let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner);
            stores.get(&(table, partition)).cloned()
        };
        if let Some(store) = here {
            return Home::Here(store);
        }
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        let own = self.assignment.own_endpoint();
        match owners.get(&(group, partition)) {
            Some(endpoint) if *endpoint != own && !endpoint.is_empty() => {
                Home::At(endpoint.clone())
            }
            _ => Home::Moving,
        }
    }

    /// The user's own resource of this type, made on first use.
    pub(crate) fn resource<S: Default + Send + Sync + 'static>(&self) -> Arc<S> {
        let mut resources = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
        let resource = resources.entry(TypeId::of::<S>()).or_insert_with(|| Arc::new(S::default()));
        resource.clone().downcast().unwrap_or_default()
    }
}

/// Waits for the broker, at most for the setting `broker_timeout`; its topics.
async fn reach(broker: &dyn Broker, settings: &Settings) -> Result<Counts, KafkaError> {
    let deadline = Instant::now() + settings.broker_timeout;
    let mut backoff = Duration::from_millis(100);
    let mut said = false;
    loop {
        let error = match broker.topics().await {
            Ok(topics) => return Ok(topics.into_iter().collect()),
            Err(error @ KafkaError::Refused { .. }) => return Err(error),
            Err(error) if Instant::now() + backoff >= deadline => return Err(error),
            Err(error) => error,
        };
        if !std::mem::replace(&mut said, true) {
            let patience = settings.broker_timeout.as_secs();
            tracing::warn!("{error}; trying again for {patience} s");
        }
        sleep(backoff).await;
        backoff = (backoff * 2).min(Duration::from_secs(5));
    }
}
