//! Kills between any two steps: of a cut, of a hand-over, of recovery. After each the tables must be what a
//! sequential run gives, and under exactly-once the outputs as well.

use crate::kafka::memory::{Cluster, Connection, Process};
use crate::prelude::*;
use crate::table::store::memory::{Disk, MemoryStores};
use crate::worker::{Place, Running, Worker, WorkerConfig};
use crate::{App, Guarantee};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::LocalSet;

#[topic("lines", partitions = 2, crate = crate)]
struct Line {
    text: String,
}

#[topic("words", key = word, partitions = 2, crate = crate)]
struct Word {
    word: String,
}

#[topic("totals", key = word, partitions = 2, crate = crate)]
struct Total {
    word: String,
    n: u64,
}

#[table("counts", crate = crate)]
struct Count {
    key: String,
    value: u64,
}

#[table("lengths", crate = crate)]
struct Length {
    key: String,
    value: u64,
}

#[table("trend", window = tumbling(1min), expires = 1h, crate = crate)]
struct Trend {
    key: String,
    value: u64,
}

#[agent(crate = crate)]
async fn split(line: Event<Line>, words: Sink<Word>) -> Result<()> {
    for word in line.text.split_whitespace() {
        words.send(Word { word: word.into() }).await?;
    }
    Ok(())
}

#[agent(crate = crate)]
async fn count(
    word: Event<Word>,
    counts: Table<Count>,
    trend: Table<Trend>,
    totals: Sink<Total>,
) -> Result<u64> {
    trend.at(&word).update(&word.word, |n| *n += 1).await?;
    let n = counts.update(&word.word, |n| { *n += 1; *n }).await?;
    totals.send(Total { word: word.word.clone(), n }).await?;
    Ok(n)
}

/// Slow, and with several lanes.
#[agent(concurrency = 3, crate = crate)]
async fn measure(word: Event<Word>, lengths: Table<Length>) -> Result<()> {
    tokio::time::sleep(Duration::from_millis(word.offset().unsigned_abs() % 7)).await;
    lengths.update(&word.word, |n| *n += word.word.len() as u64).await
}

#[app("sim", agents(split, count, measure), crate = crate)]
struct Sim;

/// One run of the outside world: the cluster, and each worker's disk.
struct World {
    cluster: Cluster,
    disks: Vec<Disk>,
    guarantee: Guarantee,
}

/// A worker that can be killed.
struct Member {
    local: LocalSet,
    process: Process,
    running: Option<Running>,
}

impl World {
    fn new(guarantee: Guarantee, workers: usize) -> Self {
        Self {
            cluster: Cluster::new(),
            disks: (0..workers).map(|_| Disk::default()).collect(),
            guarantee,
        }
    }

    fn feed(&self, lines: &[&str]) {
        self.cluster.create("lines", 2);
        for (index, line) in lines.iter().enumerate() {
            let value = serde_json::json!({ "text": line }).to_string();
            self.cluster.append("lines", index as u32 % 2, None, Some(value.as_bytes()), &[], None);
        }
    }

    /// Starts worker `index`; it dies before its `step`-th step.
    fn start(&self, index: usize, step: Option<u64>) -> Member {
        let process = step.map_or_else(Process::default, Process::dying_at);
        let gate = process.clone();
        let config = WorkerConfig {
            app: Sim::APP,
            settings: Settings { guarantee: self.guarantee, shards: 1, ..Settings::default() },
            broker: Arc::new(Connection::new(self.cluster.clone(), process.clone())),
            stores: Arc::new(MemoryStores::gated(
                self.disks[index].clone(),
                Arc::new(move |name| gate.may(name)),
            )),
            place: Place::Local,
            id: format!("w{index}"),
        };
        let local = LocalSet::new();
        let (sender, mut opened) = tokio::sync::oneshot::channel();
        local.spawn_local(async move {
            let worker = Worker::open(config).await.unwrap();
            worker.announce(format!("http://w{index}"));
            let _ = sender.send(Running::start(worker).unwrap());
        });
        let _ = &mut opened;
        Member { local, process, running: None }.with(opened)
    }

    /// The committed totals, by word; each must follow the one before.
    fn totals(&self) -> BTreeMap<String, Vec<u64>> {
        let mut totals: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for seen in self.cluster.records("totals") {
            let total: Total = serde_json::from_slice(&seen.value.unwrap()).unwrap();
            totals.entry(total.word).or_default().push(total.n);
        }
        totals
    }
}
