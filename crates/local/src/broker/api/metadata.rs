use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, MetadataRequest, MetadataResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::super::bounded_buf::Malformed;
use super::super::catalogue::unknown_topic;
use super::super::cluster::NODE_ID;
use super::super::log::{LEADER_EPOCH, Refusal};
use super::super::topic::Topic;
use super::super::topic_config::TopicConfig;
use super::dispatch::Call;

/// "Not asked for", in the fields of permitted operations.
pub(super) const NO_OPERATIONS: i32 = i32::MIN;

/// Everything that can be done with a topic, as a cluster without access control says it: read 3, write 4, create 5,
/// delete 6, alter 7, describe 8, describe configs 10, alter configs 11; a bit each.
const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;

/// Everything that can be done with the cluster: create 5, alter 7, describe 8, cluster action 9, describe configs 10,
/// alter configs 11, idempotent write 12; a bit each.
pub(super) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;

/// Which topics there are, and where; creates what is missing if that is wanted.
pub(super) async fn metadata(call: &Call<'_>) -> Result<MetadataResponse, Malformed> {
    let request: MetadataRequest = call.request()?;
    // In version 0 no topics are all topics; later that is null, and none are none.
    let all = request.topics.as_ref().is_none_or(|topics| call.version == 0 && topics.is_empty());
    let with_operations = call.version >= 8 && request.include_topic_authorized_operations;
    let mut topics = Vec::new();
    if all {
        let known = call.cluster.catalogue.topics();
        topics.extend(known.iter().map(|topic| describe(topic, call.version, with_operations)));
    }
    for wanted in request.topics.into_iter().flatten() {
        // Before version 4 a client cannot say, and means yes.
        let may_create =
            (call.version < 4 || request.allow_auto_topic_creation) && call.cluster.options.auto_create_topics;
        topics.push(match find(call, &wanted, may_create).await {
            Ok(topic) => describe(&topic, call.version, with_operations),
            Err(refusal) => missing(wanted, refusal.code, call.version),
        });
    }
    let (host, port) = call.endpoint();
    let broker =
        MetadataResponseBroker::default().with_node_id(BrokerId(NODE_ID)).with_host(host.into()).with_port(port);
    let operations = if (8..=10).contains(&call.version) && request.include_cluster_authorized_operations {
        CLUSTER_OPERATIONS
    } else {
        NO_OPERATIONS
    };
    Ok(MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(StrBytes::from(call.cluster.catalogue.cluster_id.clone())))
        .with_controller_id(BrokerId(NODE_ID))
        .with_topics(topics)
        .with_cluster_authorized_operations(operations))
}

async fn find(call: &Call<'_>, wanted: &MetadataRequestTopic, may_create: bool) -> Result<Arc<Topic>, Refusal> {
    if !wanted.topic_id.is_nil() {
        let topic = call.cluster.catalogue.topic_by_id(wanted.topic_id);
        return topic.ok_or_else(|| Refusal::new(ResponseError::UnknownTopicId, "there is no topic with this id"));
    }
    let name = wanted.name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default();
    if let Some(topic) = call.cluster.catalogue.topic(&name) {
        return Ok(topic);
    }
    if !may_create {
        return Err(unknown_topic(&name));
    }
    let create = move |cluster: &super::super::cluster::Cluster| {
        let partitions = cluster.options.default_partitions;
        match cluster.catalogue.create(&name, partitions, TopicConfig::default(), false) {
            // Somebody else was faster.
            Err(refusal) if refusal.code == ResponseError::TopicAlreadyExists => {
                cluster.catalogue.topic(&name).ok_or(refusal)
            }
            created => created,
        }
    };
    call.cluster.blocking(create).await
}

fn describe(topic: &Topic, version: i16, with_operations: bool) -> MetadataResponseTopic {
    let node = || vec![BrokerId(NODE_ID)];
    let partition = |index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(NODE_ID))
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(node())
            .with_isr_nodes(node())
    };
    let described = MetadataResponseTopic::default()
        .with_name(Some(topic_name(&topic.name)))
        .with_partitions((0..topic.partitions().len() as i32).map(partition).collect())
        .with_topic_authorized_operations(if with_operations { TOPIC_OPERATIONS } else { NO_OPERATIONS });
    if version >= 10 { described.with_topic_id(topic.id) } else { described }
}

fn missing(wanted: MetadataRequestTopic, error: ResponseError, version: i16) -> MetadataResponseTopic {
    // A topic asked for by an id that is unknown has no name; only from version 12 on a name may be absent.
    let name = wanted.name.or_else(|| (version < 12).then(TopicName::default));
    let missing = MetadataResponseTopic::default().with_error_code(error.code()).with_name(name);
    if version >= 10 { missing.with_topic_id(wanted.topic_id) } else { missing }
}

pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from(name.to_owned()))
}

/// The same page by page, as newer admin clients ask for it.
pub(super) fn describe_topic_partitions(call: &Call<'_>) -> Result<DescribeTopicPartitionsResponse, Malformed> {
    let request: DescribeTopicPartitionsRequest = call.request()?;
    let mut names: Vec<String> = if request.topics.is_empty() {
        call.cluster.catalogue.topics().iter().map(|topic| topic.name.to_string()).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.to_string()).collect()
    };
    names.sort_unstable();
    names.dedup();
    let (from_name, from_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.as_str(), usize::try_from(cursor.partition_index).unwrap_or_default()),
        None => ("", 0),
    };
    // The most that Kafka gives at once (`max.request.partition.size.limit`).
    let mut left = usize::try_from(request.response_partition_limit).unwrap_or_default().clamp(1, 2000);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names.iter().filter(|name| name.as_str() >= from_name) {
        if left == 0 {
            response.next_cursor = Some(Cursor::default().with_topic_name(topic_name(name)));
            break;
        }
        let described = DescribeTopicPartitionsResponseTopic::default().with_name(Some(topic_name(name)));
        let Some(topic) = call.cluster.catalogue.topic(name) else {
            let error = ResponseError::UnknownTopicOrPartition.code();
            response.topics.push(described.with_error_code(error).with_topic_authorized_operations(NO_OPERATIONS));
            continue;
        };
        let first = if name == from_name { from_partition } else { 0 };
        let count = topic.partitions().len();
        let last = count.min(first + left);
        let partition = |index: usize| {
            DescribeTopicPartitionsResponsePartition::default()
                .with_partition_index(index as i32)
                .with_leader_id(BrokerId(NODE_ID))
                .with_leader_epoch(LEADER_EPOCH)
                .with_replica_nodes(vec![BrokerId(NODE_ID)])
                .with_isr_nodes(vec![BrokerId(NODE_ID)])
                .with_eligible_leader_replicas(Some(Vec::new()))
                .with_last_known_elr(Some(Vec::new()))
        };
        response.topics.push(
            described
                .with_topic_id(topic.id)
                .with_partitions((first..last).map(partition).collect())
                .with_topic_authorized_operations(TOPIC_OPERATIONS),
        );
        left -= last.saturating_sub(first);
        if last < count {
            let cursor = Cursor::default().with_topic_name(topic_name(name)).with_partition_index(last as i32);
            response.next_cursor = Some(cursor);
            break;
        }
    }
    Ok(response)
}
