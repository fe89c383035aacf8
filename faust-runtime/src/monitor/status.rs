//! A snapshot of the counters, as `/status.json` shows it.

use super::meter::BOUNDS;
use super::{Monitor, TaskState, lock};
use crate::kafka::Offset;
use crate::time::Timestamp;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// How a worker is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Status {
    pub(crate) app: String,
    pub(crate) uptime_seconds: f64,
    pub(crate) ready: bool,
    /// Since when Kafka has not answered.
    pub(crate) broker_silent_since: Option<String>,
    pub(crate) rebalances: u64,
    /// Records still to be processed, over all partitions that are read here.
    pub(crate) lag: u64,
    pub(crate) events_per_second: f64,
    pub(crate) agents: Vec<AgentStatus>,
    pub(crate) tables: Vec<TableStatus>,
    pub(crate) tasks: Vec<TaskStatus>,
    pub(crate) partitions: Vec<SourceStatus>,
    pub(crate) recovery: Vec<RecoveryStatus>,
    pub(crate) standbys: Vec<StandbyStatus>,
    pub(crate) cuts: CutStatus,
}

/// What an agent has done since the start.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AgentStatus {
    pub(crate) name: &'static str,
    pub(crate) topic: String,
    pub(crate) events: u64,
    pub(crate) events_per_second: f64,
    pub(crate) failed: u64,
    pub(crate) retried: u64,
    pub(crate) dead_letters: u64,
    pub(crate) undecodable: u64,
}

/// What is here of a table, and how its cache did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TableStatus {
    pub(crate) name: &'static str,
    pub(crate) changelog: String,
    /// Filled in by who knows the stores.
    pub(crate) rows: u64,
    /// Partitions that are here.
    pub(crate) partitions: usize,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) evicted: u64,
    pub(crate) late: u64,
}

/// A partition task.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TaskStatus {
    pub(crate) group: usize,
    pub(crate) partition: u32,
    pub(crate) state: TaskState,
}

/// Where a source partition stands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SourceStatus {
    pub(crate) topic: String,
    pub(crate) partition: u32,
    pub(crate) position: Offset,
    pub(crate) committed: Offset,
    pub(crate) end: Offset,
    pub(crate) lag: u64,
}

/// Where a table's way back from its changelog stands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RecoveryStatus {
    pub(crate) table: String,
    pub(crate) partition: u32,
    pub(crate) from: Offset,
    pub(crate) at: Offset,
    pub(crate) to: Offset,
    /// From 0 to 1.
    pub(crate) done: f64,
}

/// Where a copy of a table's partition stands that runs on another worker.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StandbyStatus {
    pub(crate) table: String,
    pub(crate) partition: u32,
    pub(crate) at: Offset,
    pub(crate) end: Offset,
    /// Records that it lacks.
    pub(crate) lag: u64,
}

/// What cuts held and how long they took.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CutStatus {
    pub(crate) committed: u64,
    pub(crate) aborted: u64,
    pub(crate) rows: u64,
    pub(crate) outputs: u64,
    pub(crate) seconds: f64,
    /// For each bound in milliseconds, how many took at most as long.
    pub(crate) took_at_most_ms: Vec<(u64, u64)>,
}

impl Monitor {
    /// How the worker is now.
    pub(crate) fn snapshot(&self) -> Status {
        let inner = &*self.0;
        let now = Instant::now();
        let agents = self.agents(now);
        let ready = self.ready();
        let moving = self.moving();
        let mut partitions = Vec::new();
        let mut recovery = Vec::new();
        for (of, status) in &moving.partitions {
            match &status.recovery {
                Some(it) => recovery.push(RecoveryStatus {
                    table: it.table.to_string(),
                    partition: of.partition,
                    from: it.from,
                    at: it.at,
                    to: it.to,
                    done: it.done(),
                }),
                None => partitions.push(SourceStatus {
                    topic: of.topic.to_string(),
                    partition: of.partition,
                    position: status.position,
                    committed: status.committed,
                    end: status.end,
                    lag: status.lag(),
                }),
            }
        }
        let tasks = moving.tasks.iter().map(|((group, partition), state)| TaskStatus {
            group: *group,
            partition: *partition,
            state: *state,
        });
        Status {
            app: inner.app.clone(),
            uptime_seconds: now.duration_since(inner.started).as_secs_f64(),
            ready,
            broker_silent_since: Some(inner.silent_since.load(Relaxed))
                .filter(|since| *since != 0)
                .map(|since| Timestamp::from_millis(since).to_string()),
            rebalances: inner.rebalances.load(Relaxed),
            lag: partitions.iter().map(|partition| partition.lag).sum(),
            events_per_second: agents.iter().map(|agent| agent.events_per_second).sum(),
            agents,
            tables: self.tables(),
            tasks: tasks.collect(),
            partitions,
            recovery,
            standbys: moving.standbys.clone(),
            cuts: self.cuts(),
        }
    }

    fn agents(&self, now: Instant) -> Vec<AgentStatus> {
        let rates = lock(&self.0.rates);
        let status = |(index, agent): (usize, &super::Named<super::AgentMeter>)| {
            let events = agent.meter.n_events();
            AgentStatus {
                name: agent.name,
                topic: agent.topic.to_string(),
                events,
                events_per_second: rates.rate(index, now, events, self.0.started),
                failed: agent.meter.n_failed(),
                retried: agent.meter.n_retried(),
                dead_letters: agent.meter.n_dead_letters(),
                undecodable: agent.meter.n_undecodable(),
            }
        };
        self.0.agents.iter().enumerate().map(status).collect()
    }

    fn tables(&self) -> Vec<TableStatus> {
        let status = |table: &super::Named<super::TableMeter>| TableStatus {
            name: table.name,
            changelog: table.topic.to_string(),
            rows: 0,
            partitions: 0,
            hits: table.meter.n_hits(),
            misses: table.meter.n_misses(),
            evicted: table.meter.n_evicted(),
            late: table.meter.n_late(),
        };
        self.0.tables.iter().map(status).collect()
    }

    fn cuts(&self) -> CutStatus {
        let cuts = &self.0.cuts;
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        let mut so_far = 0;
        let took_at_most_ms = BOUNDS.iter().zip(&cuts.classes).map(|(bound, class)| {
            so_far += load(class);
            (*bound, so_far)
        });
        CutStatus {
            took_at_most_ms: took_at_most_ms.collect(),
            committed: load(&cuts.committed),
            aborted: load(&cuts.aborted),
            rows: load(&cuts.rows),
            outputs: load(&cuts.outputs),
            seconds: load(&cuts.micros) as f64 / 1e6,
        }
    }
}
