//! Metadata: the node, and the topics with their partitions. It may create topics on the way.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use uuid::Uuid;

use super::{Context, LEADER_EPOCH, NODE, since, text};
use crate::server::Hangup;
use crate::state::State;
use crate::storage::journal::Entry;
use crate::topics::{Topic, check_name};

const CLUSTER_ID: i16 = 2;
const AUTO_CREATE: i16 = 4;
const EPOCH: i16 = 7;
const TOPIC_IDS: i16 = 10;

pub(super) fn metadata(
    cx: &Context<'_>,
    request: MetadataRequest,
) -> Result<MetadataResponse, Hangup> {
    let mut state = cx.shared.lock()?;
    let all = |state: &State| {
        state.topics.iter().map(|(name, topic)| describe(cx, name, topic)).collect::<Vec<_>>()
    };
    let topics = match request.topics {
        None => all(&state),
        // Before version 1 there was no null: empty meant all.
        Some(topics) if topics.is_empty() && cx.version == 0 => all(&state),
        Some(topics) => {
            let may_create = cx.version < AUTO_CREATE || request.allow_auto_topic_creation;
            topics.into_iter().map(|topic| find(cx, &mut state, topic, may_create)).collect()
        }
    };
    let (host, port) = (cx.shared.address.ip().to_string(), cx.shared.address.port());
    let broker = MetadataResponseBroker::default().with_node_id(NODE.into());
    let broker = broker.with_host(text(host)).with_port(port.into());
    let cluster_id = since(cx, CLUSTER_ID, Some(text(state.cluster_id.clone())), None);
    Ok(MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(cluster_id)
        .with_controller_id(since(cx, 1, NODE, -1).into())
        .with_topics(topics))
}

fn find(
    cx: &Context<'_>,
    state: &mut State,
    wanted: MetadataRequestTopic,
    may_create: bool,
) -> MetadataResponseTopic {
    let by_id = || state.topics.name_of(wanted.topic_id).cloned();
    let named = wanted.name.as_ref().map(|name| name.to_string());
    let Some(name) = named.or_else(by_id) else {
        let unknown = MetadataResponseTopic::default().with_topic_id(wanted.topic_id);
        return unknown.with_error_code(ResponseError::UnknownTopicId.code());
    };
    let created = match state.topics.get(&name) {
        Some(_) => Ok(()),
        None => check_name(&name).and_then(|()| match may_create {
            true => state.record(Entry::TopicCreated {
                name: name.clone(),
                id: Uuid::new_v4(),
                partitions: cx.shared.config.default_partitions,
                configs: BTreeMap::new(),
            }),
            false => Err(ResponseError::UnknownTopicOrPartition),
        }),
    };
    match (created, state.topics.get(&name)) {
        (Ok(()), Some(topic)) => describe(cx, &name, topic),
        (result, _) => {
            let error = result.err().unwrap_or(ResponseError::UnknownTopicOrPartition);
            let unknown = MetadataResponseTopic::default().with_name(Some(text(name).into()));
            unknown.with_error_code(error.code())
        }
    }
}

fn describe(cx: &Context<'_>, name: &str, topic: &Topic) -> MetadataResponseTopic {
    let partition = |index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(NODE.into())
            .with_leader_epoch(since(cx, EPOCH, LEADER_EPOCH, -1))
            .with_replica_nodes(vec![NODE.into()])
            .with_isr_nodes(vec![NODE.into()])
    };
    MetadataResponseTopic::default()
        .with_name(Some(text(name).into()))
        .with_topic_id(since(cx, TOPIC_IDS, topic.id, Uuid::nil()))
        .with_partitions((0..topic.partition_count()).map(partition).collect())
}
