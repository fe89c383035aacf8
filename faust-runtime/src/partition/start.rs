//! How a task starts: end what its last owner left open, bring its stores up to date, check that positions and state
//! belong together, claim it, then run it.

mod build;
mod positions;
mod recovered;

use self::build::build;
use self::positions::{Position, check, find_positions};
use self::recovered::recover_tables;
use super::closer::{ClosedTo, Closer};
use super::fill::{fill, unused};
use super::lane::{Current, LaneState};
use super::reader::{Reader, ReaderOf};
use super::shard::{Running, Shard};
use super::source::{SourceQueue, lowest};
use super::standbys::Writer;
use super::task::{Task, TaskId, TaskParts};
use crate::agent::{AgentDef, Bind, Lane, Use};
use crate::app::{ChangedOffsets, StartAt};
use crate::commit::{Metadata, Progress};
use crate::define::TableDef;
use crate::kafka::{At, Committed, KafkaError, Offset, TopicPartition};
use crate::monitor::{Recovery, TaskState};
use crate::table::changelog::{Recovered, RecoveryError, recover};
use crate::table::store::{StoreError, StreamTime, shown, watched};
use crate::table::{AnyTable, TableInit, open_local};
use std::rc::Rc;
use std::time::Duration;
use tokio::task::spawn_local;
use tokio::time::sleep;

/// Why a task does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StartError {
    /// The broker; it is tried again unless that is of no use.
    #[error(transparent)]
    Retry(#[from] KafkaError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Positions were changed from outside, or expired.
    #[error(
        "group `{group}`, {partition}: {what}. Start with `--offsets accept` to keep the tables and go on from {now}, \
         `--offsets restore` to go back to where the tables are ({then}), or `--offsets reset` to drop positions, \
         tables and changelogs and begin again"
    )]
    Outside { group: String, partition: TopicPartition, what: String, now: String, then: String },
    /// The function that gives a table's first rows has failed: correct it, or what it reads.
    #[error("table `{table}`: its initial rows: {error}")]
    Initial { table: &'static str, error: crate::Error },
    /// A parameter could not be bound.
    #[error("agent `{agent}`: {error}")]
    Bind { agent: &'static str, error: crate::Error },
}

impl From<RecoveryError> for StartError {
    fn from(error: RecoveryError) -> Self {
        match error {
            RecoveryError::Kafka(error) => Self::Retry(error),
            RecoveryError::Store(error) => Self::Store(error),
        }
    }
}

/// From the first try to the next; doubled up to [`LONGEST`].
const BACKOFF: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);
/// Whoever waits for another's transaction is the first to know that it has ended.
const UNSTABLE: Duration = Duration::from_millis(100);
/// From here on it is said why a task does not start.
const STRANGE: Duration = Duration::from_millis(500);

/// Starts a task, as often as it takes. What cannot pass fails the worker.
pub(super) async fn start(shard: &Rc<Shard>, id: TaskId) {
    let mut backoff = BACKOFF;
    loop {
        match try_start(shard, id).await {
            Ok(()) => return,
            Err(StartError::Retry(KafkaError::Unstable { .. })) => {
                tracing::debug!(task = %id, "waiting for a transaction to end");
                shard.worker.end_again();
                backoff = backoff.min(UNSTABLE);
            }
            Err(StartError::Retry(error)) if !matches!(error, KafkaError::Refused { .. }) => {
                if backoff < STRANGE {
                    tracing::debug!(task = %id, %error, "the task does not start yet");
                } else {
                    tracing::warn!(task = %id, %error, "the task does not start yet; trying again");
                }
            }
            Err(error) => {
                shard.worker.fail(format!("task {id} does not start: {error}"));
                return;
            }
        }
        sleep(backoff).await;
        backoff = LONGEST.min(backoff * 2);
    }
}

/// Starts a task and gives it to its shard.
async fn try_start(shard: &Rc<Shard>, id: TaskId) -> Result<(), StartError> {
    let worker = &shard.worker;
    worker.monitor.task(id.group, id.partition, TaskState::Recovering);
    // A standby of the task ends here, and what it has is taken over.
    let writer = worker.standbys.take(id).await;
    let mut positions = find_positions(shard, id).await?;
    let committed_by = |by: &Metadata| !worker.is_own(&by.by);
    let foreign = positions.iter().filter_map(|at| at.metadata.as_ref()).any(committed_by);
    let mut recovered = recover_tables(shard, id, &writer, foreign).await?;
    check(shard, id, &mut positions, &mut recovered, &writer).await?;
    let unused = unused(&recovered);
    let task = build(shard, id, &positions, recovered);
    fill(worker, &task, &unused).await?;
    shard.owned.insert(id, task.epoch);
    // The claim: who owns it now and where it begins, committed before the first event.
    shard.add(Running { task: task.clone(), lanes: Vec::new(), feeders: Vec::new(), writer });
    shard.commit_now().await;
    // Events may look at them.
    worker.copies_ready().await;
    run(shard, &task)?;
    worker.monitor.task(id.group, id.partition, TaskState::Running);
    worker.recovered();
    Ok(())
}

/// Starts reading and the agents' loops.
fn run(shard: &Rc<Shard>, task: &Rc<Task>) -> Result<(), StartError> {
    let worker = &shard.worker;
    let mut id = 0;
    let mut futures = Vec::new();
    for reader in task.all_readers() {
        let Some(agent) = worker.topology.agents.get(reader.of.agent) else { continue };
        for number in 0..usize::from(agent.options.concurrency.max(1)) {
            id += 1;
            let lane = Rc::new(LaneState::new(task.clone(), *agent, reader.clone(), id, number));
            let bind = Bind { worker, task };
            let future = (agent.start)(&bind, Lane::new(lane.clone()))
                .map_err(|error| StartError::Bind { agent: agent.name(), error })?;
            task.lanes.borrow_mut().push(lane.clone());
            let name = agent.name();
            // Users' panics are caught at the event; one that gets here is ours.
            futures.push(Current::new(lane, worker.clone().watched(name, future)));
        }
    }
    let mut feeders = Vec::new();
    for (index, source) in task.sources.iter().enumerate() {
        let readers = task.readers.iter().filter(|reader| reader.of.source == index);
        let from = lowest(readers.map(|reader| reader.low()));
        let reader = worker.broker.source(&source.of, from)?;
        let (source, worker) = (source.clone(), worker.clone());
        feeders.push(spawn_local(async move {
            let error = source.feed(&*worker.broker, reader, from).await;
            let ways_out = match &error {
                KafkaError::OutOfRange { .. } => {
                    ": its records were deleted before they were processed, or the topic was made anew. Start with \
                     `--offsets accept` to go on from the oldest record that is there, or `--offsets reset` to drop \
                     positions, tables and changelogs and begin again"
                }
                _ => "",
            };
            worker.fail(format!("reading {} ended: {error}{ways_out}", source.of));
        }));
    }
    let lanes = futures.into_iter().map(spawn_local).collect();
    shard.with_running(task.id, |running| {
        running.lanes = lanes;
        running.feeders = feeders;
    });
    Ok(())
}
