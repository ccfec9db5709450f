use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest, ProduceResponse, ProducerId, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::Compression;
use super::batch::Stamp;
use super::producer::Shared;
use super::slot::{Batch, Identity, Slot};
use crate::ErrorCode;
use crate::cluster::{Cluster, Error as ClusterError, Purpose};
use crate::net::Options;

/// From version 13 on topics are named by id, which buys a producer nothing.
const LAST_WITH_NAMES: i16 = 12;

/// Batches above this are compressed where they cannot hold up the network: at 300 MB/s this takes 0.1 ms.
const SMALL: usize = 32 << 10;

/// A batch on its way, and where it came from.
pub(super) struct Job {
    pub(super) slot: Arc<Slot>,
    pub(super) batch: Batch,
    pub(super) stamp: Stamp,
}

/// A new producer's id.
pub(super) async fn init_producer_id(cluster: &Cluster) -> Result<Identity, ClusterError> {
    // Without a transactional id any broker gives a new one; epochs are then counted by us.
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    cluster
        .retried(async || {
            let response = cluster.any().await?.call(&request).await?;
            ErrorCode::check(response.error_code)
                .map_err(|code| ClusterError::refused("id of an idempotent producer", code, None))?;
            Ok(Identity { producer_id: response.producer_id.0, epoch: response.producer_epoch })
        })
        .await
}

/// Sends these batches to `node` in one request. They come back with what the broker says.
pub(super) async fn produce(
    shared: &Shared,
    node: i32,
    jobs: Vec<Job>,
) -> (Vec<Job>, Result<ProduceResponse, ClusterError>) {
    let compression = shared.config.compression;
    let jobs = join_all(jobs.into_iter().map(|job| seal(job, compression))).await;
    let result = exchange(shared, node, &jobs).await;
    (jobs, result)
}

async fn seal(mut job: Job, compression: Compression) -> Job {
    if job.batch.sealed.is_some() {
        return job;
    }
    if compression == Compression::None || job.batch.writer.len() <= SMALL {
        job.batch.sealed = Some((job.stamp, job.batch.writer.seal(job.stamp, compression)));
        return job;
    }
    let sealed = tokio::task::spawn_blocking(move || {
        job.batch.sealed = Some((job.stamp, job.batch.writer.seal(job.stamp, compression)));
        job
    });
    // The runtime gives up blocking work only when it shuts down, and this task with it.
    sealed.await.expect("compressing does not panic")
}

async fn exchange(shared: &Shared, node: i32, jobs: &[Job]) -> Result<ProduceResponse, ClusterError> {
    let mut topics: HashMap<&Arc<str>, Vec<PartitionProduceData>> = HashMap::new();
    for job in jobs {
        let records = job.batch.sealed.as_ref().map(|(_, bytes)| bytes.clone());
        let partition = &job.slot.partition;
        let data = PartitionProduceData::default().with_index(partition.partition).with_records(records);
        topics.entry(&partition.topic).or_default().push(data);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        let name = TopicName(StrBytes::from_string(name.to_string()));
        TopicProduceData::default().with_name(name).with_partition_data(partitions)
    });
    let timeout = shared.cluster.config().request_timeout;
    let request = ProduceRequest::default()
        .with_acks(shared.config.acks.number())
        .with_timeout_ms(i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX))
        .with_topic_data(topics.collect());
    let connection = shared.cluster.node(node, Purpose::Produce).await?;
    let options = Options { max_version: Some(LAST_WITH_NAMES), ..Options::default() };
    let response = connection.call_with(&request, options).await?;
    connection.throttle(Duration::from_millis(u64::try_from(response.throttle_time_ms).unwrap_or(0)));
    Ok(response)
}
