//! CreateTopics, CreatePartitions, DeleteTopics and DeleteRecords.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
};
use uuid::Uuid;

use super::configs::source;
use super::{Context, code, since, text};
use crate::server::Hangup;
use crate::state::State;
use crate::storage::journal::Entry;
use crate::topics::check_name;
use crate::topics::settings::{SETTINGS, check};

/// More would be a slip of the keyboard: each partition costs memory and a file.
const MAX_PARTITIONS: i32 = 10_000;
/// "The broker's default" in a request.
const DEFAULT: i32 = -1;
/// The offset that means "all records" in DeleteRecords.
const HIGH_WATERMARK: i64 = -1;

/// What went wrong, in a number and in words.
type Refusal = (ResponseError, String);

fn refusal(error: ResponseError) -> Refusal {
    (error, error.to_string())
}

pub(super) fn create(
    cx: &Context<'_>,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, Hangup> {
    let mut state = cx.shared.lock()?;
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let result = CreatableTopicResult::default().with_name(topic.name.clone());
        topics.push(match create_one(cx, &mut state, &topic, request.validate_only) {
            Ok(id) => describe_created(cx, &state, result, &topic).with_topic_id(since(
                cx,
                7,
                id,
                Uuid::nil(),
            )),
            Err((error, message)) => result
                .with_error_code(error.code())
                .with_error_message(Some(text(message)))
                .with_num_partitions(-1)
                .with_replication_factor(-1),
        });
    }
    Ok(CreateTopicsResponse::default().with_topics(topics))
}

fn create_one(
    cx: &Context<'_>,
    state: &mut State,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<Uuid, Refusal> {
    check_name(&topic.name).map_err(refusal)?;
    if state.topics.get(&topic.name).is_some() {
        let message = format!("topic '{}' already exists", topic.name.as_str());
        return Err((ResponseError::TopicAlreadyExists, message));
    }
    let partitions = partition_count(cx, topic);
    if !(1..=MAX_PARTITIONS).contains(&partitions) {
        let message = format!("the number of partitions must be from 1 to {MAX_PARTITIONS}");
        return Err((ResponseError::InvalidPartitions, message));
    }
    // Manual assignments have no replication factor of their own.
    let replicas = if topic.assignments.is_empty() { topic.replication_factor } else { 1 };
    if !matches!(replicas, -1 | 1) {
        let message =
            format!("replication factor {replicas}, but the development broker is one node");
        return Err((ResponseError::InvalidReplicationFactor, message));
    }
    let configs =
        topic.configs.iter().map(|config| (config.name.as_str(), config.value.as_deref()));
    let configs = check(configs)?;
    let id = Uuid::new_v4();
    if !validate_only {
        let name = topic.name.to_string();
        state.record(Entry::TopicCreated { name, id, partitions, configs }).map_err(refusal)?;
    }
    Ok(id)
}

fn partition_count(cx: &Context<'_>, topic: &CreatableTopic) -> i32 {
    match topic.assignments.len() {
        0 if topic.num_partitions == DEFAULT => cx.shared.config.default_partitions,
        0 => topic.num_partitions,
        assigned => i32::try_from(assigned).unwrap_or(i32::MAX),
    }
}

/// Since version 5 an answer tells the settings of the new topic.
fn describe_created(
    cx: &Context<'_>,
    state: &State,
    result: CreatableTopicResult,
    topic: &CreatableTopic,
) -> CreatableTopicResult {
    let Some(created) = state.topics.get(&topic.name).filter(|_| cx.version >= 5) else {
        return result;
    };
    let config = |known: &crate::topics::settings::Setting| {
        CreatableTopicConfigs::default()
            .with_name(text(known.name))
            .with_value(Some(text(created.settings.get(known.name))))
            .with_config_source(source(created.settings.is_set(known.name)))
    };
    result
        .with_num_partitions(created.partition_count())
        .with_replication_factor(1)
        .with_configs(Some(SETTINGS.iter().map(config).collect()))
}

pub(super) fn create_partitions(
    cx: &Context<'_>,
    request: CreatePartitionsRequest,
) -> Result<CreatePartitionsResponse, Hangup> {
    let mut state = cx.shared.lock()?;
    let mut grow = |topic: &CreatePartitionsTopic| {
        let existing = state.topics.get(&topic.name);
        let current = existing
            .ok_or_else(|| refusal(ResponseError::UnknownTopicOrPartition))?
            .partition_count();
        if !(current + 1..=MAX_PARTITIONS).contains(&topic.count) {
            let message =
                format!("the topic has {current} partitions; it can grow to {MAX_PARTITIONS}");
            return Err((ResponseError::InvalidPartitions, message));
        }
        if request.validate_only {
            return Ok(());
        }
        let entry = Entry::TopicGrown { name: topic.name.to_string(), partitions: topic.count };
        state.record(entry).map_err(refusal)
    };
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let grown = grow(&topic);
        let result = CreatePartitionsTopicResult::default().with_name(topic.name);
        results.push(match grown {
            Ok(()) => result,
            Err((error, message)) => {
                result.with_error_code(error.code()).with_error_message(Some(text(message)))
            }
        });
    }
    Ok(CreatePartitionsResponse::default().with_results(results))
}

pub(super) fn delete(
    cx: &Context<'_>,
    request: DeleteTopicsRequest,
) -> Result<DeleteTopicsResponse, Hangup> {
    let mut state = cx.shared.lock()?;
    let responses = request.topic_names.into_iter().map(|name| {
        let result = state.delete_topic(&name);
        DeletableTopicResult::default().with_name(Some(name)).with_error_code(code(&result))
    });
    Ok(DeleteTopicsResponse::default().with_responses(responses.collect()))
}

pub(super) fn delete_records(
    cx: &Context<'_>,
    request: DeleteRecordsRequest,
) -> Result<DeleteRecordsResponse, Hangup> {
    let mut state = cx.shared.lock()?;
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let index = partition.partition_index;
            let deleted = delete_before(&mut state, &topic.name, index, partition.offset);
            let result = DeleteRecordsPartitionResult::default().with_partition_index(index);
            let result = result.with_error_code(code(&deleted));
            partitions.push(result.with_low_watermark(deleted.unwrap_or(-1)));
        }
        let result = DeleteRecordsTopicResult::default().with_name(topic.name);
        topics.push(result.with_partitions(partitions));
    }
    Ok(DeleteRecordsResponse::default().with_topics(topics))
}

/// Moves the low watermark up to `offset`, never back; where it is then.
fn delete_before(
    state: &mut State,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<i64, ResponseError> {
    let known = state.topics.get(topic).ok_or(ResponseError::UnknownTopicOrPartition)?;
    if !known.settings.may_delete_records {
        return Err(ResponseError::PolicyViolation);
    }
    let bounds = state.topics.log(topic, partition)?.bounds();
    let before = if offset == HIGH_WATERMARK { bounds.end } else { offset };
    if !(0..=bounds.end).contains(&before) {
        return Err(ResponseError::OffsetOutOfRange);
    }
    if before > bounds.start {
        state.record(Entry::RecordsDeleted { topic: topic.to_owned(), partition, before })?;
    }
    Ok(before.max(bounds.start))
}
