//! OffsetCommit and OffsetFetch.

use std::time::Instant;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, TopicName,
};

use super::{Context, since};
use crate::groups::Committer;
use crate::groups::offsets::{MAX_METADATA_BYTES, OffsetCommit};
use crate::server::Hangup;
use crate::state::State;
use crate::storage::journal::Entry;

/// Since this version of OffsetFetch an answer carries the leader epoch.
const EPOCH: i16 = 5;
/// Since this version of OffsetFetch one request asks for many groups.
const GROUPS: i16 = 8;

/// Splits offsets into those that may be committed and the answers for all of them.
pub(super) fn check_offsets(
    state: &mut State,
    offsets: impl Iterator<Item = OffsetCommit>,
) -> (Vec<OffsetCommit>, Vec<Result<(), ResponseError>>) {
    let (mut sound, mut results) = (Vec::new(), Vec::new());
    for offset in offsets {
        let result = state.topics.log(&offset.topic, offset.partition).and_then(|_| {
            let fits = offset.metadata.len() <= MAX_METADATA_BYTES;
            fits.then_some(()).ok_or(ResponseError::OffsetMetadataTooLarge)
        });
        results.push(result);
        if result.is_ok() {
            sound.push(offset);
        }
    }
    (sound, results)
}

pub(super) fn commit(
    cx: &Context<'_>,
    request: OffsetCommitRequest,
) -> Result<OffsetCommitResponse, Hangup> {
    let committer = Committer {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
        generation: request.generation_id_or_member_epoch,
        transactional: false,
    };
    let mut state = cx.shared.lock()?;
    let checked = match state.groups.get_mut(&request.group_id) {
        _ if request.group_id.is_empty() => Err(ResponseError::InvalidGroupId),
        Some(group) => group.check_committer(committer, Instant::now()),
        None if committer.generation < 0 => Ok(()),
        None => Err(ResponseError::IllegalGeneration),
    };
    let offsets = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| OffsetCommit {
            topic: topic.name.to_string(),
            partition: partition.partition_index,
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: partition.committed_metadata.as_deref().unwrap_or_default().to_owned(),
        })
    });
    let (sound, results) = check_offsets(&mut state, offsets);
    let group = request.group_id.to_string();
    let recorded = checked.and_then(|()| match sound.is_empty() {
        true => Ok(()),
        false => state.record(Entry::OffsetsCommitted { group, offsets: sound }),
    });
    let mut results = results.into_iter();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions =
            topic.partitions.iter().zip(results.by_ref()).map(|(partition, result)| {
                let code = recorded.and(result).err().map_or(0, |error| error.code());
                let response = OffsetCommitResponsePartition::default().with_error_code(code);
                response.with_partition_index(partition.partition_index)
            });
        let partitions = partitions.collect();
        OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    Ok(OffsetCommitResponse::default().with_topics(topics.collect()))
}

/// A topic's partitions with what is committed for them.
type FetchedTopic = (TopicName, Vec<(i32, Result<OffsetCommit, ResponseError>)>);

/// A group's offsets, or why they are not told.
type Fetched = Result<Vec<FetchedTopic>, ResponseError>;

/// What a reader gets for a partition without a commit.
fn nothing(topic: &str, partition: i32) -> OffsetCommit {
    let (topic, metadata) = (topic.to_owned(), String::new());
    OffsetCommit { topic, partition, offset: -1, leader_epoch: -1, metadata }
}

/// Looks up the partitions that a request names, or all of the group.
fn look_up(
    state: &State,
    group_id: &str,
    wanted: Option<Vec<(TopicName, Vec<i32>)>>,
    require_stable: bool,
) -> Fetched {
    let group = state.groups.get(group_id);
    let wanted = wanted.unwrap_or_else(|| {
        let mut all: Vec<(TopicName, Vec<i32>)> = Vec::new();
        for commit in group.iter().flat_map(|group| group.offsets.iter()) {
            match all.last_mut().filter(|(topic, _)| topic.as_str() == commit.topic) {
                Some((_, partitions)) => partitions.push(commit.partition),
                None => {
                    all.push((super::text(commit.topic.clone()).into(), vec![commit.partition]))
                }
            }
        }
        all
    });
    let unstable = |topic: &str, partition| {
        require_stable && state.transactions.holds_offset(group_id, topic, partition)
    };
    let look = |topic: &str, partition| {
        if unstable(topic, partition) {
            return Err(ResponseError::UnstableOffsetCommit);
        }
        let commit = group.and_then(|group| group.offsets.get(topic, partition));
        Ok(commit.cloned().unwrap_or_else(|| nothing(topic, partition)))
    };
    let topics = wanted.into_iter().map(|(topic, partitions)| {
        let found =
            partitions.into_iter().map(|partition| (partition, look(&topic, partition))).collect();
        (topic, found)
    });
    Ok(topics.collect())
}

pub(super) fn fetch(
    cx: &Context<'_>,
    request: OffsetFetchRequest,
) -> Result<OffsetFetchResponse, Hangup> {
    let mut state = cx.shared.lock()?;
    let require_stable = request.require_stable;
    if cx.version < GROUPS {
        let wanted = request.topics.map(|topics| {
            topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
        });
        let fetched = look_up(&state, &request.group_id, wanted, require_stable);
        return Ok(one_group(cx, fetched));
    }
    let groups = request.groups.into_iter().map(|group| {
        // A member of a KIP-848 group says who it is, so that a stale one notices.
        let member_id = group.member_id.as_deref().unwrap_or_default();
        let committer = Committer {
            member_id,
            instance_id: None,
            generation: group.member_epoch,
            transactional: false,
        };
        let is_member = !member_id.is_empty() && group.member_epoch >= 0;
        let checked = match state.groups.get_mut(&group.group_id) {
            Some(group) if is_member => group.check_committer(committer, Instant::now()),
            None if is_member => Err(ResponseError::GroupIdNotFound),
            _ => Ok(()),
        };
        let wanted = group.topics.map(|topics| {
            topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
        });
        let fetched =
            checked.and_then(|()| look_up(&state, &group.group_id, wanted, require_stable));
        let response = OffsetFetchResponseGroup::default().with_group_id(group.group_id);
        match fetched {
            Ok(topics) => response.with_topics(topics.into_iter().map(topic_of_groups).collect()),
            Err(error) => response.with_error_code(error.code()),
        }
    });
    Ok(OffsetFetchResponse::default().with_groups(groups.collect()))
}

fn topic_of_groups((topic, partitions): FetchedTopic) -> OffsetFetchResponseTopics {
    let partitions = partitions.into_iter().map(|(index, result)| {
        let code = super::code(&result);
        let commit = result.unwrap_or_else(|_| nothing(&topic, index));
        OffsetFetchResponsePartitions::default()
            .with_partition_index(index)
            .with_error_code(code)
            .with_committed_offset(commit.offset)
            .with_committed_leader_epoch(commit.leader_epoch)
            .with_metadata(Some(super::text(commit.metadata)))
    });
    let partitions = partitions.collect();
    OffsetFetchResponseTopics::default().with_name(topic).with_partitions(partitions)
}

fn one_group(cx: &Context<'_>, fetched: Fetched) -> OffsetFetchResponse {
    let response = OffsetFetchResponse::default();
    let topics = match fetched {
        Ok(topics) => topics,
        Err(error) => return response.with_error_code(since(cx, 2, error.code(), 0)),
    };
    let topics = topics.into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|(index, result)| {
            let code = super::code(&result);
            let commit = result.unwrap_or_else(|_| nothing(&topic, index));
            OffsetFetchResponsePartition::default()
                .with_partition_index(index)
                .with_error_code(code)
                .with_committed_offset(commit.offset)
                .with_committed_leader_epoch(since(cx, EPOCH, commit.leader_epoch, -1))
                .with_metadata(Some(super::text(commit.metadata)))
        });
        let partitions = partitions.collect();
        OffsetFetchResponseTopic::default().with_name(topic).with_partitions(partitions)
    });
    response.with_topics(topics.collect())
}
