//! What a worker counts about itself, and how that is told: a snapshot for people and programs, text for Prometheus.
//! The engine counts; nothing here changes what it does.

mod meter;
mod partition;
mod prometheus;
mod rate;
mod status;

pub(crate) use meter::{AgentMeter, TableMeter};
pub(crate) use partition::{PartitionStatus, Recovery};
pub(crate) use status::{StandbyStatus, Status};

use crate::app::topology::Topology;
use crate::kafka::{Offset, TopicPartition};
use crate::time::Timestamp;
use meter::CutMeter;
use rate::Rates;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The counters of a worker. Cheap to clone, written from any thread.
#[derive(Clone)]
pub(crate) struct Monitor(Arc<Inner>);

struct Inner {
    app: String,
    started: Instant,
    agents: Vec<Named<AgentMeter>>,
    tables: Vec<Named<TableMeter>>,
    /// What is counted under an index that no agent has: so that counting cannot fail.
    stray_agent: AgentMeter,
    stray_table: TableMeter,
    cuts: CutMeter,
    rebalances: AtomicU64,
    /// Since when Kafka has not answered, in milliseconds; 0: it answers.
    silent_since: AtomicI64,
    moving: Mutex<Moving>,
    rates: Mutex<Rates>,
}

struct Named<M> {
    name: &'static str,
    /// The topic that an agent reads, the changelog of a table.
    topic: Arc<str>,
    meter: M,
}

/// What comes and goes with assignments.
#[derive(Default)]
struct Moving {
    partitions: BTreeMap<TopicPartition, PartitionStatus>,
    tasks: BTreeMap<(usize, u32), TaskState>,
    standbys: Vec<StandbyStatus>,
}

/// Where a partition task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TaskState {
    /// Its tables are being brought up to date.
    Recovering,
    /// It processes records.
    Running,
    /// It finishes what it has begun, and goes.
    Stopping,
}

impl Monitor {
    pub(crate) fn new(topology: &Topology) -> Self {
        let agents = topology.agents.iter().map(|agent| {
            let names = agent.inputs.iter().map(|input| {
                let topic = topology.topic_index(input.topic.name);
                let topic = topic.and_then(|index| topology.topics.get(index));
                topic.map_or(input.topic.name, |topic| &topic.name)
            });
            let topic = names.collect::<Vec<_>>().join(", ").into();
            Named { name: agent.name(), topic, meter: AgentMeter::default() }
        });
        let tables = topology.tables.iter().map(|table| Named {
            name: table.def.name,
            topic: table.changelog.clone(),
            meter: TableMeter::default(),
        });
        Self(Arc::new(Inner {
            app: topology.group.clone(),
            started: Instant::now(),
            agents: agents.collect(),
            tables: tables.collect(),
            stray_agent: AgentMeter::default(),
            stray_table: TableMeter::default(),
            cuts: CutMeter::default(),
            rebalances: AtomicU64::new(0),
            silent_since: AtomicI64::new(0),
            moving: Mutex::default(),
            rates: Mutex::default(),
        }))
    }

    /// The meter of an agent, by its index in the topology.
    pub(crate) fn agent(&self, index: usize) -> &AgentMeter {
        self.0.agents.get(index).map_or(&self.0.stray_agent, |agent| &agent.meter)
    }

    /// The meter of a table, by its index in the topology.
    pub(crate) fn table(&self, index: usize) -> &TableMeter {
        self.0.tables.get(index).map_or(&self.0.stray_table, |table| &table.meter)
    }

    /// A cut was committed.
    pub(crate) fn cut(&self, took: Duration, rows: u64, outputs: u64) {
        self.0.cuts.committed(took, rows, outputs);
    }

    /// A cut was aborted; what it held is sent again.
    pub(crate) fn aborted(&self) {
        self.0.cuts.aborted();
    }

    /// Kafka has not answered since this time.
    pub(crate) fn broker_is_silent(&self, since: Timestamp) {
        self.0.silent_since.store(since.as_millis(), Relaxed);
    }

    /// Kafka answers.
    pub(crate) fn broker_answers(&self) {
        self.0.silent_since.store(0, Relaxed);
    }

    /// The group's assignment changed.
    pub(crate) fn rebalanced(&self) {
        self.0.rebalances.fetch_add(1, Relaxed);
    }

    /// Changes what is known of a partition of a source or a changelog.
    pub(crate) fn partition(&self, of: &TopicPartition, update: impl FnOnce(&mut PartitionStatus)) {
        let mut moving = self.moving();
        match moving.partitions.get_mut(of) {
            Some(known) => update(known),
            None => update(moving.partitions.entry(of.clone()).or_default()),
        }
    }

    /// A partition is not read here any more.
    pub(crate) fn forget_partition(&self, of: &TopicPartition) {
        self.moving().partitions.remove(of);
    }

    /// The changelogs that are being read back.
    pub(crate) fn recovering(&self) -> Vec<(TopicPartition, Recovery)> {
        let moving = self.moving();
        let all = moving.partitions.iter();
        all.filter_map(|(of, status)| Some((of.clone(), status.recovery.clone()?))).collect()
    }

    /// The source partitions that are read here.
    pub(crate) fn sources(&self) -> Vec<TopicPartition> {
        let moving = self.moving();
        let sources = moving.partitions.iter().filter(|(_, status)| status.recovery.is_none());
        sources.map(|(of, _)| of.clone()).collect()
    }

    /// Where partitions end; those that are gone meanwhile stay forgotten.
    pub(crate) fn ends<'a>(&self, ends: impl Iterator<Item = (&'a TopicPartition, Offset)>) {
        let mut moving = self.moving();
        for (of, end) in ends {
            if let Some(status) = moving.partitions.get_mut(of) {
                status.end = end;
            }
        }
    }

    /// A task is to start here: until it runs, the worker is not ready.
    pub(crate) fn expect_task(&self, group: usize, partition: u32) {
        self.task(group, partition, TaskState::Recovering);
    }

    /// A task came, or is in another state.
    pub(crate) fn task(&self, group: usize, partition: u32, state: TaskState) {
        self.moving().tasks.insert((group, partition), state);
    }

    /// A task is gone.
    pub(crate) fn forget_task(&self, group: usize, partition: u32) {
        self.moving().tasks.remove(&(group, partition));
    }

    /// These partitions of tables are followed here, for others.
    pub(crate) fn standbys(&self, all: Vec<StandbyStatus>) {
        self.moving().standbys = all;
    }

    /// Whether the worker has its assignment and does its work: no task recovers, and not all of them stop.
    pub(crate) fn ready(&self) -> bool {
        let moving = self.moving();
        let is = |state| moving.tasks.values().any(|task| *task == state);
        self.0.rebalances.load(Relaxed) > 0
            && !is(TaskState::Recovering)
            && (moving.tasks.is_empty() || is(TaskState::Running))
    }

    /// Notes where counters are, so that rates can be told; to be called every second.
    pub(crate) fn sample(&self) {
        let counts = self.0.agents.iter().map(|agent| agent.meter.n_events()).collect();
        lock(&self.0.rates).sample(Instant::now(), counts);
    }

    fn moving(&self) -> MutexGuard<'_, Moving> {
        lock(&self.0.moving)
    }
}

/// A panic elsewhere does not make counters wrong.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{AppDef, Settings};
    use crate::define::Place;
    use crate::prelude::*;

    #[faust::topic("words", key = word)]
    struct Word {
        word: String,
    }

    #[faust::table("counts")]
    struct Count {
        key: String,
        value: u64,
    }

    #[faust::agent]
    async fn count(word: Event<Word>, counts: Table<Count>) -> Result<()> {
        counts.update(&word.word, |n| *n += 1).await
    }

    fn monitor() -> Monitor {
        let place = Place { file: "app.rs", line: 1 };
        let agents = &[<count as crate::Agent>::AGENT];
        let app = AppDef { agents, ..AppDef::new("app", place) };
        Monitor::new(&Topology::new(&app, &Settings::default()).unwrap())
    }

    #[test]
    fn what_is_counted_is_shown() {
        let monitor = monitor();
        monitor.agent(0).events(7);
        monitor.agent(1).events(1);
        monitor.table(0).hits(3);
        monitor.table(9).hits(1);
        monitor.cut(Duration::from_millis(7), 5, 2);
        monitor.partition(&TopicPartition::new("words", 1), |at| (at.position, at.end) = (7, 9));
        let status = monitor.snapshot();
        assert_eq!((status.agents[0].events, status.tables[0].hits, status.lag), (7, 3, 2));
        let text = status.prometheus();
        for line in [
            "faust_agent_events_total{agent=\"count\",topic=\"words\"} 7",
            "faust_partition_lag{topic=\"words\",partition=\"1\"} 2",
            "faust_cut_seconds_bucket{le=\"0.005\"} 0",
            "faust_cut_seconds_bucket{le=\"0.01\"} 1",
            "faust_cut_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        monitor.forget_partition(&TopicPartition::new("words", 1));
        assert_eq!(monitor.snapshot().lag, 0);
    }

    #[test]
    fn a_worker_is_ready_when_everything_it_was_assigned_runs() {
        let monitor = monitor();
        assert!(!monitor.ready(), "nothing was assigned yet");
        monitor.rebalanced();
        assert!(monitor.ready(), "there may be more workers than partitions");
        monitor.task(0, 0, TaskState::Recovering);
        monitor.task(0, 1, TaskState::Running);
        assert!(!monitor.ready());
        monitor.task(0, 0, TaskState::Running);
        assert!(monitor.ready());
        monitor.task(0, 1, TaskState::Stopping);
        assert!(monitor.ready(), "it goes to another worker");
        monitor.task(0, 0, TaskState::Stopping);
        assert!(!monitor.ready());
    }
}
