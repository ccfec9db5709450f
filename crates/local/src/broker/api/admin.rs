use std::collections::HashMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::super::bounded_buf::Malformed;
use super::super::cluster::{Cluster, NODE_ID};
use super::super::log::Refusal;
use super::super::topic_config::{KEYS, TopicConfig};
use super::configs::source;
use super::dispatch::Call;
use super::metadata::topic_name;

/// Creates topics.
pub(super) async fn create_topics(call: &Call<'_>) -> Result<CreateTopicsResponse, Malformed> {
    let request: CreateTopicsRequest = call.request()?;
    let validate_only = request.validate_only;
    let mut named: HashMap<TopicName, usize> = HashMap::new();
    for topic in &request.topics {
        *named.entry(topic.name.clone()).or_default() += 1;
    }
    let version = call.version;
    let work = move |cluster: &Cluster| {
        let create = |topic: CreatableTopic| {
            let created = if named.get(&topic.name).is_some_and(|count| *count > 1) {
                Err(Refusal::new(ResponseError::InvalidRequest, "the request names this topic more than once"))
            } else {
                create(cluster, &topic, validate_only, version)
            };
            created.unwrap_or_else(|refusal| {
                CreatableTopicResult::default()
                    .with_error_code(refusal.code.code())
                    .with_error_message(Some(refusal.reason.into()))
                    .with_num_partitions(-1)
                    .with_replication_factor(-1)
                    .with_name(topic.name)
            })
        };
        request.topics.into_iter().map(create).collect()
    };
    Ok(CreateTopicsResponse::default().with_topics(call.cluster.blocking(work).await))
}

fn create(
    cluster: &Cluster,
    topic: &CreatableTopic,
    validate_only: bool,
    version: i16,
) -> Result<CreatableTopicResult, Refusal> {
    let partitions = partitions(cluster, topic)?;
    let config =
        topic.configs.iter().map(|config| (config.name.to_string(), config.value.as_deref().map(str::to_owned)));
    let config = TopicConfig::new(config).map_err(|reason| Refusal::new(ResponseError::InvalidConfig, reason))?;
    let shown = KEYS.iter().map(|key| {
        CreatableTopicConfigs::default()
            .with_name(StrBytes::from_static_str(key.name))
            .with_value(Some(config.get(key).to_owned().into()))
            .with_config_source(source(&config, key))
    });
    let shown = shown.collect();
    let created = cluster.catalogue.create(&topic.name, partitions, config, validate_only)?;
    let result = CreatableTopicResult::default().with_name(topic.name.clone());
    let result = if version >= 7 && !validate_only { result.with_topic_id(created.id) } else { result };
    Ok(if version >= 5 {
        result.with_num_partitions(partitions as i32).with_replication_factor(1).with_configs(Some(shown))
    } else {
        result
    })
}

/// How many partitions are asked for: by number, or one replica list each.
fn partitions(cluster: &Cluster, topic: &CreatableTopic) -> Result<usize, Refusal> {
    let refuse = |code, reason: &str| Err(Refusal::new(code, reason));
    if !topic.assignments.is_empty() {
        if topic.num_partitions != -1 || topic.replication_factor != -1 {
            let reason = "a topic has either numbers of partitions and replicas or an assignment, not both";
            return refuse(ResponseError::InvalidRequest, reason);
        }
        let mut indexes: Vec<i32> = topic.assignments.iter().map(|assignment| assignment.partition_index).collect();
        indexes.sort_unstable();
        if indexes.iter().copied().ne(0..indexes.len() as i32) {
            let reason = "the partitions of an assignment must be numbered from 0 without gaps";
            return refuse(ResponseError::InvalidReplicaAssignment, reason);
        }
        if topic.assignments.iter().any(|assignment| assignment.broker_ids.iter().map(|id| id.0).ne([NODE_ID])) {
            return refuse(ResponseError::InvalidReplicaAssignment, "there is one broker, with the id 1");
        }
        return Ok(indexes.len());
    }
    match topic.replication_factor {
        -1 | 1 => {}
        factor if factor < 1 => {
            return refuse(ResponseError::InvalidReplicationFactor, "the replication factor must be above 0");
        }
        factor => {
            let reason = format!("the replication factor {factor} cannot be reached, there is one broker");
            return refuse(ResponseError::InvalidReplicationFactor, &reason);
        }
    }
    match topic.num_partitions {
        -1 => Ok(cluster.options.default_partitions),
        count => usize::try_from(count)
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| Refusal::new(ResponseError::InvalidPartitions, "the number of partitions must be above 0")),
    }
}

/// Deletes topics, and what groups have committed for them.
pub(super) async fn delete_topics(call: &Call<'_>) -> Result<DeleteTopicsResponse, Malformed> {
    let request: DeleteTopicsRequest = call.request()?;
    // By name or id from version 6 on, by name alone before.
    let by_state = request.topics.into_iter().map(|topic| (topic.name, topic.topic_id));
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), uuid::Uuid::nil()));
    let wanted: Vec<_> = by_state.chain(by_name).collect();
    let version = call.version;
    let work = move |cluster: &Cluster| {
        let delete = |(name, id): (Option<TopicName>, uuid::Uuid)| {
            let result = DeletableTopicResult::default();
            let name = match (name, cluster.catalogue.topic_by_id(id)) {
                (Some(name), _) => name,
                (None, Some(topic)) => topic_name(&topic.name),
                (None, None) => {
                    let error = ResponseError::UnknownTopicId.code();
                    return result.with_name(None).with_topic_id(id).with_error_code(error);
                }
            };
            match cluster.catalogue.delete(&name) {
                Ok(topic) => {
                    cluster.coordinator.forget_topic(&topic.name);
                    let result = result.with_name(Some(name));
                    if version >= 6 { result.with_topic_id(topic.id) } else { result }
                }
                Err(refusal) => {
                    let result = result.with_name(Some(name)).with_error_code(refusal.code.code());
                    if version >= 5 { result.with_error_message(Some(refusal.reason.into())) } else { result }
                }
            }
        };
        let results = wanted.into_iter().map(delete).collect();
        if let Err(error) = cluster.coordinator.write() {
            // They are deleted in any case; what was committed for them is found without a topic at the next start.
            tracing::error!(%error, "committed offsets of deleted topics could not be removed from disk");
        }
        results
    };
    Ok(DeleteTopicsResponse::default().with_responses(call.cluster.blocking(work).await))
}

/// Adds partitions to topics.
pub(super) async fn create_partitions(call: &Call<'_>) -> Result<CreatePartitionsResponse, Malformed> {
    let request: CreatePartitionsRequest = call.request()?;
    let validate_only = request.validate_only;
    let work = move |cluster: &Cluster| {
        let extend = |topic: CreatePartitionsTopic| {
            let mut assigned = topic.assignments.iter().flatten();
            let extended = if assigned.any(|assignment| assignment.broker_ids.iter().map(|id| id.0).ne([NODE_ID])) {
                Err(Refusal::new(ResponseError::InvalidReplicaAssignment, "there is one broker, with the id 1"))
            } else {
                cluster.catalogue.extend(&topic.name, topic.count, validate_only)
            };
            let result = CreatePartitionsTopicResult::default().with_name(topic.name);
            match extended {
                Ok(()) => result,
                Err(refusal) => {
                    result.with_error_code(refusal.code.code()).with_error_message(Some(refusal.reason.into()))
                }
            }
        };
        request.topics.into_iter().map(extend).collect()
    };
    Ok(CreatePartitionsResponse::default().with_results(call.cluster.blocking(work).await))
}
