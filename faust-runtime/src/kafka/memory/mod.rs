//! Kafka in memory: the port for tests and simulations. A [`Cluster`] outlives the workers that use it; each worker
//! has a [`Process`], which can be killed between any two steps it takes. Time is tokio's, so it can be paused.

mod faults;
mod group;
mod log;
mod process;
mod transactional;

#[cfg(test)]
pub(crate) use faults::Fault;
pub(crate) use process::Process;

use super::*;
use futures::future::FutureExt;
use group::Group;
use log::{Log, Record, TxnState};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The clock's start: 2023-11-14T22:13:20Z.
const EPOCH_MS: i64 = 1_700_000_000_000;
/// As large as librdkafka lets a record be.
const RECORD_LIMIT: usize = 1_000_000;

/// The brokers: what is left when every worker is gone.
#[derive(Clone)]
pub(crate) struct Cluster(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    started: Instant,
}

#[derive(Default)]
struct State {
    topics: BTreeMap<Arc<str>, Vec<Log>>,
    /// How often topics were deleted and made anew.
    made_anew: HashMap<Arc<str>, u32>,
    /// What topics were created with.
    settings: HashMap<Arc<str>, Vec<(String, String)>>,
    ids: Vec<Arc<str>>,
    txns: HashMap<u64, TxnState>,
    next_txn: u64,
    /// By transactional id: the epoch of the newest producer, and its open transaction.
    producers: HashMap<String, (u32, Option<u64>)>,
    committed: HashMap<TopicPartition, Committed>,
    pending: Vec<(u64, Commit)>,
    group: Group,
    faults: faults::Faults,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared { state: Mutex::new(State::default()), started: Instant::now() }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(EPOCH_MS + self.0.started.elapsed().as_millis() as i64)
    }

    /// Every committed record of a topic, as (partition, key, value, headers); what a reader would see.
    pub(crate) fn records(&self, topic: &str) -> Vec<log::Seen> {
        let state = self.lock();
        let logs = state.topics.get(topic).map(Vec::as_slice).unwrap_or_default();
        logs.iter().enumerate().flat_map(|(p, log)| log.committed(p as u32, &state.txns)).collect()
    }

    /// Appends a record from outside.
    pub(crate) fn append(
        &self,
        topic: &str,
        partition: u32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Option<Timestamp>,
    ) -> Option<Offset> {
        let now = self.now();
        let mut state = self.lock();
        let log = state.log(topic, partition)?;
        Some(log.append(Record::new(key, value, &[], timestamp.unwrap_or(now), None)))
    }

    /// The partition count of a topic.
    pub(crate) fn partitions(&self, topic: &str) -> Option<u32> {
        self.lock().topics.get(topic).map(|logs| logs.len() as u32)
    }

    pub(crate) fn create(&self, topic: &str, partitions: u32) {
        let mut state = self.lock();
        state
            .topics
            .entry(topic.into())
            .or_insert_with(|| (0..partitions).map(|_| Log::default()).collect());
    }

    /// Deletes a topic and makes one of the same name.
    #[cfg(test)]
    pub(crate) fn make_anew(&self, topic: &str) {
        let count = {
            let mut state = self.lock();
            *state.made_anew.entry(topic.into()).or_default() += 1;
            state.topics.remove(topic).map_or(0, |logs| logs.len())
        };
        self.create(topic, count as u32);
    }

    /// Removes a record as compaction does: its offset stays without one.
    #[cfg(test)]
    pub(crate) fn compact_away(&self, topic: &str, partition: u32, offset: Offset) {
        if let Some(log) = self.lock().log(topic, partition) {
            log.compact_away(offset);
        }
    }

    /// Gives a topic a setting.
    #[cfg(test)]
    pub(crate) fn set(&self, topic: &str, name: &str, value: &str) {
        let mut state = self.lock();
        state.settings.entry(topic.into()).or_default().push((name.into(), value.into()));
    }

    /// Commits from outside, as an operator's tool does.
    #[cfg(test)]
    pub(crate) fn commit_from_outside(&self, of: TopicPartition, committed: Option<Committed>) {
        let mut state = self.lock();
        match committed {
            Some(committed) => state.committed.insert(of, committed),
            None => state.committed.remove(&of),
        };
    }
}

impl State {
    fn log(&mut self, topic: &str, partition: u32) -> Option<&mut Log> {
        self.topics.get_mut(topic)?.get_mut(partition as usize)
    }

    fn append(
        &mut self,
        record: &Outgoing<'_>,
        now: Timestamp,
        txn: Option<u64>,
    ) -> Result<Offset, SendError> {
        let name = self.ids.get(record.topic.0 as usize).cloned().unwrap_or_default();
        let log = self.log(&name, record.partition).ok_or_else(|| {
            SendError::Refused(format!("no partition {name}/{}", record.partition))
        })?;
        let time = record.timestamp.unwrap_or(now);
        Ok(log.append(Record::new(record.key, record.value, record.headers, time, txn)))
    }

    /// Ends a transaction: markers in every partition that it touched, its offsets applied or dropped.
    fn end(&mut self, txn: u64, commit: bool) {
        self.txns.insert(txn, if commit { TxnState::Committed } else { TxnState::Aborted });
        for log in self.topics.values_mut().flatten() {
            log.end(txn);
        }
        for (id, pending) in std::mem::take(&mut self.pending) {
            if id != txn {
                self.pending.push((id, pending));
            } else if commit {
                let Commit { partition, offset, metadata } = pending;
                self.committed.insert(partition, Committed { offset, metadata });
            }
        }
    }
}

/// One worker's connection.
pub(crate) struct Connection {
    cluster: Cluster,
    process: Process,
}

impl Connection {
    pub(crate) fn new(cluster: Cluster, process: Process) -> Self {
        Self { cluster, process }
    }
}

impl Broker for Connection {
    fn address(&self) -> String {
        "memory".into()
    }

    fn now(&self) -> Timestamp {
        self.cluster.now()
    }

    fn topics(&self) -> BoxFuture<'_, Result<Vec<(Arc<str>, u32)>, KafkaError>> {
        async {
            self.process.step("topics").await;
            let state = self.cluster.lock();
            Ok(state.topics.iter().map(|(name, logs)| (name.clone(), logs.len() as u32)).collect())
        }
        .boxed()
    }

    fn create_topics(&self, topics: Vec<NewTopic>) -> BoxFuture<'_, Result<(), KafkaError>> {
        async {
            self.process.step("create topics").await;
            for topic in topics {
                self.cluster.create(&topic.name, topic.partitions);
                self.cluster.lock().settings.entry(topic.name).or_insert(topic.config);
            }
            Ok(())
        }
        .boxed()
    }

    fn topic_uuid(&self, topic: &str) -> BoxFuture<'_, Result<Option<String>, KafkaError>> {
        let topic = topic.to_string();
        async move {
            self.process.step("id of a topic").await;
            let times = self.cluster.lock().made_anew.get(&*topic).copied().unwrap_or(0);
            Ok(Some(format!("{topic}-{times}")))
        }
        .boxed()
    }

    fn topic_setting(
        &self,
        topic: &str,
        name: &'static str,
    ) -> BoxFuture<'_, Result<Option<String>, KafkaError>> {
        let topic = topic.to_string();
        async move {
            self.process.step("settings of a topic").await;
            let state = self.cluster.lock();
            let settings = state.settings.get(&*topic).map(Vec::as_slice).unwrap_or_default();
            let found = settings.iter().find(|(known, _)| known == name);
            Ok(found.map(|(_, value)| value.clone()))
        }
        .boxed()
    }

    fn offsets(
        &self,
        of: Vec<TopicPartition>,
        at: At,
    ) -> BoxFuture<'_, Result<Vec<Offset>, KafkaError>> {
        async move {
            self.process.step("offsets").await;
            let mut state = self.cluster.lock();
            of.iter()
                .map(|tp| match state.log(&tp.topic, tp.partition) {
                    Some(log) => Ok(log.offset(at)),
                    None => Err(KafkaError::failed(tp, "no such partition")),
                })
                .collect()
        }
        .boxed()
    }

    fn committed(
        &self,
        of: Vec<TopicPartition>,
        stable: bool,
    ) -> BoxFuture<'_, Result<Vec<Option<Committed>>, KafkaError>> {
        async move {
            self.process.step("committed").await;
            let mut state = self.cluster.lock();
            if let Some(error) = state.faults.take("committed offsets") {
                return Err(error.of_a_call("committed offsets"));
            }
            if stable && state.pending.iter().any(|(_, commit)| of.contains(&commit.partition)) {
                return Err(KafkaError::Unstable { group: "memory".into() });
            }
            Ok(of.iter().map(|tp| state.committed.get(tp).cloned()).collect())
        }
        .boxed()
    }

    fn delete_records(
        &self,
        before: Vec<(TopicPartition, Offset)>,
    ) -> BoxFuture<'_, Result<(), KafkaError>> {
        async move {
            self.process.step("delete records").await;
            let mut state = self.cluster.lock();
            for (tp, offset) in before {
                if let Some(log) = state.log(&tp.topic, tp.partition) {
                    log.delete_before(offset);
                }
            }
            Ok(())
        }
        .boxed()
    }

    fn join(&self, config: MemberConfig) -> Result<Box<dyn Member>, KafkaError> {
        Ok(Box::new(group::Membership::join(self.cluster.clone(), self.process.clone(), config)))
    }

    fn source(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError> {
        Ok(Box::new(log::Reader::new(self.cluster.clone(), self.process.clone(), of.clone(), from)))
    }

    fn restore(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError> {
        self.source(of, from)
    }

    fn follow(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError> {
        self.source(of, from)
    }

    fn record_limit(&self) -> usize {
        RECORD_LIMIT
    }

    fn copy(&self, of: &TopicPartition, from: Offset) -> Result<Box<dyn Source>, KafkaError> {
        self.source(of, from)
    }

    fn topic_id(&self, name: &str) -> TopicId {
        let mut state = self.cluster.lock();
        let index = state.ids.iter().position(|known| **known == *name).unwrap_or_else(|| {
            state.ids.push(name.into());
            state.ids.len() - 1
        });
        TopicId(index as u32)
    }

    fn producer(&self) -> Result<Box<dyn Producer>, KafkaError> {
        Ok(Box::new(Plain { cluster: self.cluster.clone(), process: self.process.clone() }))
    }

    fn transactional(&self, id: &str) -> BoxFuture<'_, Result<Box<dyn Transactional>, KafkaError>> {
        let id = id.to_string();
        async move {
            self.process.step("init transactions").await;
            if let Some(error) = self.cluster.lock().faults.take("init transactions") {
                return Err(error.of_a_call("init transactions"));
            }
            Ok(Box::new(transactional::Txn::init(self.cluster.clone(), self.process.clone(), id))
                as _)
        }
        .boxed()
    }
}

/// A producer whose records are there at once.
struct Plain {
    cluster: Cluster,
    process: Process,
}

impl Producer for Plain {
    fn send_all<'a>(
        &mut self,
        records: &mut dyn Iterator<Item = Outgoing<'a>>,
    ) -> Result<(), (usize, SendError)> {
        if !self.process.alive() {
            return Ok(());
        }
        let now = self.cluster.now();
        let mut state = self.cluster.lock();
        for (taken, record) in records.enumerate() {
            state.append(&record, now, None).map_err(|error| (taken, error))?;
        }
        Ok(())
    }

    fn room(&mut self) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }

    fn settle(&mut self) -> BoxFuture<'static, Result<(), KafkaError>> {
        let process = self.process.clone();
        async move {
            process.step("deliveries").await;
            Ok(())
        }
        .boxed()
    }

    fn deliver(
        &mut self,
        record: &Outgoing<'_>,
    ) -> Result<BoxFuture<'static, Result<Option<Offset>, KafkaError>>, SendError> {
        if !self.process.alive() {
            return Ok(std::future::pending().boxed());
        }
        let offset = self.cluster.lock().append(record, self.cluster.now(), None)?;
        Ok(std::future::ready(Ok(Some(offset))).boxed())
    }
}
