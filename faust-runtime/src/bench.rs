//! Doors to single steps of the engine, for `benches/`. Nothing else uses them, and they may change at any time.

use crate::app::topology::Topology;
use crate::app::{App, Settings};
use crate::commit::{Metadata, Progress};
use crate::consumer::Assignment;
use crate::define::Row;
use crate::kafka::{Assignor, Committed, MemberInfo, TopicId, TopicPartition};
use crate::table::store::fjall::FjallStores;
use crate::table::store::memory::{Disk, MemoryStores};
#[cfg(feature = "rocksdb")]
use crate::table::store::rocksdb::RocksStores;
use crate::table::store::{Mark, Store, StoreBatch, Stores};
use crate::table::{AnyTable, Cache, Found, TableInit};
use std::path::Path;
use std::sync::Arc;

/// The partition of a key.
pub fn partition_for(key: &[u8], partitions: u32) -> u32 {
    crate::kafka::partition_for(key, partitions)
}

/// A store of one partition of a table.
pub struct Rows(Arc<dyn Store>);

impl Rows {
    /// In memory.
    pub fn memory() -> crate::Result<Self> {
        Ok(Self(MemoryStores::new(Disk::default()).open("bench", 0)?))
    }

    /// On disk.
    pub fn fjall(folder: &Path) -> crate::Result<Self> {
        Ok(Self(FjallStores::open(folder)?.open("bench", 0)?))
    }

    /// On disk, in RocksDB.
    #[cfg(feature = "rocksdb")]
    pub fn rocksdb(folder: &Path) -> crate::Result<Self> {
        Ok(Self(RocksStores::open(folder)?.open("bench", 0)?))
    }

    /// Writes one batch.
    pub fn write(&self, rows: &[(Vec<u8>, Vec<u8>)]) -> crate::Result<()> {
        let rows = rows.iter().map(|(key, value)| (&key[..], Some(&value[..]))).collect();
        Ok(self.0.write(&StoreBatch { rows, ..StoreBatch::default() }, &Mark::default())?)
    }

    /// How long a row's value is.
    pub fn get(&self, key: &[u8]) -> crate::Result<Option<usize>> {
        Ok(self.0.get(key)?.map(|value| value.len()))
    }
}

/// The write-back cache of one partition of a table, above a store in memory.
pub struct Cached<T: Row>(Cache<T>);

/// The lane whose events write.
const LANE: u32 = 1;

impl<T: Row> Cached<T> {
    /// An empty one.
    pub fn new() -> crate::Result<Self> {
        let budget =
            crate::table::Budget { limit: usize::MAX, row_limit: usize::MAX, ..Default::default() };
        Ok(Self(Cache::new(TableInit {
            index: 0,
            partition: 0,
            partitions: 1,
            store: Rows::memory()?.0,
            mark: Mark::default(),
            changelog: Some(TopicId(0)),
            budget: budget.into(),
            time: Default::default(),
        })))
    }

    /// Looks at a row.
    pub fn read<R>(
        &self,
        key: &T::Key,
        read: impl FnOnce(Option<&T::Value>) -> R,
    ) -> crate::Result<R> {
        let mut cache = self.0.lock();
        Ok(match cache.find(0, key, 0)? {
            Found::Row(row) => read(cache.read(row, LANE)),
            Found::Expired => read(None),
        })
    }

    /// One event that changes one row: found, copied, changed, settled.
    pub fn update(
        &self,
        key: &T::Key,
        change: impl FnOnce(&mut Option<T::Value>),
    ) -> crate::Result<()> {
        let mut cache = self.0.lock();
        let Found::Row(row) = cache.find(0, key, 0)? else { return Ok(()) };
        cache.claim(row, LANE);
        change(cache.write(row, LANE, &mut false));
        drop(cache);
        Ok(self.0.settle(row, true)?)
    }

    /// Encodes a cut of what was written since the last one: how many rows.
    pub fn cut(&self) -> crate::Result<usize> {
        self.0.begin_cut();
        while !self.0.encode_some()? {}
        let rows = self.0.take_cut().map_or(0, |cut| cut.rows.len());
        self.0.cut_stored();
        Ok(rows)
    }
}

/// The workers of an app, of which one has just left.
pub struct Workers {
    assignment: Assignment,
    members: Vec<MemberInfo>,
    topics: Vec<(Arc<str>, u32)>,
}

impl Workers {
    /// Topics with so many partitions each, of so many workers; then the last one leaves.
    pub fn losing_one<A: App>(partitions: u32, workers: u32) -> crate::Result<Self> {
        let topology = Topology::new(&A::APP, &Settings::default())
            .map_err(|errors| format!("not an app: {errors:?}"))?;
        let assignment = Assignment::new(&topology, &Settings::default());
        let topics = assignment.topics();
        let member = |worker: u32| {
            assignment.announce(|to| {
                to.endpoint = format!("http://10.0.0.{worker}:6066");
                to.ids = vec![format!("bench-{worker}-0")];
            });
            let mine = (0..partitions).filter(|n| n % workers == worker);
            let of = |n| topics.iter().map(move |name| TopicPartition::new(name.clone(), n));
            MemberInfo {
                id: format!("worker-{worker:04}"),
                owned: mine.flat_map(of).collect(),
                user_data: assignment.user_data(),
            }
        };
        let members = (1..workers).map(member).collect();
        let topics = topics.iter().map(|name| (name.clone(), partitions)).collect();
        Ok(Self { assignment, members, topics })
    }

    /// Decides: how many partitions were given.
    pub fn assign(&self) -> usize {
        let plans = self.assignment.assign(self.members.clone(), &self.topics);
        plans.iter().map(|plan| plan.partitions.len()).sum()
    }
}

/// What a cut says beside its offsets.
pub struct CommitText(Metadata);

impl CommitText {
    /// Of one agent, with so many finished ranges above its lowest unfinished record.
    pub fn new(ranges: i64) -> Self {
        let mut progress = Progress::at(1_000_000);
        for n in 1..=ranges {
            progress.finish(1_000_000 + 2 * n, 1_000_000 + 2 * n);
        }
        Self(Metadata {
            by: "bench-1-0".into(),
            epoch: 3,
            cut: 12_345,
            time: 1_700_000_000_000,
            agents: [("count".into(), progress)].into(),
            ..Metadata::default()
        })
    }

    /// As text.
    pub fn encode(&self) -> String {
        self.0.encode()
    }

    /// Reads text: how many agents it is about.
    pub fn decode(text: &str) -> crate::Result<usize> {
        let of = TopicPartition::new("in", 0);
        let commit = Committed { offset: 0, metadata: text.into() };
        Ok(Metadata::decode(&of, &commit)?.map_or(0, |metadata| metadata.agents.len()))
    }
}
