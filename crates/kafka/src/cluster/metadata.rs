use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use data::TopicPartition;
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use uuid::Uuid;

use crate::ErrorCode;

/// What the cluster said about itself, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// Counts the updates; a later one has a higher number.
    pub update: u64,
    /// The cluster's id, as `kafka-storage` made it.
    pub cluster_id: Option<Arc<str>>,
    /// The broker to send administrative requests to.
    pub controller: Option<i32>,
    /// The brokers that are up, by node id.
    pub brokers: BTreeMap<i32, Broker>,
    /// The topics that were asked for, by name.
    pub topics: HashMap<Arc<str>, Topic>,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// `host:port` as it advertises itself on the listener that was asked.
    pub address: Arc<str>,
    /// Its `broker.rack`.
    pub rack: Option<Arc<str>>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id (KIP-516), all zero if the broker has none. A topic that was deleted and made again has a new one.
    pub id: Uuid,
    /// What is wrong with it: `UNKNOWN_TOPIC_OR_PARTITION`, `TOPIC_AUTHORIZATION_FAILED`.
    pub error: Option<ErrorCode>,
    /// Whether it is one of Kafka's own (`__consumer_offsets`).
    pub internal: bool,
    /// Its partitions, in order from 0.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number.
    pub index: i32,
    /// What is wrong with it: `LEADER_NOT_AVAILABLE`.
    pub error: Option<ErrorCode>,
    /// Who leads it, if anyone does.
    pub leader: Option<i32>,
    /// Under which epoch; -1 if the broker does not say.
    pub leader_epoch: i32,
    /// The nodes that hold it.
    pub replicas: Vec<i32>,
}

/// Who leads a partition, since which election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leader {
    /// The broker's node id.
    pub node: i32,
    /// The leader epoch, -1 if unknown.
    pub epoch: i32,
}

impl Metadata {
    /// Who leads `partition`, as far as is known.
    pub fn leader(&self, partition: &TopicPartition) -> Option<Leader> {
        let found = self.partition(partition)?;
        Some(Leader { node: found.leader?, epoch: found.leader_epoch })
    }

    /// What is known about `partition`.
    pub fn partition(&self, partition: &TopicPartition) -> Option<&Partition> {
        let index = usize::try_from(partition.partition).ok()?;
        self.topics.get(&partition.topic)?.partitions.get(index)
    }

    /// These metadata with what `response` says put over them. Topics that `response` does not speak of stay, unless
    /// `complete`.
    pub(super) fn updated(&self, response: MetadataResponse, complete: bool) -> Self {
        let brokers = response.brokers.into_iter().map(|broker| {
            let address = crate::net::host_port(&broker.host, broker.port);
            (broker.node_id.0, Broker { address, rack: broker.rack.map(|rack| (&*rack).into()) })
        });
        let mut topics = if complete { HashMap::new() } else { self.topics.clone() };
        for topic in response.topics {
            let Some(topic) = read_topic(topic) else { continue };
            let topic = match self.topics.get(&topic.name) {
                Some(known) => merged(known, topic),
                None => topic,
            };
            topics.insert(topic.name.clone(), topic);
        }
        Self {
            update: self.update + 1,
            cluster_id: response.cluster_id.map(|id| (&*id).into()).or_else(|| self.cluster_id.clone()),
            controller: Some(response.controller_id.0).filter(|id| *id >= 0),
            brokers: brokers.collect(),
            topics,
        }
    }
}

fn read_topic(topic: MetadataResponseTopic) -> Option<Topic> {
    let mut partitions: Vec<_> = topic
        .partitions
        .into_iter()
        .map(|partition| Partition {
            index: partition.partition_index,
            error: ErrorCode::of(partition.error_code),
            leader: Some(partition.leader_id.0).filter(|id| *id >= 0),
            leader_epoch: partition.leader_epoch,
            replicas: partition.replica_nodes.into_iter().map(|id| id.0).collect(),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.index);
    // A hole would shift every partition behind it; a broker never leaves one.
    let whole = partitions.iter().enumerate().all(|(at, partition)| partition.index == at as i32);
    Some(Topic {
        name: (&**topic.name?).into(),
        id: topic.topic_id,
        error: ErrorCode::of(topic.error_code).or(if whole {
            None
        } else {
            Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        }),
        internal: topic.is_internal,
        partitions: if whole { partitions } else { Vec::new() },
    })
}

/// Keeps a partition's leader where the answer is of an older election than what is known: a broker that lags behind
/// must not lead us back (KIP-320). And a topic that has an error now keeps its partitions if it is only unavailable.
fn merged(known: &Topic, mut answer: Topic) -> Topic {
    if known.id != answer.id {
        return answer;
    }
    for (old, new) in known.partitions.iter().zip(&mut answer.partitions) {
        if new.leader_epoch < old.leader_epoch {
            new.clone_from(old);
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::metadata_response::MetadataResponsePartition;
    use kafka_protocol::messages::{BrokerId, TopicName};
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    fn answer(id: u128, leader: i32, epoch: i32) -> MetadataResponse {
        let partition = MetadataResponsePartition::default().with_leader_id(BrokerId(leader)).with_leader_epoch(epoch);
        let topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_static_str("orders"))))
            .with_topic_id(Uuid::from_u128(id))
            .with_partitions(vec![partition]);
        MetadataResponse::default().with_topics(vec![topic])
    }

    #[test]
    fn an_older_election_does_not_replace_a_newer_one() {
        let metadata = Metadata::default().updated(answer(1, 4, 7), false).updated(answer(1, 3, 6), false);
        let partition = TopicPartition::new("orders", 0);
        assert_eq!(metadata.leader(&partition), Some(Leader { node: 4, epoch: 7 }));
    }

    #[test]
    fn a_topic_made_again_begins_anew() {
        let metadata = Metadata::default().updated(answer(1, 4, 7), false).updated(answer(2, 3, 0), false);
        assert_eq!(metadata.leader(&TopicPartition::new("orders", 0)), Some(Leader { node: 3, epoch: 0 }));
    }

    #[test]
    fn topics_that_were_not_asked_for_stay_until_a_complete_answer() {
        let metadata = Metadata::default().updated(answer(1, 4, 7), false);
        assert_eq!(metadata.updated(MetadataResponse::default(), false).topics.len(), 1);
        assert_eq!(metadata.updated(MetadataResponse::default(), true).topics.len(), 0);
    }
}
