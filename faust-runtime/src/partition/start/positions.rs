//! Where a task begins: what the group has committed for its sources, and whether that belongs to its state.

use super::recovered::reset_tables;
use super::*;

/// A source partition and where it is to go on.
pub(super) struct Position {
    pub(super) of: TopicPartition,
    pub(super) topic: usize,
    pub(super) committed: Option<Committed>,
    pub(super) metadata: Option<Metadata>,
    pub(super) start: Offset,
    /// What is committed is not in the log any more; looked for where somebody has said what to do then.
    pub(super) gone: bool,
}

/// The group's committed offsets of the task's sources, after whatever was open has been ended.
pub(super) async fn find_positions(shard: &Shard, id: TaskId) -> Result<Vec<Position>, StartError> {
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

/// State without committed positions, or positions without our metadata, were changed from outside.
pub(super) async fn check(
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
pub(super) fn marked(
    recovered: &[(usize, Recovered)],
    of: &TopicPartition,
) -> Option<(Offset, String)> {
    let of = of.to_string();
    let sources = recovered.iter().flat_map(|(_, table)| &table.mark.sources);
    let found = sources.filter(|(name, _, _)| *name == of).max_by_key(|(_, offset, _)| *offset);
    found.map(|(_, offset, metadata)| (*offset, metadata.clone()))
}
