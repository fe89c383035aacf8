//! FindCoordinator: there is one node, and it coordinates everything.

use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};

use super::{Context, NODE, text};
use crate::server::Hangup;

/// Since this version one request asks for many.
const BATCHES: i16 = 4;

pub(super) fn find(
    cx: &Context<'_>,
    request: FindCoordinatorRequest,
) -> Result<FindCoordinatorResponse, Hangup> {
    let (host, port) = (cx.shared.address.ip().to_string(), i32::from(cx.shared.address.port()));
    let response = FindCoordinatorResponse::default();
    if cx.version < BATCHES {
        return Ok(response.with_node_id(NODE.into()).with_host(text(host)).with_port(port));
    }
    let coordinator = |key| {
        let coordinator = Coordinator::default().with_key(key).with_node_id(NODE.into());
        coordinator.with_host(text(host.clone())).with_port(port)
    };
    Ok(response.with_coordinators(request.coordinator_keys.into_iter().map(coordinator).collect()))
}
