use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as Altered;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementallyAltered;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::bounded_buf::Malformed;
use super::super::catalogue::unknown_topic;
use super::super::cluster::{Cluster, NODE_ID};
use super::super::log::Refusal;
use super::super::topic_config::{KEYS, Key, TopicConfig};
use super::dispatch::Call;

/// Kinds of things that have a configuration.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Where a value comes from.
const SET_FOR_TOPIC: i8 = 1;
const STATIC_BROKER: i8 = 4;
const DEFAULT: i8 = 5;

/// Types of values: see [`Key::type_number`].
const BOOLEAN: i8 = 1;
const INT: i8 = 3;

/// Operations of IncrementalAlterConfigs.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Where the value of a topic's key comes from.
pub(super) fn source(config: &TopicConfig, key: &Key) -> i8 {
    if config.is_set(key) { SET_FOR_TOPIC } else { DEFAULT }
}

/// Configurations of topics, and of the broker as far as it has any.
pub(super) fn describe(call: &Call<'_>) -> Result<DescribeConfigsResponse, Malformed> {
    let request: DescribeConfigsRequest = call.request()?;
    let describe = |resource: DescribeConfigsResource| {
        let described = match resource.resource_type {
            TOPIC => describe_topic(call, &resource.resource_name, request.include_synonyms),
            BROKER => describe_broker(call, &resource.resource_name),
            other => Err(Refusal::new(
                ResponseError::InvalidRequest,
                format!("configurations of resource type {other} are not kept by the embedded broker"),
            )),
        };
        let wanted =
            |name: &str| resource.configuration_keys.as_ref().is_none_or(|keys| keys.iter().any(|key| **key == *name));
        let result = DescribeConfigsResult::default();
        let result = match described {
            Ok(mut configs) => {
                configs.retain(|config| wanted(&config.name));
                result.with_configs(configs)
            }
            Err(refusal) => result.with_error_code(refusal.code.code()).with_error_message(Some(refusal.reason.into())),
        };
        result.with_resource_type(resource.resource_type).with_resource_name(resource.resource_name)
    };
    Ok(DescribeConfigsResponse::default().with_results(request.resources.into_iter().map(describe).collect()))
}

fn describe_topic(call: &Call<'_>, name: &str, synonyms: bool) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let config = call.cluster.catalogue.topic(name).ok_or_else(|| unknown_topic(name))?.config();
    let describe = |key: &Key| {
        let from = source(&config, key);
        let mut described = entry(call, key.name, config.get(key), from, key.type_number());
        if synonyms {
            let synonym = |value: &str, from| {
                DescribeConfigsSynonym::default()
                    .with_name(StrBytes::from_static_str(key.name))
                    .with_value(Some(value.to_owned().into()))
                    .with_source(from)
            };
            if from == SET_FOR_TOPIC {
                described.synonyms.push(synonym(config.get(key), SET_FOR_TOPIC));
            }
            described.synonyms.push(synonym(key.default, DEFAULT));
        }
        described
    };
    Ok(KEYS.iter().map(describe).collect())
}

fn describe_broker(call: &Call<'_>, name: &str) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    // The empty name asks for what was set for all brokers: nothing.
    if name.is_empty() {
        return Ok(Vec::new());
    }
    if name != NODE_ID.to_string() {
        let reason = format!("there is one broker, with the id {NODE_ID}, not \"{name}\"");
        return Err(Refusal::new(ResponseError::InvalidRequest, reason));
    }
    let options = &call.cluster.options;
    let values = [
        ("auto.create.topics.enable", options.auto_create_topics.to_string(), BOOLEAN),
        ("default.replication.factor", "1".to_owned(), INT),
        ("fetch.max.bytes", options.max_fetch.to_string(), INT),
        ("group.initial.rebalance.delay.ms", options.initial_rebalance_delay.as_millis().to_string(), INT),
        ("group.max.session.timeout.ms", options.max_session_timeout.as_millis().to_string(), INT),
        ("group.min.session.timeout.ms", options.min_session_timeout.as_millis().to_string(), INT),
        ("max.connections", options.max_connections.to_string(), INT),
        ("num.partitions", options.default_partitions.to_string(), INT),
        ("offset.metadata.max.bytes", options.offset_metadata_max.to_string(), INT),
        ("socket.request.max.bytes", options.max_request.to_string(), INT),
    ];
    Ok(values
        .into_iter()
        .map(|(name, value, kind)| entry(call, name, &value, STATIC_BROKER, kind).with_read_only(true))
        .collect())
}

fn entry(call: &Call<'_>, name: &'static str, value: &str, source: i8, kind: i8) -> DescribeConfigsResourceResult {
    let entry = DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(value.to_owned().into()))
        .with_config_source(source);
    if call.version >= 3 { entry.with_config_type(kind) } else { entry }
}

/// Replaces configurations of topics.
pub(super) async fn alter(call: &Call<'_>) -> Result<AlterConfigsResponse, Malformed> {
    let request: AlterConfigsRequest = call.request()?;
    let validate_only = request.validate_only;
    let work = move |cluster: &Cluster| {
        let mut responses = Vec::with_capacity(request.resources.len());
        for resource in request.resources {
            let altered = reconfigure(cluster, resource.resource_type, &resource.resource_name, validate_only, |_| {
                TopicConfig::new(
                    resource
                        .configs
                        .iter()
                        .map(|config| (config.name.to_string(), config.value.as_deref().map(str::to_owned))),
                )
            });
            let response = Altered::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name);
            responses.push(match altered {
                Ok(()) => response,
                Err(refusal) => {
                    response.with_error_code(refusal.code.code()).with_error_message(Some(refusal.reason.into()))
                }
            });
        }
        responses
    };
    Ok(AlterConfigsResponse::default().with_responses(call.cluster.blocking(work).await))
}

/// Changes single keys of topics' configurations.
pub(super) async fn alter_incrementally(call: &Call<'_>) -> Result<IncrementalAlterConfigsResponse, Malformed> {
    let request: IncrementalAlterConfigsRequest = call.request()?;
    let validate_only = request.validate_only;
    let work = move |cluster: &Cluster| {
        let mut responses = Vec::with_capacity(request.resources.len());
        for resource in request.resources {
            let change = |mut config: TopicConfig| {
                for change in &resource.configs {
                    let value = change.value.as_deref();
                    let given = || value.ok_or_else(|| format!("{} has no value", &*change.name));
                    match change.config_operation {
                        SET => config.set(&change.name, given()?)?,
                        DELETE => config.unset(&change.name)?,
                        APPEND => config.change_list(&change.name, given()?, true)?,
                        SUBTRACT => config.change_list(&change.name, given()?, false)?,
                        other => return Err(format!("there is no operation {other}")),
                    }
                }
                Ok(config)
            };
            let altered = reconfigure(cluster, resource.resource_type, &resource.resource_name, validate_only, change);
            let response = IncrementallyAltered::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name);
            responses.push(match altered {
                Ok(()) => response,
                Err(refusal) => {
                    response.with_error_code(refusal.code.code()).with_error_message(Some(refusal.reason.into()))
                }
            });
        }
        responses
    };
    Ok(IncrementalAlterConfigsResponse::default().with_responses(call.cluster.blocking(work).await))
}

fn reconfigure(
    cluster: &Cluster,
    resource_type: i8,
    name: &str,
    validate_only: bool,
    change: impl FnOnce(TopicConfig) -> Result<TopicConfig, String>,
) -> Result<(), Refusal> {
    if resource_type != TOPIC {
        let reason = "only configurations of topics can be changed at the embedded broker";
        return Err(Refusal::new(ResponseError::InvalidRequest, reason));
    }
    let topic = cluster.catalogue.topic(name).ok_or_else(|| unknown_topic(name))?;
    let config = change(topic.config()).map_err(|reason| Refusal::new(ResponseError::InvalidConfig, reason))?;
    if validate_only { Ok(()) } else { cluster.catalogue.reconfigure(&topic, config) }
}
