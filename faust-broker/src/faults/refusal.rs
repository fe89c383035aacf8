//! The answer that refuses a request: the same shape as a good one, with an error code wherever there is a place for it.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable};

/// Whether [`refusal`] knows the API.
pub(super) fn can_refuse(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::Produce
            | ApiKey::Fetch
            | ApiKey::ListOffsets
            | ApiKey::OffsetCommit
            | ApiKey::OffsetFetch
            | ApiKey::FindCoordinator
            | ApiKey::JoinGroup
            | ApiKey::Heartbeat
            | ApiKey::LeaveGroup
            | ApiKey::SyncGroup
            | ApiKey::InitProducerId
            | ApiKey::AddPartitionsToTxn
            | ApiKey::AddOffsetsToTxn
            | ApiKey::EndTxn
            | ApiKey::TxnOffsetCommit
    )
}

/// The frame that answers the request in `frame` with an error code; `None` if it cannot be refused that way.
#[doc(hidden)]
#[must_use]
pub fn refusal(frame: &Bytes, code: i16) -> Option<BytesMut> {
    let mut start = frame.get(..8)?;
    let (api, version) = (ApiKey::try_from(start.get_i16()).ok()?, start.get_i16());
    let correlation_id = start.get_i32();
    let mut body = frame.clone();
    RequestHeader::decode(&mut body, api.request_header_version(version)).ok()?;
    let answer = response(api, version, &mut body, code)?;

    let mut answered = BytesMut::from([0; 4].as_slice());
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    header.encode(&mut answered, api.response_header_version(version)).ok()?;
    answer.encode(&mut answered, version).ok()?;
    let length = i32::try_from(answered.len() - 4).ok()?;
    answered.get_mut(..4)?.copy_from_slice(&length.to_be_bytes());
    Some(answered)
}

fn response(api: ApiKey, version: i16, body: &mut Bytes, code: i16) -> Option<ResponseKind> {
    Some(match RequestKind::decode(api, body, version).ok()? {
        RequestKind::Produce(request) => produce(request, code).into(),
        RequestKind::Fetch(request) => fetch(request, code).into(),
        RequestKind::ListOffsets(request) => list_offsets(request, code).into(),
        RequestKind::OffsetCommit(request) => offset_commit(request, code).into(),
        RequestKind::OffsetFetch(request) => offset_fetch(request, version, code).into(),
        RequestKind::FindCoordinator(request) => find_coordinator(request, version, code).into(),
        RequestKind::JoinGroup(request) => JoinGroupResponse::default()
            .with_error_code(code)
            .with_generation_id(-1)
            .with_member_id(request.member_id)
            .into(),
        RequestKind::Heartbeat(_) => HeartbeatResponse::default().with_error_code(code).into(),
        RequestKind::LeaveGroup(_) => LeaveGroupResponse::default().with_error_code(code).into(),
        RequestKind::SyncGroup(_) => SyncGroupResponse::default().with_error_code(code).into(),
        RequestKind::InitProducerId(_) => InitProducerIdResponse::default()
            .with_error_code(code)
            .with_producer_id((-1).into())
            .into(),
        RequestKind::AddPartitionsToTxn(request) if version <= 3 => {
            add_partitions(request, code).into()
        }
        RequestKind::AddPartitionsToTxn(_) => {
            AddPartitionsToTxnResponse::default().with_error_code(code).into()
        }
        RequestKind::AddOffsetsToTxn(_) => {
            AddOffsetsToTxnResponse::default().with_error_code(code).into()
        }
        RequestKind::EndTxn(_) => EndTxnResponse::default().with_error_code(code).into(),
        RequestKind::TxnOffsetCommit(request) => txn_offset_commit(request, code).into(),
        _ => return None,
    })
}

fn produce(request: ProduceRequest, code: i16) -> ProduceResponse {
    let topics = request.topic_data.into_iter().map(|topic| {
        let partitions = topic.partition_data.into_iter().map(|partition| {
            let response = PartitionProduceResponse::default().with_index(partition.index);
            response.with_error_code(code).with_base_offset(-1)
        });
        TopicProduceResponse::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_partition_responses(partitions.collect())
    });
    ProduceResponse::default().with_responses(topics.collect())
}

fn fetch(request: FetchRequest, code: i16) -> FetchResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| {
            PartitionData::default()
                .with_partition_index(partition.partition)
                .with_error_code(code)
                .with_high_watermark(-1)
                .with_records(Some(Bytes::new()))
        });
        FetchableTopicResponse::default()
            .with_topic(topic.topic)
            .with_topic_id(topic.topic_id)
            .with_partitions(partitions.collect())
    });
    FetchResponse::default().with_responses(topics.collect())
}

fn list_offsets(request: ListOffsetsRequest, code: i16) -> ListOffsetsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| {
            ListOffsetsPartitionResponse::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code)
        });
        let response = ListOffsetsTopicResponse::default().with_name(topic.name);
        response.with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn offset_commit(request: OffsetCommitRequest, code: i16) -> OffsetCommitResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code)
        });
        OffsetCommitResponseTopic::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

fn offset_fetch(request: OffsetFetchRequest, version: i16, code: i16) -> OffsetFetchResponse {
    let response = OffsetFetchResponse::default();
    if version >= 8 {
        let refused = |group: OffsetFetchRequestGroup| {
            let response = OffsetFetchResponseGroup::default().with_group_id(group.group_id);
            response.with_error_code(code)
        };
        return response.with_groups(request.groups.into_iter().map(refused).collect());
    }
    // Version 1 has no error but that of a partition; the versions after it have both.
    let topics = request.topics.unwrap_or_default().into_iter().map(|topic| {
        let partitions = topic.partition_indexes.into_iter().map(|index| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(index)
                .with_committed_offset(-1)
                .with_error_code(code)
        });
        let response = OffsetFetchResponseTopic::default().with_name(topic.name);
        response.with_partitions(partitions.collect())
    });
    let code = if version >= 2 { code } else { 0 };
    response.with_topics(topics.collect()).with_error_code(code)
}

fn find_coordinator(
    request: FindCoordinatorRequest,
    version: i16,
    code: i16,
) -> FindCoordinatorResponse {
    let response = FindCoordinatorResponse::default();
    if version >= 4 {
        let refused = |key| {
            let coordinator = Coordinator::default().with_key(key).with_node_id((-1).into());
            coordinator.with_port(-1).with_error_code(code)
        };
        let keys = request.coordinator_keys.into_iter();
        return response.with_coordinators(keys.map(refused).collect());
    }
    response.with_error_code(code).with_node_id((-1).into()).with_port(-1)
}

fn add_partitions(request: AddPartitionsToTxnRequest, code: i16) -> AddPartitionsToTxnResponse {
    let topics = request.v3_and_below_topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|index| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(index)
                .with_partition_error_code(code)
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name)
            .with_results_by_partition(partitions.collect())
    });
    AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(topics.collect())
}

fn txn_offset_commit(request: TxnOffsetCommitRequest, code: i16) -> TxnOffsetCommitResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|partition| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code)
        });
        let response = TxnOffsetCommitResponseTopic::default().with_name(topic.name);
        response.with_partitions(partitions.collect())
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}
