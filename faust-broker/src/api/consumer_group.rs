//! ConsumerGroupHeartbeat: the whole conversation of a KIP-848 member.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Context, text};
use crate::groups::consumer::{Assignor, HEARTBEAT_INTERVAL, Heartbeat, Partitions, Told};
use crate::server::Hangup;
use crate::state::State;

pub(super) fn heartbeat(
    cx: &Context<'_>,
    request: ConsumerGroupHeartbeatRequest,
) -> Result<ConsumerGroupHeartbeatResponse, Hangup> {
    let mut state = cx.shared.lock()?;
    let response = ConsumerGroupHeartbeatResponse::default();
    Ok(match hear(&mut state, request) {
        Ok(told) => response
            .with_member_id(Some(text(told.member_id)))
            .with_member_epoch(told.member_epoch)
            .with_heartbeat_interval_ms(
                i32::try_from(HEARTBEAT_INTERVAL.as_millis()).unwrap_or(i32::MAX),
            )
            .with_assignment(told.assignment.map(assignment)),
        Err(error) => {
            response.with_error_code(error.code()).with_error_message(Some(text(error.to_string())))
        }
    })
}

fn hear(state: &mut State, request: ConsumerGroupHeartbeatRequest) -> Result<Told, ResponseError> {
    if request.group_id.is_empty() {
        return Err(ResponseError::InvalidRequest);
    }
    let assignor = match &request.server_assignor {
        None => None,
        Some(name) => Some(Assignor::named(name).ok_or(ResponseError::UnsupportedAssignor)?),
    };
    let owned = request.topic_partitions.map(|topics| {
        let of_topic =
            |topic: kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions| {
                topic.partitions.into_iter().map(move |partition| (topic.topic_id, partition))
            };
        topics.into_iter().flat_map(of_topic).collect::<Partitions>()
    });
    let names = |names: Vec<kafka_protocol::messages::TopicName>| {
        let mut names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        names.sort();
        names
    };
    let heartbeat = Heartbeat {
        member_id: request.member_id.to_string(),
        member_epoch: request.member_epoch,
        instance_id: request.instance_id.as_ref().map(StrBytes::to_string),
        rebalance_timeout: u64::try_from(request.rebalance_timeout_ms)
            .ok()
            .map(Duration::from_millis),
        topics: request.subscribed_topic_names.map(names),
        regex: request.subscribed_topic_regex.as_ref().map(StrBytes::to_string),
        assignor,
        owned,
    };
    let State { topics, groups, .. } = state;
    let joins = heartbeat.member_epoch == 0;
    let group = match groups.get_mut(&request.group_id) {
        Some(group) => group,
        None if joins => groups.get_or_create(&request.group_id),
        None => return Err(ResponseError::GroupIdNotFound),
    };
    group.consumer()?.heartbeat(heartbeat, topics, Instant::now())
}

fn assignment(partitions: Partitions) -> Assignment {
    let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(topic).or_default().push(partition);
    }
    let of_topic =
        |(id, partitions)| TopicPartitions::default().with_topic_id(id).with_partitions(partitions);
    Assignment::default().with_topic_partitions(topics.into_iter().map(of_topic).collect())
}
