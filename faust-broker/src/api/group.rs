//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup: the life of a member of a classic group.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{Context, code, since, text};
use crate::groups::classic::Leave;
use crate::groups::classic::member::{Join, JoinedMember, Protocol};
use crate::groups::{Committer, Members};
use crate::server::Hangup;

/// Kafka's `group.max.session.timeout.ms`.
const MAX_SESSION_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Since this version of JoinGroup a client learns its id before it joins.
const MEMBER_ID_FIRST: i16 = 4;
/// Since these versions answers repeat the protocol.
const JOIN_PROTOCOL: i16 = 7;
const SYNC_PROTOCOL: i16 = 5;
/// Since this version of LeaveGroup many members leave at once.
const LEAVE_MANY: i16 = 3;

pub(super) fn join(
    cx: &Context<'_>,
    request: JoinGroupRequest,
) -> Result<JoinGroupResponse, Hangup> {
    let refuse = |error: ResponseError, member_id: StrBytes| {
        // The oldest versions have no null.
        let none = Some(StrBytes::new()).filter(|_| cx.version < JOIN_PROTOCOL);
        let response = JoinGroupResponse::default().with_error_code(error.code());
        response.with_generation_id(-1).with_protocol_name(none).with_member_id(member_id)
    };
    let session_timeout = milliseconds(request.session_timeout_ms);
    if request.group_id.is_empty() {
        return Ok(refuse(ResponseError::InvalidGroupId, request.member_id));
    }
    if !(cx.shared.config.min_session_timeout..=MAX_SESSION_TIMEOUT).contains(&session_timeout) {
        return Ok(refuse(ResponseError::InvalidSessionTimeout, request.member_id));
    }
    let protocol =
        |protocol: kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol| {
            Protocol { name: protocol.name.to_string(), metadata: protocol.metadata }
        };
    let join = Join {
        member_id: request.member_id.to_string(),
        instance_id: owned(request.group_instance_id.as_ref()),
        client_id: cx.client_id.clone(),
        client_host: format!("/{}", cx.host),
        session_timeout,
        // Version 0 has no rebalance timeout.
        rebalance_timeout: match request.rebalance_timeout_ms {
            ..0 => session_timeout,
            timeout => milliseconds(timeout),
        },
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.into_iter().map(protocol).collect(),
        must_know_id: cx.version >= MEMBER_ID_FIRST,
    };
    let answer = {
        let mut state = cx.shared.lock()?;
        match state.groups.get_or_create(&request.group_id).classic() {
            Ok(group) => group.join(&join, Instant::now()),
            Err(error) => return Ok(refuse(error, request.member_id)),
        }
    };
    let joined = match wait(&answer)? {
        Ok(joined) => joined,
        Err(refused) => return Ok(refuse(refused.error, text(refused.member_id))),
    };
    let member = |member: JoinedMember| {
        let instance_id = since(cx, 5, member.instance_id.map(text), None);
        let response = JoinGroupResponseMember::default().with_member_id(text(member.member_id));
        response.with_group_instance_id(instance_id).with_metadata(member.metadata)
    };
    Ok(JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(since(cx, JOIN_PROTOCOL, Some(text(joined.protocol_type)), None))
        .with_protocol_name(Some(text(joined.protocol)))
        .with_leader(text(joined.leader))
        .with_member_id(text(joined.member_id))
        .with_members(joined.members.into_iter().map(member).collect()))
}

pub(super) fn sync(
    cx: &Context<'_>,
    request: SyncGroupRequest,
) -> Result<SyncGroupResponse, Hangup> {
    let refuse = |error: ResponseError| SyncGroupResponse::default().with_error_code(error.code());
    let committer = Committer {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
        generation: request.generation_id,
        transactional: false,
    };
    let protocol = (request.protocol_type.as_deref(), request.protocol_name.as_deref());
    let assignments =
        request.assignments.into_iter().map(|a| (a.member_id.to_string(), a.assignment)).collect();
    let answer = {
        let mut state = cx.shared.lock()?;
        let group = state.groups.get_mut(&request.group_id);
        match group.ok_or(ResponseError::UnknownMemberId).and_then(|group| group.classic()) {
            Ok(group) => group.sync(committer, protocol, assignments, Instant::now()),
            Err(error) => return Ok(refuse(error)),
        }
    };
    Ok(match wait(&answer)? {
        Ok(synced) => SyncGroupResponse::default()
            .with_protocol_type(since(cx, SYNC_PROTOCOL, Some(text(synced.protocol_type)), None))
            .with_protocol_name(since(cx, SYNC_PROTOCOL, Some(text(synced.protocol)), None))
            .with_assignment(synced.assignment),
        Err(error) => refuse(error),
    })
}

pub(super) fn heartbeat(
    cx: &Context<'_>,
    request: HeartbeatRequest,
) -> Result<HeartbeatResponse, Hangup> {
    let committer = Committer {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
        generation: request.generation_id,
        transactional: false,
    };
    let mut state = cx.shared.lock()?;
    let group = state.groups.get_mut(&request.group_id).map(|group| &mut group.members);
    let result = match group {
        Some(Members::Classic(group)) => group.heartbeat(committer, Instant::now()),
        Some(Members::Consumer(_)) | None => Err(ResponseError::UnknownMemberId),
    };
    Ok(HeartbeatResponse::default().with_error_code(code(&result)))
}

pub(super) fn leave(
    cx: &Context<'_>,
    request: LeaveGroupRequest,
) -> Result<LeaveGroupResponse, Hangup> {
    let mut state = cx.shared.lock()?;
    let mut leave = |member_id: &str, instance_id: Option<&str>| {
        let group = state.groups.get_mut(&request.group_id).map(|group| &mut group.members);
        match group {
            Some(Members::Classic(group)) => {
                group.leave(&Leave { member_id, instance_id }, Instant::now())
            }
            Some(Members::Consumer(_)) | None => Err(ResponseError::UnknownMemberId),
        }
    };
    let response = LeaveGroupResponse::default();
    if cx.version < LEAVE_MANY {
        return Ok(response.with_error_code(code(&leave(&request.member_id, None))));
    }
    let members = request.members.into_iter().map(|member| {
        let result = leave(&member.member_id, member.group_instance_id.as_deref());
        let response = MemberResponse::default().with_member_id(member.member_id);
        response.with_group_instance_id(member.group_instance_id).with_error_code(code(&result))
    });
    Ok(response.with_members(members.collect()))
}

/// Waits for the group. It keeps the other end until it has an answer, or the broker stops.
fn wait<T>(answer: &Receiver<T>) -> Result<T, Hangup> {
    answer.recv().map_err(|_| Hangup("the broker stops".to_owned()))
}

fn milliseconds(value: i32) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}

fn owned(text: Option<&StrBytes>) -> Option<String> {
    text.map(StrBytes::to_string)
}
