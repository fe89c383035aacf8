//! ListOffsets and OffsetForLeaderEpoch: how far a partition reaches, and where a time begins.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};

use super::{Context, LEADER_EPOCH, since};
use crate::log::{Isolation, Log};
use crate::server::Hangup;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
/// Since this version an answer carries the leader epoch.
const EPOCH: i16 = 4;

pub(super) fn list_offsets(
    cx: &Context<'_>,
    request: ListOffsetsRequest,
) -> Result<ListOffsetsResponse, Hangup> {
    let isolation = Isolation::from(request.isolation_level);
    let mut state = cx.shared.lock()?;
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let index = partition.partition_index;
            let found = state
                .topics
                .log(&topic.name, index)
                .and_then(|log| find(log, partition.timestamp, isolation));
            let response = ListOffsetsPartitionResponse::default().with_partition_index(index);
            partitions.push(match found {
                Ok(Some((offset, timestamp))) => response
                    .with_offset(offset)
                    .with_timestamp(timestamp)
                    .with_leader_epoch(since(cx, EPOCH, LEADER_EPOCH, -1)),
                Ok(None) => response.with_offset(-1).with_timestamp(-1),
                Err(error) => {
                    response.with_error_code(error.code()).with_offset(-1).with_timestamp(-1)
                }
            });
        }
        let response = ListOffsetsTopicResponse::default().with_name(topic.name);
        topics.push(response.with_partitions(partitions));
    }
    Ok(ListOffsetsResponse::default().with_topics(topics))
}

/// An offset and its timestamp.
fn find(
    log: &mut Log,
    timestamp: i64,
    isolation: Isolation,
) -> Result<Option<(i64, i64)>, ResponseError> {
    let bounds = log.bounds();
    let end = match isolation {
        Isolation::ReadUncommitted => bounds.end,
        Isolation::ReadCommitted => bounds.last_stable,
    };
    match timestamp {
        LATEST => Ok(Some((end, -1))),
        EARLIEST => Ok(Some((bounds.start, -1))),
        MAX_TIMESTAMP => log.find_latest(),
        time => Ok(log.find_time(time)?.filter(|(offset, _)| *offset < end)),
    }
}

/// There was never another leader: its epoch ends where the log ends.
pub(super) fn for_leader_epoch(
    cx: &Context<'_>,
    request: OffsetForLeaderEpochRequest,
) -> Result<OffsetForLeaderEpochResponse, Hangup> {
    let mut state = cx.shared.lock()?;
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let end = EpochEndOffset::default().with_partition(partition.partition);
            partitions.push(match state.topics.log(&topic.topic, partition.partition) {
                Err(error) => end.with_error_code(error.code()),
                Ok(_) if partition.current_leader_epoch > LEADER_EPOCH => {
                    end.with_error_code(ResponseError::UnknownLeaderEpoch.code())
                }
                Ok(log) if partition.leader_epoch == LEADER_EPOCH => {
                    end.with_leader_epoch(LEADER_EPOCH).with_end_offset(log.bounds().end)
                }
                Ok(_) => end,
            });
        }
        let result = OffsetForLeaderTopicResult::default().with_topic(topic.topic);
        topics.push(result.with_partitions(partitions));
    }
    Ok(OffsetForLeaderEpochResponse::default().with_topics(topics))
}
