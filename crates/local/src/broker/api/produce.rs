use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;

use super::super::bounded_buf::Malformed;
use super::super::catalogue::unknown_topic;
use super::super::cluster::Cluster;
use super::super::log::{Appended, Compression, Header, Refusal, validate};
use super::super::topic::Topic;
use super::super::topic_config::BatchLimits;
use super::dispatch::Call;

/// Produce versions before this do not know zstd.
const ZSTD_SINCE: i16 = 7;

/// Appends batches; `None` if the client wants no answer.
pub(super) async fn produce(call: &Call<'_>) -> Result<Option<ProduceResponse>, Malformed> {
    let version = call.version;
    let request: ProduceRequest = call.request()?;
    let acks = request.acks;
    let refusal = if request.transactional_id.is_some() {
        Some(Refusal::new(ResponseError::TransactionalIdAuthorizationFailed, "the embedded broker has no transactions"))
    } else if !(-1..=1).contains(&acks) {
        Some(Refusal::new(ResponseError::InvalidRequiredAcks, format!("acks must be -1, 0 or 1, not {acks}")))
    } else {
        None
    };
    let topics: Vec<_> =
        request.topic_data.into_iter().map(|data| (call.topic(&data.name, data.topic_id), data)).collect();
    let work = move |cluster: &Cluster| -> Vec<TopicProduceResponse> {
        let append_all = |(topic, data): (Option<std::sync::Arc<Topic>>, _)| {
            let data: kafka_protocol::messages::produce_request::TopicProduceData = data;
            let (name, id) = (data.name, data.topic_id);
            let append = |partition: kafka_protocol::messages::produce_request::PartitionProduceData| {
                let done = match (&refusal, &topic) {
                    (Some(refusal), _) => Err(refusal.clone()),
                    (None, None) if !id.is_nil() => {
                        Err(Refusal::new(ResponseError::UnknownTopicId, "no such topic id"))
                    }
                    (None, None) => Err(unknown_topic(&name)),
                    (None, Some(topic)) => {
                        let records = partition.records.unwrap_or_default();
                        append(cluster, topic, partition.index, &records, acks, version)
                    }
                };
                respond(partition.index, done)
            };
            let responses = data.partition_data.into_iter().map(append).collect();
            TopicProduceResponse::default().with_name(name).with_topic_id(id).with_partition_responses(responses)
        };
        topics.into_iter().map(append_all).collect()
    };
    let responses = call.cluster.blocking(work).await;
    if acks == 0 {
        // The client hears of a failure by losing its connection, as in Kafka.
        let failed = responses.iter().flat_map(|topic| &topic.partition_responses).find(|done| done.error_code != 0);
        return match failed {
            Some(failed) => Err(Malformed(format!("producing without acknowledgement failed: {}", failed.error_code))),
            None => Ok(None),
        };
    }
    Ok(Some(ProduceResponse::default().with_responses(responses)))
}

fn append(
    cluster: &Cluster,
    topic: &Topic,
    index: i32,
    records: &Bytes,
    acks: i16,
    version: i16,
) -> Result<(Appended, i64), Refusal> {
    let partition = topic.partition(index).ok_or_else(|| {
        Refusal::new(ResponseError::UnknownTopicOrPartition, format!("topic {} has no partition {index}", topic.name))
    })?;
    let limits = topic.limits();
    if acks == -1 && limits.min_insync_replicas > 1 {
        return Err(Refusal::new(
            ResponseError::NotEnoughReplicas,
            format!("min.insync.replicas is {}, and there is one broker", limits.min_insync_replicas),
        ));
    }
    let header = validate(records, limits.max_message_bytes)?;
    if header.compression() == Some(Compression::Zstd) && version < ZSTD_SINCE {
        let reason = format!("zstd needs produce requests of version {ZSTD_SINCE}");
        return Err(Refusal::new(ResponseError::UnsupportedCompressionType, reason));
    }
    let now = cluster.clock().now_millis();
    check_time(&header, &limits, now)?;
    let mut log = partition.log();
    let appended = log.append(records, &header, now)?;
    let start = log.start_offset();
    drop(log);
    if appended.bytes > 0 {
        partition.waiters.grown(appended.bytes);
    }
    Ok((appended, start))
}

/// Records from a wrong clock are refused, as far as the header of their batch shows them: the latest of them for the
/// future, the first for the past.
fn check_time(header: &Header, limits: &BatchLimits, now_millis: i64) -> Result<(), Refusal> {
    // -1 stands for records without a time.
    if limits.append_time || header.max_timestamp < 0 {
        return Ok(());
    }
    let after = header.max_timestamp.saturating_sub(now_millis);
    let before = now_millis.saturating_sub(header.base_timestamp);
    if after > limits.after_max_millis || before > limits.before_max_millis {
        let reason = format!(
            "timestamps {} to {} are too far from the broker's time {now_millis}",
            header.base_timestamp, header.max_timestamp
        );
        return Err(Refusal::new(ResponseError::InvalidTimestamp, reason));
    }
    Ok(())
}

fn respond(index: i32, done: Result<(Appended, i64), Refusal>) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(index);
    match done {
        Ok((appended, start)) => response
            .with_base_offset(appended.base_offset)
            .with_log_append_time_ms(appended.append_time)
            .with_log_start_offset(start),
        Err(refusal) => response
            .with_error_code(refusal.code.code())
            .with_error_message(Some(StrBytes::from(refusal.reason)))
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(-1),
    }
}
