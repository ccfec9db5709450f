use std::sync::Arc;

use data::TopicPartition;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::bounded_buf::Malformed;
use super::super::group::{CommitIdentity, Committed};
use super::dispatch::Call;
use super::metadata::topic_name;

/// Longest string of the protocol: Kafka ends a connection on which a longer one comes, in whatever field.
const STRING_MAX: usize = i16::MAX as usize;

/// Commits offsets.
pub(super) async fn commit(call: &Call<'_>) -> Result<OffsetCommitResponse, Malformed> {
    let request: OffsetCommitRequest = call.request()?;
    let mut topics = Vec::with_capacity(request.topics.len());
    // Those whose partition there is; the others are answered by themselves.
    let mut offsets = Vec::new();
    for topic in request.topics {
        let known = call.cluster.catalogue.topic(&topic.name);
        let name: Arc<str> = topic.name.as_str().into();
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let metadata = partition.committed_metadata.as_deref().unwrap_or_default();
            if metadata.len() > STRING_MAX {
                return Err(Malformed(format!("a string of {} bytes is too long", metadata.len())));
            }
            let index = partition.partition_index;
            let response = OffsetCommitResponsePartition::default().with_partition_index(index);
            if known.as_ref().and_then(|topic| topic.partition(index)).is_none() {
                partitions.push(response.with_error_code(ResponseError::UnknownTopicOrPartition.code()));
                continue;
            }
            partitions.push(response);
            let committed = Committed {
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: metadata.to_owned(),
            };
            offsets.push((TopicPartition::new(Arc::clone(&name), index), committed));
        }
        topics.push(OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions));
    }
    let identity = CommitIdentity {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
        generation: request.generation_id_or_member_epoch,
    };
    let mut outcomes = Vec::new();
    if !offsets.is_empty() {
        let count = offsets.len();
        outcomes = match call.cluster.coordinator.commit(&request.group_id, identity, offsets) {
            Ok(outcomes) => outcomes,
            // The code for a group that is gone came with version 9.
            Err(ResponseError::GroupIdNotFound) if call.version < 9 => {
                vec![Err(ResponseError::IllegalGeneration); count]
            }
            Err(error) => vec![Err(error); count],
        };
        if let Err(error) = call.cluster.blocking(|cluster| cluster.coordinator.write()).await {
            tracing::error!(%error, "committed offsets could not be written");
            outcomes = vec![Err(ResponseError::KafkaStorageError); count];
        }
    }
    let unanswered = topics.iter_mut().flat_map(|topic| &mut topic.partitions).filter(|done| done.error_code == 0);
    for (partition, outcome) in unanswered.zip(outcomes) {
        partition.error_code = outcome.err().map_or(0, |error| error.code());
    }
    Ok(OffsetCommitResponse::default().with_topics(topics))
}

/// What groups have committed.
pub(super) fn fetch(call: &Call<'_>) -> Result<OffsetFetchResponse, Malformed> {
    let request: OffsetFetchRequest = call.request()?;
    if call.version < 8 {
        let keys = request.topics.as_ref().map(|topics| {
            topics.iter().flat_map(|topic| keys(&topic.name, &topic.partition_indexes)).collect::<Vec<_>>()
        });
        return Ok(OffsetFetchResponse::default().with_topics(by_topic(
            call,
            &request.group_id,
            keys.as_deref(),
            |partition, committed| {
                let (offset, leader_epoch, metadata) = fields(committed);
                let response = OffsetFetchResponsePartition::default()
                    .with_partition_index(partition)
                    .with_committed_offset(offset)
                    .with_metadata(Some(metadata));
                if call.version >= 5 { response.with_committed_leader_epoch(leader_epoch) } else { response }
            },
            |topic, partitions| {
                OffsetFetchResponseTopic::default().with_name(topic_name(topic)).with_partitions(partitions)
            },
        )));
    }
    let group = |group: kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup| {
        let keys = group.topics.as_ref().map(|topics| {
            topics.iter().flat_map(|topic| keys(&topic.name, &topic.partition_indexes)).collect::<Vec<_>>()
        });
        let topics = by_topic(
            call,
            &group.group_id,
            keys.as_deref(),
            |partition, committed| {
                let (offset, leader_epoch, metadata) = fields(committed);
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(partition)
                    .with_committed_offset(offset)
                    .with_committed_leader_epoch(leader_epoch)
                    .with_metadata(Some(metadata))
            },
            |topic, partitions| {
                OffsetFetchResponseTopics::default().with_name(topic_name(topic)).with_partitions(partitions)
            },
        );
        OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics)
    };
    Ok(OffsetFetchResponse::default().with_groups(request.groups.into_iter().map(group).collect()))
}

fn keys(topic: &str, partitions: &[i32]) -> Vec<TopicPartition> {
    let topic: Arc<str> = topic.into();
    partitions.iter().map(|partition| TopicPartition::new(Arc::clone(&topic), *partition)).collect()
}

fn fields(committed: Option<Committed>) -> (i64, i32, StrBytes) {
    committed.map_or((-1, -1, StrBytes::new()), |committed| {
        (committed.offset, committed.leader_epoch, committed.metadata.into())
    })
}

/// What is committed, gathered by topic in the order asked for.
fn by_topic<P, T>(
    call: &Call<'_>,
    group: &GroupId,
    keys: Option<&[TopicPartition]>,
    partition: impl Fn(i32, Option<Committed>) -> P,
    topic: impl Fn(&str, Vec<P>) -> T,
) -> Vec<T> {
    let mut topics: Vec<(Arc<str>, Vec<P>)> = Vec::new();
    for (key, committed) in call.cluster.coordinator.committed(group, keys) {
        let entry = partition(key.partition, committed);
        match topics.last_mut() {
            Some((last, partitions)) if *last == key.topic => partitions.push(entry),
            Some(_) | None => topics.push((key.topic, vec![entry])),
        }
    }
    topics.into_iter().map(|(name, partitions)| topic(&name, partitions)).collect()
}

/// Deletes committed offsets.
pub(super) async fn delete(call: &Call<'_>) -> Result<OffsetDeleteResponse, Malformed> {
    let request: OffsetDeleteRequest = call.request()?;
    let all: Vec<_> = request
        .topics
        .iter()
        .flat_map(|topic| {
            let name: Arc<str> = topic.name.as_str().into();
            topic
                .partitions
                .iter()
                .map(move |partition| TopicPartition::new(Arc::clone(&name), partition.partition_index))
        })
        .collect();
    let outcomes = match call.cluster.coordinator.delete_offsets(&request.group_id, &all) {
        Ok(outcomes) => outcomes,
        Err(error) => return Ok(OffsetDeleteResponse::default().with_error_code(error.code())),
    };
    if let Err(error) = call.cluster.blocking(|cluster| cluster.coordinator.write()).await {
        tracing::error!(%error, "committed offsets could not be written");
        return Ok(OffsetDeleteResponse::default().with_error_code(ResponseError::KafkaStorageError.code()));
    }
    let mut outcomes = outcomes.into_iter();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(&mut outcomes).map(|(partition, outcome)| {
            OffsetDeleteResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(outcome.err().map_or(0, |error| error.code()))
        });
        OffsetDeleteResponseTopic::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    Ok(OffsetDeleteResponse::default().with_topics(topics.collect()))
}
