//! How a task starts: end what its last owner left open, bring its stores up to date, check that positions and state
//! belong together, claim it, then run it.

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

/// A source partition and where it is to go on.
struct Position {
    of: TopicPartition,
    topic: usize,
    committed: Option<Committed>,
    metadata: Option<Metadata>,
    start: Offset,
    /// What is committed is not in the log any more; looked for where somebody has said what to do then.
    gone: bool,
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

/// The group's committed offsets of the task's sources, after whatever was open has been ended.
async fn find_positions(shard: &Shard, id: TaskId) -> Result<Vec<Position>, StartError> {
    let worker = &shard.worker;
    let topology = &worker.topology;
    let topics =
        topology.groups.get(id.group).map(|group| group.topics.as_slice()).unwrap_or_default();
    let of: Vec<TopicPartition> = topics
        .iter()
        .filter_map(|topic| topology.topics.get(*topic))
        .map(|topic| TopicPartition::new(topic.name.clone(), id.partition))
        .collect();
    worker.end_departed().await?;
    for (of, committed) in of.iter().zip(worker.broker.committed(of.clone(), false).await?) {
        let metadata = committed.as_ref().map(|commit| Metadata::decode(of, commit)).transpose()?;
        if let Some(metadata) = metadata.flatten()
            && metadata.by != shard.id
            && !worker.is_live(&metadata.by)
        {
            worker.end_transaction(&metadata.by).await?;
        }
    }
    // Unstable: somebody's transaction is still open. The start is tried again, and ends it once nobody owns it.
    let committed = worker.broker.committed(of.clone(), true).await?;
    let moved = gone(shard, &of, &committed).await?;
    let mut positions = Vec::new();
    for (((of, topic), committed), moved) in of.into_iter().zip(topics).zip(committed).zip(moved) {
        let mut metadata =
            committed.as_ref().map(|commit| Metadata::decode(&of, commit)).transpose()?.flatten();
        let start = match (moved, &committed) {
            (Some(first), _) => {
                // What each agent has finished is gone with the records.
                metadata.iter_mut().for_each(|metadata| metadata.agents.clear());
                first
            }
            (None, Some(committed)) => committed.offset,
            (None, None) => start_offset(shard, &of, *topic).await?,
        };
        let gone = moved.is_some();
        positions.push(Position { of, topic: *topic, committed, metadata, start, gone });
    }
    Ok(positions)
}

/// With `--offsets`, where partitions begin whose committed record is not in the log any more; without it reading fails,
/// and says so.
async fn gone(
    shard: &Shard,
    of: &[TopicPartition],
    committed: &[Option<Committed>],
) -> Result<Vec<Option<Offset>>, KafkaError> {
    if shard.worker.settings.offsets.is_none() {
        return Ok(vec![None; of.len()]);
    }
    let broker = &shard.worker.broker;
    let starts = broker.offsets(of.to_vec(), At::Start).await?;
    let ends = broker.offsets(of.to_vec(), At::End).await?;
    let first = |((committed, start), end): ((&Option<Committed>, Offset), Offset)| {
        let at = committed.as_ref()?.offset;
        (!(start..=end).contains(&at)).then_some(start)
    };
    Ok(committed.iter().zip(starts).zip(ends).map(first).collect())
}

/// Where a partition begins that nobody has read. What the app itself sends is read from its beginning: other tasks may
/// be at work already.
async fn start_offset(
    shard: &Shard,
    of: &TopicPartition,
    topic: usize,
) -> Result<Offset, KafkaError> {
    let at = match shard.worker.settings.start {
        _ if shard.worker.topology.sends_to(topic) => At::Start,
        StartAt::Earliest => At::Start,
        StartAt::Latest => At::End,
        StartAt::Time(time) => At::Time(time),
    };
    Ok(lowest(shard.worker.broker.offsets(vec![of.clone()], at).await?.into_iter()))
}

/// Brings the stores of the group's tables up to date, away from the shard's thread.
async fn recover_tables(
    shard: &Shard,
    id: TaskId,
    writer: &Writer,
    foreign: bool,
) -> Result<Vec<(usize, Recovered)>, StartError> {
    let worker = shard.worker.clone();
    let tables =
        worker.topology.groups.get(id.group).map(|group| group.tables.clone()).unwrap_or_default();
    let mut all = Vec::new();
    for index in tables {
        let _turn = shard.worker.recoveries.acquire().await;
        let worker = worker.clone();
        // Nobody else writes before the thread ends, even if the start is given up meanwhile.
        let writer = writer.clone();
        let done = worker.clone().place.run("recovery", move || async move {
            let _writer = writer;
            recover_table(&worker, index, id.partition, foreign).await
        });
        match done.await {
            Some(recovered) => all.push((index, recovered?)),
            None => return Err(KafkaError::failed("recovery", "the worker stops").into()),
        }
    }
    Ok(all)
}

async fn recover_table(
    worker: &crate::worker::Worker,
    index: usize,
    partition: u32,
    foreign: bool,
) -> Result<Recovered, RecoveryError> {
    let Some(table) = worker.topology.tables.get(index) else {
        return Err(KafkaError::failed("recovery", "no such table").into());
    };
    let of = TopicPartition::new(table.changelog.clone(), partition);
    let report = |from, at, to| {
        worker.standbys.reached(index, partition, at, Some(to));
        worker.monitor.partition(&of, |status| {
            status.position = at;
            status.end = to;
            status.recovery = Some(Recovery { table: table.name.clone(), from, at, to });
        });
    };
    let owner = worker.topology.store_owner(table);
    if !table.def.changelog {
        let stores = &*worker.stores_of_worker;
        return Ok(open_local(stores, &owner, &table.name, partition, foreign)?);
    }
    let recovered = recover(
        &*worker.broker,
        &*worker.stores_of_worker,
        &owner,
        &table.name,
        &of,
        &worker.restore_pace,
        &report,
    )
    .await?;
    worker.monitor.forget_partition(&of);
    if recovered.replayed > 0 {
        tracing::info!(changelog = %of, records = recovered.replayed, "recovered");
    }
    Ok(recovered)
}

/// State without committed positions, or positions without our metadata, were changed from outside.
async fn check(
    shard: &Shard,
    id: TaskId,
    positions: &mut [Position],
    recovered: &mut Vec<(usize, Recovered)>,
    writer: &Writer,
) -> Result<(), StartError> {
    let worker = &shard.worker;
    let has_state = recovered.iter().any(|(_, table)| table.store.len() > 0);
    let none_committed = positions.iter().all(|position| position.committed.is_none());
    let strange = positions
        .iter()
        .position(|position| {
            position.gone || (position.committed.is_some() && position.metadata.is_none())
        })
        .or((has_state && none_committed).then_some(0));
    let Some(strange) = strange else { return Ok(()) };
    match worker.settings.offsets {
        Some(ChangedOffsets::Accept) => Ok(()),
        Some(ChangedOffsets::Restore) => {
            for position in positions.iter_mut() {
                if let Some((offset, metadata)) = marked(recovered, &position.of) {
                    let commit = Committed { offset, metadata };
                    position.start = offset;
                    position.metadata = Metadata::decode(&position.of, &commit)?;
                }
            }
            Ok(())
        }
        Some(ChangedOffsets::Reset) => {
            for position in positions.iter_mut() {
                position.start = start_offset(shard, &position.of, position.topic).await?;
                position.metadata = None;
            }
            reset_tables(shard, id, recovered, writer).await
        }
        None => {
            let Some(position) = positions.get(strange) else { return Ok(()) };
            let then = marked(recovered, &position.of);
            Err(StartError::Outside {
                group: worker.topology.group.clone(),
                partition: position.of.clone(),
                what: match &position.committed {
                    Some(commit) => format!("offset {} was committed by somebody else", commit.offset),
                    None => "there are tables, but no offset is committed (it has expired or was removed)".into(),
                },
                now: position.start.to_string(),
                then: then.map_or("unknown".into(), |(offset, _)| offset.to_string()),
            })
        }
    }
}

/// The position of a source as of the last cut in the stores.
fn marked(recovered: &[(usize, Recovered)], of: &TopicPartition) -> Option<(Offset, String)> {
    let of = of.to_string();
    let sources = recovered.iter().flat_map(|(_, table)| &table.mark.sources);
    let found = sources.filter(|(name, _, _)| *name == of).max_by_key(|(_, offset, _)| *offset);
    found.map(|(_, offset, metadata)| (*offset, metadata.clone()))
}

/// Empties the tables and their changelogs.
async fn reset_tables(
    shard: &Shard,
    id: TaskId,
    recovered: &mut Vec<(usize, Recovered)>,
    writer: &Writer,
) -> Result<(), StartError> {
    let worker = &shard.worker;
    for (index, _) in recovered.drain(..) {
        let Some(table) = worker.topology.tables.get(index) else { continue };
        if table.def.changelog {
            let of = TopicPartition::new(table.changelog.clone(), id.partition);
            let end = lowest(worker.broker.offsets(vec![of.clone()], At::End).await?.into_iter());
            worker.broker.delete_records(vec![(of, end)]).await?;
        }
        worker.stores_of_worker.set_aside(&table.name, id.partition)?;
    }
    *recovered = recover_tables(shard, id, writer, true).await?;
    Ok(())
}

fn build(
    shard: &Rc<Shard>,
    id: TaskId,
    positions: &[Position],
    recovered: Vec<(usize, Recovered)>,
) -> Rc<Task> {
    let worker = &shard.worker;
    let topology = &worker.topology;
    let epoch =
        positions.iter().filter_map(|p| Some(p.metadata.as_ref()?.epoch)).max().unwrap_or(0) + 1;
    let cut = positions.iter().filter_map(|p| Some(p.metadata.as_ref()?.cut)).max().unwrap_or(0);
    let limit = worker.settings.queue_bytes;
    let source = |position: &Position| {
        let time = position.metadata.as_ref().map_or(0, |metadata| metadata.time);
        Rc::new(SourceQueue::new(position.of.clone(), limit, time))
    };
    let sources: Vec<Rc<SourceQueue>> = positions.iter().map(source).collect();
    let agents =
        topology.groups.get(id.group).map(|group| group.agents.as_slice()).unwrap_or_default();
    let mut readers = Vec::new();
    for index in agents {
        let Some(agent) = topology.agents.get(*index) else { continue };
        for (input, topic) in agent.inputs.iter().enumerate() {
            let topic = topology.topic_index(topic.topic.name);
            let Some(source) = positions.iter().position(|position| Some(position.topic) == topic)
            else {
                continue;
            };
            let (Some(position), Some(queue)) = (positions.get(source), sources.get(source)) else {
                continue;
            };
            let known =
                position.metadata.as_ref().and_then(|metadata| metadata.agents.get(agent.name()));
            let progress = known.cloned().unwrap_or_else(|| Progress::at(position.start));
            let lanes = usize::from(agent.options.concurrency.max(1));
            let of = ReaderOf { agent: *index, input, source };
            readers.push(Rc::new(Reader::new(of, queue.clone(), progress, lanes)));
        }
    }
    let mut tables: Vec<(usize, Box<dyn AnyTable>)> = Vec::new();
    for (index, recovered) in recovered {
        let Some(table) = topology.tables.get(index) else { continue };
        let time = StreamTime::default();
        worker.open_store(index, id, shown(&table.def, recovered.store.clone(), time.clone()));
        let init = TableInit {
            index,
            partition: id.partition,
            partitions: worker.partitions_of_group(id.group),
            store: watched(recovered.store, worker.feed(index)),
            mark: recovered.mark,
            changelog: table.def.changelog.then(|| worker.broker.topic_id(&table.changelog)),
            budget: shard.budget.clone(),
            time,
        };
        tables.push((index, (table.ops.open)(init)));
    }
    let defs: Vec<&TableDef> =
        tables.iter().filter_map(|(index, _)| Some(&topology.tables.get(*index)?.def)).collect();
    let agents: Vec<(usize, &AgentDef)> =
        agents.iter().filter_map(|index| Some((*index, topology.agents.get(*index)?))).collect();
    let writers = defs.iter().map(|def| sources_of(def.name, &agents, &readers)).collect();
    let closer = |(index, agent): &(usize, &AgentDef)| {
        let table = defs.iter().position(|def| Some(def.name) == agent.closes)? as u16;
        let to = |metadata: &Metadata| metadata.closed.get(agent.name()).copied();
        let metadata = positions.iter().filter_map(|position| position.metadata.as_ref());
        let newest = metadata.max_by_key(|metadata| metadata.cut).and_then(to);
        let at = newest.map_or(ClosedTo::NOTHING, |(start, rows)| ClosedTo { start, rows });
        let reader = Rc::new(Reader::of_closer(*index, sources.first()?.clone()));
        Some(Rc::new(Closer::new(agent.name(), table, at, reader)))
    };
    let closers = agents.iter().filter_map(closer).collect();
    let shard = shard.clone();
    let parts = TaskParts { id, epoch, cut, shard, sources, readers, tables, writers, closers };
    Rc::new(Task::new(parts))
}

/// The sources from which a table is written: by agents that read them, or when windows close that are.
fn sources_of(table: &str, agents: &[(usize, &AgentDef)], readers: &[Rc<Reader>]) -> Vec<usize> {
    let writes = |agent: &AgentDef| {
        let mut uses = agent.uses.iter().copied().flatten();
        uses.any(|used| matches!(used, Use::Table(used) if used.table.name == table))
    };
    let mut sources = Vec::new();
    for (index, agent) in agents.iter().filter(|(_, agent)| writes(agent)) {
        let own = readers.iter().filter(|reader| reader.of.agent == *index);
        sources.extend(own.map(|reader| reader.of.source));
        if let Some(closes) = agent.closes.filter(|closes| *closes != table) {
            sources.extend(sources_of(closes, agents, readers));
        }
    }
    sources.sort_unstable();
    sources.dedup();
    sources
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
