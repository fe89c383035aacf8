//! Fetch: a long poll. The answer waits until there is enough to say, or the time is over.

use std::sync::{Arc, Condvar};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use super::{Context, since};
use crate::log::transactions::Aborted;
use crate::log::{Found, Isolation};
use crate::server::Hangup;
use crate::state::State;

/// Since this version an answer says where the log starts.
const LOG_START: i16 = 5;

/// A fetch that names no partition has no bell to wake it when the broker stops, so it looks.
const LONGEST_NAP: Duration = Duration::from_millis(500);

type Finding = (i32, Result<Found, ResponseError>);

pub(super) fn fetch(cx: &Context<'_>, request: FetchRequest) -> Result<FetchResponse, Hangup> {
    let findings = wait_for(cx, &request)?;
    // Files are read here, without the lock.
    let mut responses = Vec::with_capacity(findings.len());
    for (topic, partitions) in request.topics.iter().zip(findings) {
        let data = partitions.into_iter().map(|(index, result)| partition_data(cx, index, result));
        let response = FetchableTopicResponse::default().with_topic(topic.topic.clone());
        responses.push(response.with_partitions(data.collect()));
    }
    // Session id 0: every fetch names all its partitions, there are no fetch sessions.
    Ok(FetchResponse::default().with_responses(responses))
}

/// Looks until there are `min_bytes`, an error, or no time left.
fn wait_for(cx: &Context<'_>, request: &FetchRequest) -> Result<Vec<Vec<Finding>>, Hangup> {
    let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
    let deadline = Instant::now() + max_wait;
    let bell = Arc::new(Condvar::new());
    let mut state = cx.shared.lock()?;
    loop {
        let (findings, size, failed) = look(&mut state, request);
        let left = deadline.saturating_duration_since(Instant::now());
        if failed || size >= min_bytes || left.is_zero() {
            return Ok(findings);
        }
        for_each_log(&mut state, request, |log| log.wait(&bell));
        let woken = bell.wait_timeout(state, left.min(LONGEST_NAP));
        (state, _) = woken.map_err(|_| Hangup("an earlier request panicked".to_owned()))?;
        for_each_log(&mut state, request, |log| log.stop_waiting(&bell));
        if cx.shared.is_stopping() {
            return Err(Hangup("the broker stops".to_owned()));
        }
    }
}

fn for_each_log(
    state: &mut State,
    request: &FetchRequest,
    mut visit: impl FnMut(&mut crate::log::Log),
) {
    for topic in &request.topics {
        for partition in &topic.partitions {
            // A topic that was deleted meanwhile is noticed by the next look.
            if let Ok(log) = state.topics.log(&topic.topic, partition.partition) {
                visit(log);
            }
        }
    }
}

/// What is there now: the findings, their bytes, and whether one is an error.
fn look(state: &mut State, request: &FetchRequest) -> (Vec<Vec<Finding>>, usize, bool) {
    let isolation = Isolation::from(request.isolation_level);
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0);
    let (mut size, mut failed) = (0, false);
    let mut findings = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut of_topic = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let partition_max = usize::try_from(partition.partition_max_bytes).unwrap_or(0);
            let limit = partition_max.min(max_bytes.saturating_sub(size));
            // A batch larger than the limits is sent alone, else its reader would be stuck.
            let result = check_epoch(partition)
                .and_then(|()| state.topics.log(&topic.topic, partition.partition))
                .and_then(|log| log.read(partition.fetch_offset, limit, size == 0, isolation));
            match &result {
                Ok(found) => size += found.size,
                Err(_) => failed = true,
            }
            of_topic.push((partition.partition, result));
        }
        findings.push(of_topic);
    }
    (findings, size, failed)
}

fn check_epoch(partition: &FetchPartition) -> Result<(), ResponseError> {
    let known = partition.current_leader_epoch <= super::LEADER_EPOCH;
    known.then_some(()).ok_or(ResponseError::UnknownLeaderEpoch)
}

fn partition_data(
    cx: &Context<'_>,
    index: i32,
    result: Result<Found, ResponseError>,
) -> PartitionData {
    let data = PartitionData::default().with_partition_index(index);
    let read = result.and_then(|found| {
        let records = match found.piece {
            None => Bytes::new(),
            Some(piece) => piece.read().map_err(|error| {
                tracing::error!(%error, "cannot read a partition file; clients get KAFKA_STORAGE_ERROR");
                ResponseError::KafkaStorageError
            })?,
        };
        Ok((found.bounds, found.aborted, records))
    });
    match read {
        Ok((bounds, aborted, records)) => data
            .with_high_watermark(bounds.end)
            .with_last_stable_offset(bounds.last_stable)
            .with_log_start_offset(since(cx, LOG_START, bounds.start, -1))
            .with_aborted_transactions(Some(aborted.iter().map(aborted_transaction).collect()))
            .with_records(Some(records)),
        // Empty, not null: clients take null for a malformed answer.
        Err(error) => data
            .with_error_code(error.code())
            .with_high_watermark(-1)
            .with_records(Some(Bytes::new())),
    }
}

fn aborted_transaction(aborted: &Aborted) -> AbortedTransaction {
    let transaction = AbortedTransaction::default().with_first_offset(aborted.first_offset);
    transaction.with_producer_id(aborted.producer_id.into())
}
