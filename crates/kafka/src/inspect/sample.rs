use std::collections::BTreeMap;
use std::sync::Arc;

use data::{Offset, TopicPartition};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use transit::Assignment;

use crate::ErrorCode;
use crate::admin::Isolation;
use crate::cluster::{Cluster, Error, Purpose};
use crate::fetch::aborted;
use crate::net::Options;
use crate::records::{DEFAULT_BATCH_LIMIT, FetchedRecords, Response};

/// The last version that names topics by their names.
const BY_NAME: i16 = 12;

/// Some records of a partition, or why there are none.
pub type Sample = (TopicPartition, Result<Option<FetchedRecords>, ErrorCode>);

impl Cluster {
    /// Reads up to about `bytes` of each of these partitions, from an offset of it: one request to each leader, without
    /// waiting for records. In the order of the leaders; `None` where there is no (whole) batch.
    pub async fn sample(
        &self,
        from: &[(TopicPartition, Offset)],
        isolation: Isolation,
        bytes: i32,
    ) -> Result<Vec<Sample>, Error> {
        let mut by_leader: BTreeMap<i32, BTreeMap<&Arc<str>, Vec<FetchPartition>>> = BTreeMap::new();
        for (partition, offset) in from {
            let leader = self.leader(partition).await?;
            let wanted = FetchPartition::default()
                .with_partition(partition.partition)
                .with_current_leader_epoch(leader.epoch)
                .with_fetch_offset(offset.0)
                .with_last_fetched_epoch(-1)
                .with_log_start_offset(-1)
                .with_partition_max_bytes(bytes);
            by_leader.entry(leader.node).or_default().entry(&partition.topic).or_default().push(wanted);
        }
        let mut samples = Vec::with_capacity(from.len());
        for (node, topics) in by_leader {
            let count: usize = topics.values().map(Vec::len).sum();
            let topics = topics.into_iter().map(|(name, partitions)| {
                let name = TopicName(StrBytes::from_string(name.to_string()));
                FetchTopic::default().with_topic(name).with_partitions(partitions)
            });
            // A session of its own that is not kept: epoch -1.
            let request = FetchRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_session_epoch(-1)
                .with_isolation_level(isolation.number())
                .with_min_bytes(0)
                .with_max_wait_ms(0)
                .with_max_bytes(bytes.saturating_mul(i32::try_from(count).unwrap_or(i32::MAX)))
                .with_topics(topics.collect());
            let options = Options { max_version: Some(BY_NAME), ..Options::default() };
            let response = self.node(node, Purpose::Fetch).await?.call_with(&request, options).await?;
            ErrorCode::check(response.error_code)
                .map_err(|code| Error::refused(format!("reading from broker {node}"), code, None))?;
            for topic in response.responses {
                for data in topic.partitions {
                    let partition = TopicPartition::new(&**topic.topic, data.partition_index);
                    let wanted = from.iter().find(|(wanted, _)| *wanted == partition);
                    let Some((_, offset)) = wanted else { continue };
                    if let Err(code) = ErrorCode::check(data.error_code) {
                        samples.push((partition, Err(code)));
                        continue;
                    }
                    let aborted = aborted(&data);
                    let records = data.records.filter(|records| !records.is_empty()).map(|records| {
                        FetchedRecords::new(Response {
                            partition: partition.clone(),
                            assignment: Assignment(0),
                            from: *offset,
                            records,
                            aborted,
                            isolation,
                            high_watermark: Offset(data.high_watermark),
                            batch_limit: DEFAULT_BATCH_LIMIT,
                            held: Arc::new(()),
                        })
                    });
                    samples.push((partition, Ok(records.filter(|records| !records.is_empty()))));
                }
            }
        }
        Ok(samples)
    }
}
