//! Produce: batches in, offsets out.

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

use super::{Context, decode, reply, since};
use crate::server::Hangup;
use crate::state::Appended;
use crate::storage::batch::Batch;

/// Since this version an answer says where the log starts.
const LOG_START: i16 = 5;

pub(super) fn produce(cx: &Context<'_>, body: Bytes) -> Result<Option<BytesMut>, Hangup> {
    let request: ProduceRequest = decode(cx, body)?;
    let wants_answer = request.acks != 0;
    let response = append(cx, request)?;
    if wants_answer { reply::<ProduceRequest>(cx, &response).map(Some) } else { Ok(None) }
}

fn append(cx: &Context<'_>, request: ProduceRequest) -> Result<ProduceResponse, Hangup> {
    // There is one replica: 1 and "all" are the same.
    let acks_are_known = matches!(request.acks, -1..=1);
    // Checksums are computed before the lock is taken.
    let check = |partition: PartitionProduceData| {
        let batch = match partition.records {
            _ if !acks_are_known => Err(ResponseError::InvalidRequiredAcks),
            Some(records) => Batch::check(&records),
            None => Err(ResponseError::InvalidRecord),
        };
        (partition.index, batch)
    };
    let topics: Vec<_> = request
        .topic_data
        .into_iter()
        .map(|topic| (topic.name, topic.partition_data.into_iter().map(check).collect::<Vec<_>>()))
        .collect();

    let mut state = cx.shared.lock()?;
    let mut responses = Vec::with_capacity(topics.len());
    for (name, partitions) in topics {
        let mut answers = Vec::with_capacity(partitions.len());
        for (index, batch) in partitions {
            let result = batch.and_then(|batch| state.produce(&name, index, batch));
            answers.push(partition_response(cx, index, result));
        }
        responses.push(
            TopicProduceResponse::default().with_name(name).with_partition_responses(answers),
        );
    }
    Ok(ProduceResponse::default().with_responses(responses))
}

fn partition_response(
    cx: &Context<'_>,
    index: i32,
    result: Result<Appended, ResponseError>,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    match result {
        Ok(appended) => response
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(appended.log_append_time)
            .with_log_start_offset(since(cx, LOG_START, appended.log_start, -1)),
        Err(error) => response.with_error_code(error.code()).with_base_offset(-1),
    }
}
