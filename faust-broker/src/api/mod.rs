//! The requests that the broker answers. This list is frozen: a client may rely on exactly these
//! APIs at exactly these versions.

mod admin;
mod configs;
mod consumer_group;
mod coordinator;
mod fetch;
mod group;
mod list_offsets;
mod metadata;
mod offsets;
mod outline;
mod produce;
mod topics;
mod transactions;

use std::ops::RangeInclusive;

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::{Decodable, Request, StrBytes};

use crate::server::connection::encode;
use crate::server::{Hangup, Shared};

/// The id of the only node.
pub(crate) const NODE: i32 = 1;
/// Leadership never changes.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// An API and the versions of it that clients may use.
#[derive(Debug)]
pub(crate) struct Api {
    key: ApiKey,
    min: i16,
    max: i16,
}

impl Api {
    const fn new(key: ApiKey, min: i16, max: i16) -> Self {
        Self { key, min, max }
    }

    pub(crate) fn versions(&self) -> RangeInclusive<i16> {
        self.min..=self.max
    }
}

/// Everything that ApiVersions tells.
const ADVERTISED: &[Api] = &[
    Api::new(ApiKey::Produce, 3, 9),
    Api::new(ApiKey::Fetch, 4, 12),
    Api::new(ApiKey::ListOffsets, 1, 7),
    Api::new(ApiKey::Metadata, 0, 12),
    Api::new(ApiKey::OffsetCommit, 2, 9),
    Api::new(ApiKey::OffsetFetch, 1, 9),
    Api::new(ApiKey::FindCoordinator, 0, 4),
    Api::new(ApiKey::JoinGroup, 0, 7),
    Api::new(ApiKey::Heartbeat, 0, 4),
    Api::new(ApiKey::LeaveGroup, 0, 5),
    Api::new(ApiKey::SyncGroup, 0, 5),
    Api::new(ApiKey::DescribeGroups, 0, 5),
    Api::new(ApiKey::ListGroups, 0, 5),
    Api::new(ApiKey::ApiVersions, 0, 3),
    Api::new(ApiKey::CreateTopics, 2, 7),
    Api::new(ApiKey::DeleteTopics, 1, 5),
    Api::new(ApiKey::DeleteRecords, 0, 2),
    Api::new(ApiKey::InitProducerId, 0, 4),
    Api::new(ApiKey::OffsetForLeaderEpoch, 2, 4),
    Api::new(ApiKey::AddPartitionsToTxn, 0, 3),
    Api::new(ApiKey::AddOffsetsToTxn, 0, 3),
    Api::new(ApiKey::EndTxn, 0, 3),
    Api::new(ApiKey::TxnOffsetCommit, 0, 3),
    Api::new(ApiKey::DescribeConfigs, 1, 4),
    Api::new(ApiKey::AlterConfigs, 0, 2),
    Api::new(ApiKey::CreatePartitions, 0, 3),
    Api::new(ApiKey::DeleteGroups, 0, 2),
    Api::new(ApiKey::ConsumerGroupHeartbeat, 0, 1),
];

/// What a handler knows of the request besides its body.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) version: i16,
    pub(crate) client_id: String,
    pub(crate) host: &'a str,
    pub(crate) correlation_id: i32,
}

/// The API of this number, if clients may use it.
pub(crate) fn advertised(key: ApiKey) -> Option<&'static Api> {
    ADVERTISED.iter().find(|api| api.key == key)
}

/// Gives a request to its handler; `None` if it wants no answer.
pub(crate) fn dispatch(
    cx: &Context<'_>,
    key: ApiKey,
    body: Bytes,
) -> Result<Option<BytesMut>, Hangup> {
    if !outline::fits(key, cx.version, &body) {
        return Err(Hangup(format!("malformed request: {key:?} is cut short")));
    }
    match key {
        ApiKey::Produce => produce::produce(cx, body),
        ApiKey::Fetch => answer(cx, body, fetch::fetch),
        ApiKey::ListOffsets => answer(cx, body, list_offsets::list_offsets),
        ApiKey::Metadata => answer(cx, body, metadata::metadata),
        ApiKey::OffsetCommit => answer(cx, body, offsets::commit),
        ApiKey::OffsetFetch => answer(cx, body, offsets::fetch),
        ApiKey::FindCoordinator => answer(cx, body, coordinator::find),
        ApiKey::JoinGroup => answer(cx, body, group::join),
        ApiKey::Heartbeat => answer(cx, body, group::heartbeat),
        ApiKey::LeaveGroup => answer(cx, body, group::leave),
        ApiKey::SyncGroup => answer(cx, body, group::sync),
        ApiKey::DescribeGroups => answer(cx, body, admin::describe_groups),
        ApiKey::ListGroups => answer(cx, body, admin::list_groups),
        ApiKey::ApiVersions => answer(cx, body, api_versions),
        ApiKey::CreateTopics => answer(cx, body, topics::create),
        ApiKey::DeleteTopics => answer(cx, body, topics::delete),
        ApiKey::DeleteRecords => answer(cx, body, topics::delete_records),
        ApiKey::InitProducerId => answer(cx, body, transactions::init_producer_id),
        ApiKey::OffsetForLeaderEpoch => answer(cx, body, list_offsets::for_leader_epoch),
        ApiKey::AddPartitionsToTxn => answer(cx, body, transactions::add_partitions),
        ApiKey::AddOffsetsToTxn => answer(cx, body, transactions::add_offsets),
        ApiKey::EndTxn => answer(cx, body, transactions::end),
        ApiKey::TxnOffsetCommit => answer(cx, body, transactions::commit_offsets),
        ApiKey::DescribeConfigs => answer(cx, body, configs::describe),
        ApiKey::AlterConfigs => answer(cx, body, configs::alter),
        ApiKey::CreatePartitions => answer(cx, body, topics::create_partitions),
        ApiKey::DeleteGroups => answer(cx, body, admin::delete_groups),
        ApiKey::ConsumerGroupHeartbeat => answer(cx, body, consumer_group::heartbeat),
        _ => Err(Hangup(format!("{key:?} is not served here"))),
    }
}

fn answer<Q: Request>(
    cx: &Context<'_>,
    body: Bytes,
    handler: impl FnOnce(&Context<'_>, Q) -> Result<Q::Response, Hangup>,
) -> Result<Option<BytesMut>, Hangup> {
    let response = handler(cx, decode(cx, body)?)?;
    reply::<Q>(cx, &response).map(Some)
}

/// Reads a request. Bytes behind its end are no error, as on Kafka: librdkafka sends such.
fn decode<Q: Decodable>(cx: &Context<'_>, mut body: Bytes) -> Result<Q, Hangup> {
    Q::decode(&mut body, cx.version).map_err(|error| Hangup(format!("malformed request: {error}")))
}

fn reply<Q: Request>(cx: &Context<'_>, response: &Q::Response) -> Result<BytesMut, Hangup> {
    let key = ApiKey::try_from(Q::KEY).map_err(|()| Hangup(format!("no API {}", Q::KEY)))?;
    encode(key, cx.version, cx.correlation_id, response)
}

fn api_versions(_: &Context<'_>, _: ApiVersionsRequest) -> Result<ApiVersionsResponse, Hangup> {
    Ok(versions())
}

/// The answer to an ApiVersions request of a version that is not known here.
pub(crate) fn unsupported_version() -> ApiVersionsResponse {
    versions().with_error_code(ResponseError::UnsupportedVersion.code())
}

fn versions() -> ApiVersionsResponse {
    let tell = |api: &Api| {
        let version = ApiVersion::default().with_api_key(api.key as i16);
        version.with_min_version(api.min).with_max_version(api.max)
    };
    ApiVersionsResponse::default().with_api_keys(ADVERTISED.iter().map(tell).collect())
}

/// The code of a result: 0 is success.
fn code<T>(result: &Result<T, ResponseError>) -> i16 {
    result.as_ref().err().map_or(0, ResponseError::code)
}

fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// `value` from version `since` on, the protocol's default before.
fn since<T>(cx: &Context<'_>, version: i16, value: T, before: T) -> T {
    if cx.version >= version { value } else { before }
}
