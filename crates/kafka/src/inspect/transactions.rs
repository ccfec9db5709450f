use data::{Offset, TopicPartition};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::{DescribeProducersRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::ErrorCode;
use crate::cluster::{Cluster, Error, Purpose};

/// A transaction that has been begun in a partition and not ended: `read_committed` stops before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTransaction {
    /// Its first offset.
    pub start: Offset,
    /// The producer's number.
    pub producer_id: i64,
    /// When the producer last wrote there, in milliseconds since 1970.
    pub last_millis: i64,
}

impl Cluster {
    /// The transactions that are open in `partition`; `None` if its leader does not tell (before Kafka 2.8).
    pub async fn open_transactions(&self, partition: &TopicPartition) -> Result<Option<Vec<OpenTransaction>>, Error> {
        let leader = self.leader(partition).await?;
        let connection = self.node(leader.node, Purpose::Control).await?;
        if !connection.supports::<DescribeProducersRequest>() {
            return Ok(None);
        }
        let topic = TopicRequest::default()
            .with_name(TopicName(StrBytes::from_string(partition.topic.to_string())))
            .with_partition_indexes(vec![partition.partition]);
        let response = connection.call(&DescribeProducersRequest::default().with_topics(vec![topic])).await?;
        let what = format!("producers of {partition}");
        let answer = response.topics.into_iter().flat_map(|topic| topic.partitions).next();
        let answer = answer.ok_or_else(|| Error::Incomplete { what: (*what).into() })?;
        ErrorCode::check(answer.error_code)
            .map_err(|code| Error::refused(what, code, answer.error_message.as_deref()))?;
        let open = answer.active_producers.into_iter().filter(|producer| producer.current_txn_start_offset >= 0);
        let open = open.map(|producer| OpenTransaction {
            start: Offset(producer.current_txn_start_offset),
            producer_id: producer.producer_id.0,
            last_millis: producer.last_timestamp,
        });
        Ok(Some(open.collect()))
    }
}
