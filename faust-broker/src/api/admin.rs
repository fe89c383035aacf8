//! ListGroups, DescribeGroups and DeleteGroups.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, ListGroupsRequest, ListGroupsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{Context, code, since, text};
use crate::groups::classic::ClassicGroup;
use crate::groups::classic::member::Member;
use crate::groups::{Group, Members};
use crate::server::Hangup;
use crate::state::State;
use crate::storage::journal::Entry;

const STATES: i16 = 4;
const TYPES: i16 = 5;
const INSTANCES: i16 = 4;

pub(super) fn list_groups(
    cx: &Context<'_>,
    request: ListGroupsRequest,
) -> Result<ListGroupsResponse, Hangup> {
    let state = cx.shared.lock()?;
    let matches = |filter: &[StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let groups = state.groups.iter().map(|(id, group)| {
        let (state, kind, protocol_type) = match &group.members {
            Members::Classic(group) => (group.state(), "classic", group.protocol_type.clone()),
            Members::Consumer(group) => (group.state(), "consumer", "consumer".to_owned()),
        };
        (id, state, kind, protocol_type)
    });
    let groups = groups
        .filter(|(_, state, kind, _)| {
            matches(&request.states_filter, state) && matches(&request.types_filter, kind)
        })
        .map(|(id, state, kind, protocol_type)| {
            ListedGroup::default()
                .with_group_id(text(id.clone()).into())
                .with_protocol_type(text(protocol_type))
                .with_group_state(since(cx, STATES, text(state), StrBytes::new()))
                .with_group_type(since(cx, TYPES, text(kind), StrBytes::new()))
        });
    Ok(ListGroupsResponse::default().with_groups(groups.collect()))
}

pub(super) fn describe_groups(
    cx: &Context<'_>,
    request: DescribeGroupsRequest,
) -> Result<DescribeGroupsResponse, Hangup> {
    let state = cx.shared.lock()?;
    let groups = request.groups.into_iter().map(|id| {
        match state.groups.get(&id).map(|group| &group.members) {
            Some(Members::Classic(group)) => describe(cx, id, group),
            // As on Kafka: this request does not show groups of the other protocol.
            Some(Members::Consumer(_)) | None => {
                DescribedGroup::default().with_group_id(id).with_group_state(text("Dead"))
            }
        }
    });
    Ok(DescribeGroupsResponse::default().with_groups(groups.collect()))
}

fn describe(cx: &Context<'_>, id: GroupId, group: &ClassicGroup) -> DescribedGroup {
    let member = |member: &Member| {
        let instance_id = since(cx, INSTANCES, member.instance_id.clone().map(text), None);
        DescribedGroupMember::default()
            .with_member_id(text(member.id.clone()))
            .with_group_instance_id(instance_id)
            .with_client_id(text(member.client_id.clone()))
            .with_client_host(text(member.client_host.clone()))
            .with_member_metadata(member.metadata(&group.protocol))
            .with_member_assignment(member.assignment.clone())
    };
    DescribedGroup::default()
        .with_group_id(id)
        .with_group_state(text(group.state()))
        .with_protocol_type(text(group.protocol_type.clone()))
        .with_protocol_data(text(group.protocol.clone()))
        .with_members(group.members.iter().map(member).collect())
}

pub(super) fn delete_groups(
    cx: &Context<'_>,
    request: DeleteGroupsRequest,
) -> Result<DeleteGroupsResponse, Hangup> {
    let mut state = cx.shared.lock()?;
    let results = request.groups_names.into_iter().map(|id| {
        let result = delete(&mut state, &id);
        DeletableGroupResult::default().with_group_id(id).with_error_code(code(&result))
    });
    Ok(DeleteGroupsResponse::default().with_results(results.collect()))
}

fn delete(state: &mut State, id: &str) -> Result<(), ResponseError> {
    let group = state.groups.get(id).ok_or(ResponseError::GroupIdNotFound)?;
    if !Group::is_empty(group) || state.transactions.holds_group(id) {
        return Err(ResponseError::NonEmptyGroup);
    }
    state.record(Entry::GroupDeleted { group: id.to_owned() })
}
