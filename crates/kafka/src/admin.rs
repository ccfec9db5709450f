//! Topics and offsets from the outside: creating and deleting topics, where partitions begin and end, what a group has
//! committed.

mod group_offsets;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use data::{Offset, TopicPartition};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DeleteTopicsRequest, GroupId, ListOffsetsRequest, OffsetFetchRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

pub use group_offsets::Outsider;

use crate::ErrorCode;
use crate::cluster::{Cluster, Error, Leader, Purpose};
use crate::net::Connection;

/// A topic to create.
#[derive(Debug, Clone)]
pub struct NewTopic {
    /// Its name.
    pub name: Arc<str>,
    /// How many partitions; -1 for the broker's `num.partitions`.
    pub partitions: i32,
    /// How many replicas of each; -1 for the broker's `default.replication.factor`.
    pub replication_factor: i16,
    /// Its configuration, such as `cleanup.policy`.
    pub configs: BTreeMap<String, String>,
}

impl NewTopic {
    pub(crate) fn creatable(&self) -> CreatableTopic {
        let configs = self.configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string(name.clone()))
                .with_value(Some(StrBytes::from_string(value.clone())))
        });
        CreatableTopic::default()
            .with_name(topic_name(&self.name))
            .with_num_partitions(self.partitions)
            .with_replication_factor(self.replication_factor)
            .with_configs(configs.collect())
    }
}

/// Which place of a partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first record that retention has left.
    Earliest,
    /// Behind the last record (under [`Isolation::ReadCommitted`]: the last stable one).
    Latest,
    /// The first record with this timestamp or a later one, in milliseconds since 1970.
    At(i64),
}

/// Whether records of open transactions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Every record.
    #[default]
    ReadUncommitted,
    /// Only what is committed, and nothing behind an open transaction.
    ReadCommitted,
}

impl Isolation {
    /// Its number on the wire.
    pub fn number(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

/// What a group has committed for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Where it goes on.
    pub offset: Offset,
    /// The leader epoch that was committed with it, -1 if none was.
    pub leader_epoch: i32,
    /// What stands beside it.
    pub metadata: String,
}

/// A partition of a topic, and who is asked about it.
struct PartitionOf {
    index: i32,
    leader: Leader,
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

impl Cluster {
    /// Creates a topic. `TOPIC_ALREADY_EXISTS` is an error like any other.
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<(), Error> {
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic.creatable()])
            .with_timeout_ms(self.server_timeout_ms());
        self.administer(async || {
            let response = self.controller().await?.call(&request).await?;
            let what = format!("creation of topic {}", topic.name);
            let result =
                response.topics.into_iter().next().ok_or_else(|| Error::Incomplete { what: (*what).into() })?;
            check(what, result.error_code, result.error_message.as_deref())
        })
        .await
    }

    /// Deletes a topic.
    pub async fn delete_topic(&self, name: &str) -> Result<(), Error> {
        self.administer(async || {
            let connection = self.controller().await?;
            let request = DeleteTopicsRequest::default().with_timeout_ms(self.server_timeout_ms());
            // From version 6 on by name or id, before that by name.
            let request = if connection.version::<DeleteTopicsRequest>(None)? >= 6 {
                request.with_topics(vec![DeleteTopicState::default().with_name(Some(topic_name(name)))])
            } else {
                request.with_topic_names(vec![topic_name(name)])
            };
            let response = connection.call(&request).await?;
            let what = format!("deletion of topic {name}");
            let result =
                response.responses.into_iter().next().ok_or_else(|| Error::Incomplete { what: (*what).into() })?;
            check(what, result.error_code, result.error_message.as_deref())
        })
        .await
    }

    /// Where each of these partitions has the place asked for, asking each leader once. `None` where no record is as late
    /// as [`Place::At`].
    pub async fn list_offsets(
        &self,
        partitions: &[TopicPartition],
        place: Place,
        isolation: Isolation,
    ) -> Result<HashMap<TopicPartition, Option<Offset>>, Error> {
        let mut found = HashMap::with_capacity(partitions.len());
        self.track(partitions.iter().map(|partition| partition.topic.clone()));
        let mut missing = partitions.to_vec();
        let mut backoff = self.retry_backoff();
        let until = tokio::time::Instant::now() + self.config().request_timeout;
        loop {
            let seen = self.metadata();
            let error = match self.list_offsets_once(&missing, place, isolation, &mut found).await {
                Ok(()) => return Ok(found),
                Err(error) => error,
            };
            if !error.is_retriable() || tokio::time::Instant::now() >= until {
                return Err(error);
            }
            missing.retain(|partition| !found.contains_key(partition));
            backoff.pause().await;
            self.refresh_from(&seen).await?;
        }
    }

    async fn list_offsets_once(
        &self,
        partitions: &[TopicPartition],
        place: Place,
        isolation: Isolation,
        found: &mut HashMap<TopicPartition, Option<Offset>>,
    ) -> Result<(), Error> {
        let mut by_leader: BTreeMap<i32, BTreeMap<&Arc<str>, Vec<PartitionOf>>> = BTreeMap::new();
        for partition in partitions {
            let leader = self.leader(partition).await?;
            by_leader
                .entry(leader.node)
                .or_default()
                .entry(&partition.topic)
                .or_default()
                .push(PartitionOf { index: partition.partition, leader });
        }
        // One after the other: this is asked at the start of an assignment and for a lag metric, never per record.
        let mut failure = None;
        for (node, topics) in by_leader {
            let topics = topics.into_iter().map(|(name, partitions)| {
                let partitions = partitions.into_iter().map(|PartitionOf { index, leader }| {
                    ListOffsetsPartition::default()
                        .with_partition_index(index)
                        .with_current_leader_epoch(leader.epoch)
                        .with_timestamp(match place {
                            Place::Earliest => -2,
                            Place::Latest => -1,
                            Place::At(millis) => millis,
                        })
                });
                ListOffsetsTopic::default().with_name(topic_name(name)).with_partitions(partitions.collect())
            });
            let request = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_isolation_level(isolation.number())
                .with_topics(topics.collect());
            // Version 9 is the last without a timeout of its own (KIP-1075), which tiered storage alone has use for.
            let options = crate::net::Options { max_version: Some(9), ..Default::default() };
            let response = self.node(node, Purpose::Control).await?.call_with(&request, options).await?;
            for topic in response.topics {
                let name: Arc<str> = (&**topic.name).into();
                for answer in topic.partitions {
                    let partition = TopicPartition::new(name.clone(), answer.partition_index);
                    match check(format!("offset of {partition}"), answer.error_code, None) {
                        Ok(()) => {
                            found.insert(partition, Some(Offset(answer.offset)).filter(|offset| offset.0 >= 0));
                        }
                        // What cannot be mended is the error to report, whatever comes after it.
                        Err(error) if failure.as_ref().is_none_or(Error::is_retriable) => failure = Some(error),
                        Err(_) => {}
                    }
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None => match partitions.iter().find(|partition| !found.contains_key(partition)) {
                Some(partition) => Err(Error::Incomplete { what: format!("offset of {partition}").into() }),
                None => Ok(()),
            },
        }
    }

    /// Everything that a group has committed, from outside the group.
    pub async fn committed(&self, group: &str) -> Result<HashMap<TopicPartition, Committed>, Error> {
        self.of_group(group, async |connection: Arc<Connection>| committed_of(&connection, group).await).await
    }

    /// Tries again what can be retried, after a look at who is controller and leader now.
    async fn administer<T, F: Future<Output = Result<T, Error>>>(&self, work: impl Fn() -> F) -> Result<T, Error> {
        self.retried(async || {
            let seen = self.metadata();
            let result = work().await;
            if let Err(error) = &result
                && error.is_retriable()
                && error.kafka_code().is_none_or(ErrorCode::is_stale_metadata)
            {
                self.refresh_from(&seen).await?;
            }
            result
        })
        .await
    }

    /// What the broker may take before it gives up: as long as we wait.
    pub(crate) fn server_timeout_ms(&self) -> i32 {
        i32::try_from(self.config().request_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}

fn check(what: String, code: i16, message: Option<&str>) -> Result<(), Error> {
    ErrorCode::check(code).map_err(|code| Error::refused(what, code, message))
}

async fn committed_of(connection: &Connection, group: &str) -> Result<HashMap<TopicPartition, Committed>, Error> {
    let group_id = GroupId(StrBytes::from_string(group.to_owned()));
    let what = format!("committed offsets of group {group}");
    // Version 8 asks about several groups at once (KIP-709, Kafka 3.0). `require_stable`: what a transaction is about to
    // commit is waited for, so that the answer is not older than what is read.
    let request = OffsetFetchRequest::default().with_require_stable(true);
    let mut all = HashMap::new();
    let mut take = |topic: &TopicName, index, code, offset, leader_epoch, metadata: Option<StrBytes>| {
        let partition = TopicPartition::new(&***topic, index);
        check(format!("committed offset of {partition}"), code, None)?;
        if offset >= 0 {
            let metadata = metadata.map(|metadata| metadata.to_string()).unwrap_or_default();
            all.insert(partition, Committed { offset: Offset(offset), leader_epoch, metadata });
        }
        Ok::<_, Error>(())
    };
    if connection.version::<OffsetFetchRequest>(None)? >= 8 {
        let request = request.with_groups(vec![
            OffsetFetchRequestGroup::default().with_group_id(group_id).with_member_epoch(-1).with_topics(None),
        ]);
        let response = connection.call(&request).await?;
        let found = response.groups.into_iter().next().ok_or_else(|| Error::Incomplete { what: (*what).into() })?;
        check(what, found.error_code, None)?;
        for topic in found.topics {
            for p in topic.partitions {
                take(
                    &topic.name,
                    p.partition_index,
                    p.error_code,
                    p.committed_offset,
                    p.committed_leader_epoch,
                    p.metadata,
                )?;
            }
        }
    } else {
        let response = connection.call(&request.with_group_id(group_id).with_topics(None)).await?;
        check(what, response.error_code, None)?;
        for topic in response.topics {
            for p in topic.partitions {
                take(
                    &topic.name,
                    p.partition_index,
                    p.error_code,
                    p.committed_offset,
                    p.committed_leader_epoch,
                    p.metadata,
                )?;
            }
        }
    }
    Ok(all)
}
