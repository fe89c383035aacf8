//! DescribeConfigs and AlterConfigs.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
};

use super::{Context, NODE, since, text};
use crate::server::Hangup;
use crate::state::State;
use crate::storage::journal::Entry;
use crate::topics::settings::{Kind, SETTINGS, check};
use crate::transactions::MAX_TIMEOUT;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Since this version an answer tells a setting's type.
const TYPES: i16 = 3;

/// Where a value comes from: set for the topic, or the default.
pub(super) fn source(is_set: bool) -> i8 {
    if is_set { 1 } else { 5 }
}

/// One setting as it is told: name, value, type, whether it was set.
type Told = (&'static str, String, Kind, bool);

pub(super) fn describe(
    cx: &Context<'_>,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, Hangup> {
    let state = cx.shared.lock()?;
    let results = request.resources.into_iter().map(|resource| {
        let found = match resource.resource_type {
            TOPIC => topic_settings(&state, &resource),
            BROKER => broker_settings(cx, &resource),
            _ => Err(ResponseError::InvalidRequest),
        };
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        let keys = resource.configuration_keys;
        let wanted = |name: &str| {
            keys.as_ref().is_none_or(|keys| keys.iter().any(|key| key.as_str() == name))
        };
        match found {
            Ok(settings) => {
                let settings = settings.into_iter().filter(|(name, ..)| wanted(name));
                result.with_configs(
                    settings.map(|told| tell(cx, told, request.include_synonyms)).collect(),
                )
            }
            Err(error) => result
                .with_error_code(error.code())
                .with_error_message(Some(text(error.to_string()))),
        }
    });
    Ok(DescribeConfigsResponse::default().with_results(results.collect()))
}

fn tell(
    cx: &Context<'_>,
    (name, value, kind, is_set): Told,
    synonyms: bool,
) -> DescribeConfigsResourceResult {
    let synonym = || {
        let synonym = DescribeConfigsSynonym::default().with_name(text(name));
        synonym.with_value(Some(text(value.clone()))).with_source(source(is_set))
    };
    let synonyms = if synonyms { vec![synonym()] } else { Vec::new() };
    DescribeConfigsResourceResult::default()
        .with_name(text(name))
        .with_value(Some(text(value)))
        .with_config_source(source(is_set))
        .with_synonyms(synonyms)
        .with_config_type(since(cx, TYPES, kind as i8, 0))
}

fn topic_settings(
    state: &State,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Told>, ResponseError> {
    let topic =
        state.topics.get(&resource.resource_name).ok_or(ResponseError::UnknownTopicOrPartition)?;
    let settings = &topic.settings;
    let told = SETTINGS.iter().map(|known| {
        (known.name, settings.get(known.name).to_owned(), known.kind, settings.is_set(known.name))
    });
    Ok(told.collect())
}

fn broker_settings(
    cx: &Context<'_>,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Told>, ResponseError> {
    // An empty name asks for the settings of all brokers, of which there are none.
    if resource.resource_name.is_empty() {
        return Ok(Vec::new());
    }
    if resource.resource_name.as_str() != NODE.to_string() {
        return Err(ResponseError::InvalidRequest);
    }
    let config = &cx.shared.config;
    let told = |name, value: String, kind| (name, value, kind, false);
    Ok(vec![
        told("auto.create.topics.enable", "true".to_owned(), Kind::Boolean),
        told("group.initial.rebalance.delay.ms", "0".to_owned(), Kind::Int),
        told(
            "group.min.session.timeout.ms",
            config.min_session_timeout.as_millis().to_string(),
            Kind::Int,
        ),
        told("log.segment.bytes", config.segment_bytes.to_string(), Kind::Long),
        told("num.partitions", config.default_partitions.to_string(), Kind::Int),
        told("transaction.max.timeout.ms", MAX_TIMEOUT.as_millis().to_string(), Kind::Int),
    ])
}

pub(super) fn alter(
    cx: &Context<'_>,
    request: AlterConfigsRequest,
) -> Result<AlterConfigsResponse, Hangup> {
    let mut state = cx.shared.lock()?;
    let responses = request.resources.into_iter().map(|resource| {
        let altered = alter_one(&mut state, &resource, request.validate_only);
        let response = AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        match altered {
            Ok(()) => response,
            Err((error, message)) => {
                response.with_error_code(error.code()).with_error_message(Some(text(message)))
            }
        }
    });
    Ok(AlterConfigsResponse::default().with_responses(responses.collect()))
}

/// Replaces a topic's settings: what the request does not name goes back to its default.
fn alter_one(
    state: &mut State,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), (ResponseError, String)> {
    let refuse = |error: ResponseError| (error, error.to_string());
    if resource.resource_type != TOPIC {
        let message = "only topics have settings that can be changed".to_owned();
        return Err((ResponseError::InvalidRequest, message));
    }
    let name = resource.resource_name.as_str();
    if state.topics.get(name).is_none() {
        return Err(refuse(ResponseError::UnknownTopicOrPartition));
    }
    let configs =
        resource.configs.iter().map(|config| (config.name.as_str(), config.value.as_deref()));
    let configs = check(configs)?;
    if validate_only {
        return Ok(());
    }
    state.record(Entry::TopicConfigured { name: name.to_owned(), configs }).map_err(refuse)
}
