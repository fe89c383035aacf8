//! What outlives the workers, and workers that can be killed.

use super::LATER;
use super::app::{Sim, Total};
use crate::kafka::memory::{Cluster, Connection, Process};
use crate::prelude::*;
use crate::table::store::memory::{Disk, MemoryStores};
use crate::worker::{Place, Running, Worker, WorkerConfig};
use crate::{App, AppDef, ChangedOffsets, Guarantee, StartAt};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::sleep;

/// One run of the outside world: the cluster, and each worker's disk.
pub(super) struct World {
    pub(super) app: AppDef,
    pub(super) cluster: Cluster,
    pub(super) disks: Vec<Disk>,
    pub(super) guarantee: Guarantee,
    pub(super) offsets: Option<ChangedOffsets>,
    pub(super) standbys: usize,
    pub(super) start: StartAt,
}

/// A worker that can be killed.
pub(super) struct Member {
    pub(super) local: LocalSet,
    pub(super) process: Process,
    pub(super) starting: Option<JoinHandle<Running>>,
    pub(super) running: Option<Running>,
}

impl Member {
    /// Runs until everything is processed, or it dies; true if it lives.
    pub(super) async fn run(&mut self) -> bool {
        if !self.process.alive() {
            return false;
        }
        let (process, starting, running) = (&self.process, &mut self.starting, &mut self.running);
        let work = async {
            if let Some(starting) = starting.take() {
                *running = Some(starting.await.unwrap());
            }
            let running = running.as_ref().unwrap();
            tokio::select! {
                end = running.until_end() => end.unwrap(),
                error = running.failed() => panic!("the worker fails: {error}"),
                () = sleep(Duration::from_secs(600)) => {
                    let status = serde_json::to_string(&running.worker().monitor.snapshot().tasks);
                    panic!("the worker hangs after {:?}: {status:?}", process.steps());
                }
            }
        };
        self.local
            .run_until(async {
                tokio::select! {
                    () = work => true,
                    () = process.death() => false,
                }
            })
            .await
    }

    /// Runs for a while, or until it dies.
    pub(super) async fn run_for(&mut self, span: Duration) {
        let (process, starting, running) = (&self.process, &mut self.starting, &mut self.running);
        let work = async {
            if let Some(starting) = starting.take() {
                *running = Some(starting.await.unwrap());
            }
            sleep(span).await;
        };
        self.local
            .run_until(async {
                tokio::select! {
                    () = work => {}
                    () = process.death() => {}
                }
            })
            .await;
    }

    pub(super) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.local.run_until(running.stop(Duration::MAX)).await;
        }
    }

    /// The rows of a table with windows that are here, by the windows' starts.
    pub(super) fn windows(&self, table: &str) -> BTreeMap<(i64, String), u64> {
        let split = |key: Vec<u8>| {
            let (start, key) = key.split_first_chunk::<8>().unwrap();
            (i64::from_be_bytes(*start), String::from_utf8(key.to_vec()).unwrap())
        };
        self.stored(table).into_iter().map(|(key, n)| (split(key), n)).collect()
    }

    /// The rows of a table that are here.
    pub(super) fn rows(&self, table: &str) -> BTreeMap<String, u64> {
        let text = |key| String::from_utf8(key).unwrap();
        self.stored(table).into_iter().map(|(key, n)| (text(key), n)).collect()
    }

    fn stored(&self, table: &str) -> BTreeMap<Vec<u8>, u64> {
        let worker = self.running.as_ref().unwrap().worker();
        let mut rows = BTreeMap::new();
        for store in worker.stores_of(worker.topology.table_index(table).unwrap()) {
            let mut read = |key: &[u8], value: &[u8]| {
                let value: u64 = serde_json::from_slice(value).unwrap();
                assert!(rows.insert(key.to_vec(), value).is_none());
                true
            };
            store.scan(&[], &mut read).unwrap();
        }
        rows
    }
}

impl World {
    pub(super) fn new(guarantee: Guarantee, workers: usize) -> Self {
        Self {
            app: Sim::APP,
            cluster: Cluster::new(),
            disks: (0..workers).map(|_| Disk::default()).collect(),
            guarantee,
            offsets: None,
            standbys: 0,
            start: StartAt::Earliest,
        }
    }

    pub(super) fn feed(&self, lines: &[&str]) {
        self.cluster.create("lines", 2);
        let fed = self.cluster.records("lines").len();
        for (index, line) in (fed..).zip(lines) {
            let value = serde_json::json!({ "text": line }).to_string();
            let seconds = index as i64 * 20 + if index < LATER { 0 } else { 3_600 };
            let (value, time) = (Some(value.as_bytes()), Timestamp::from_millis(seconds * 1_000));
            self.cluster.append("lines", index as u32 % 2, None, value, Some(time));
        }
    }

    /// Starts worker `index`; it dies before its `step`-th step.
    pub(super) fn start(&self, index: usize, step: Option<u64>) -> Member {
        let process = step.map_or_else(Process::default, Process::dying_at);
        let gate = process.clone();
        let config = WorkerConfig {
            app: self.app,
            settings: Settings {
                guarantee: self.guarantee,
                offsets: self.offsets,
                standby_replicas: self.standbys,
                start: self.start,
                shards: 1,
                ..Settings::default()
            },
            broker: Arc::new(Connection::new(self.cluster.clone(), process.clone())),
            stores: Arc::new(MemoryStores::gated(
                self.disks[index].clone(),
                Arc::new(move |name| gate.may(name)),
            )),
            place: Place::Local,
            id: format!("w{index}"),
        };
        let local = LocalSet::new();
        let running = local.spawn_local(async move {
            let worker = Worker::open(config).await.unwrap();
            worker.announce(format!("http://w{index}"));
            Running::start(worker).unwrap()
        });
        Member { local, process, starting: Some(running), running: None }
    }

    /// The committed totals, by word; each must follow the one before.
    pub(super) fn totals(&self) -> BTreeMap<String, Vec<u64>> {
        let mut totals: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for seen in self.cluster.records("totals") {
            let total: Total = serde_json::from_slice(&seen.value.unwrap()).unwrap();
            totals.entry(total.word).or_default().push(total.n);
        }
        totals
    }
}
