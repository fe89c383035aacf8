//! InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit and EndTxn.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, InitProducerIdRequest,
    InitProducerIdResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

use super::offsets::check_offsets;
use super::{Context, code};
use crate::groups::Committer;
use crate::groups::offsets::OffsetCommit;
use crate::server::Hangup;
use crate::state::Producer;

/// Clients of earlier versions do not know PRODUCER_FENCED.
fn known<T>(
    cx: &Context<'_>,
    fenced_since: i16,
    result: Result<T, ResponseError>,
) -> Result<T, ResponseError> {
    match result {
        Err(ResponseError::ProducerFenced) if cx.version < fenced_since => {
            Err(ResponseError::InvalidProducerEpoch)
        }
        result => result,
    }
}

pub(super) fn init_producer_id(
    cx: &Context<'_>,
    request: InitProducerIdRequest,
) -> Result<InitProducerIdResponse, Hangup> {
    let former = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let former = Some(former).filter(|former| former.id >= 0 && former.epoch >= 0);
    let mut state = cx.shared.lock()?;
    let result = match &request.transactional_id {
        None => state.new_producer(),
        Some(id) => state.init_transactions(id, request.transaction_timeout_ms, former),
    };
    let response = InitProducerIdResponse::default();
    Ok(match known(cx, 4, result) {
        Ok(producer) => {
            response.with_producer_id(producer.id.into()).with_producer_epoch(producer.epoch)
        }
        Err(error) => response
            .with_error_code(error.code())
            .with_producer_id((-1).into())
            .with_producer_epoch(-1),
    })
}

pub(super) fn add_partitions(
    cx: &Context<'_>,
    request: AddPartitionsToTxnRequest,
) -> Result<AddPartitionsToTxnResponse, Hangup> {
    let producer = Producer {
        id: request.v3_and_below_producer_id.0,
        epoch: request.v3_and_below_producer_epoch,
    };
    let mut state = cx.shared.lock()?;
    let mut unknown = Vec::new();
    let mut wanted = Vec::new();
    for topic in &request.v3_and_below_topics {
        for partition in &topic.partitions {
            match state.check_partition(&topic.name, *partition) {
                Ok(()) => wanted.push((topic.name.to_string(), *partition)),
                Err(_) => unknown.push((topic.name.clone(), *partition)),
            }
        }
    }
    // All or none: with one unknown partition the others are not added either.
    let result = match unknown.is_empty() {
        true => state.add_partitions(&request.v3_and_below_transactional_id, producer, wanted),
        false => Err(ResponseError::OperationNotAttempted),
    };
    let result = known(cx, 2, result);
    let topics = request.v3_and_below_topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let is_unknown = unknown.contains(&(topic.name.clone(), *partition));
            let code = match is_unknown {
                true => ResponseError::UnknownTopicOrPartition.code(),
                false => code(&result),
            };
            let result =
                AddPartitionsToTxnPartitionResult::default().with_partition_index(*partition);
            result.with_partition_error_code(code)
        });
        let partitions = partitions.collect();
        let result = AddPartitionsToTxnTopicResult::default().with_name(topic.name);
        result.with_results_by_partition(partitions)
    });
    Ok(AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(topics.collect()))
}

pub(super) fn add_offsets(
    cx: &Context<'_>,
    request: AddOffsetsToTxnRequest,
) -> Result<AddOffsetsToTxnResponse, Hangup> {
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let mut state = cx.shared.lock()?;
    let result = state.add_group(&request.transactional_id, producer, &request.group_id);
    Ok(AddOffsetsToTxnResponse::default().with_error_code(code(&known(cx, 2, result))))
}

pub(super) fn end(cx: &Context<'_>, request: EndTxnRequest) -> Result<EndTxnResponse, Hangup> {
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let mut state = cx.shared.lock()?;
    let result = state.end_transaction(&request.transactional_id, producer, request.committed);
    Ok(EndTxnResponse::default().with_error_code(code(&known(cx, 2, result))))
}

pub(super) fn commit_offsets(
    cx: &Context<'_>,
    request: TxnOffsetCommitRequest,
) -> Result<TxnOffsetCommitResponse, Hangup> {
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let committer = Committer {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
        generation: request.generation_id,
        transactional: true,
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
    let mut state = cx.shared.lock()?;
    let (sound, results) = check_offsets(&mut state, offsets);
    let added =
        state.add_offsets(&request.transactional_id, producer, &request.group_id, committer, sound);
    // No version of this request knows PRODUCER_FENCED.
    let added = known(cx, i16::MAX, added);
    let mut results = results.into_iter();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions =
            topic.partitions.iter().zip(results.by_ref()).map(|(partition, result)| {
                let response = TxnOffsetCommitResponsePartition::default();
                let response = response.with_partition_index(partition.partition_index);
                response.with_error_code(code(&added.and(result)))
            });
        let partitions = partitions.collect();
        TxnOffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    });
    Ok(TxnOffsetCommitResponse::default().with_topics(topics.collect()))
}
