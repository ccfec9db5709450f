//! Changing what a group has committed, from outside the group: Kafka lets nobody do that while it has members.

use std::collections::BTreeMap;
use std::sync::Arc;

use data::{Offset, TopicPartition};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::{DeleteGroupsRequest, GroupId, OffsetCommitRequest, OffsetDeleteRequest};
use kafka_protocol::protocol::StrBytes;

use super::{check, topic_name};
use fault::{Chain, Fault};
use transit::{Commit, CommitOutcome, Committer};

use crate::ErrorCode;
use crate::cluster::{Cluster, CoordinatorKey, Error, Purpose};
use crate::net::Connection;

fn id(group: &str) -> GroupId {
    GroupId(StrBytes::from_string(group.to_owned()))
}

impl Cluster {
    /// Commits `offsets` for a group that has no members; a member is told by `UNKNOWN_MEMBER_ID`. Nothing stands beside
    /// them afterwards.
    ///
    /// Kafka takes or refuses each partition by itself; the first refusal is the error.
    pub async fn commit_from_outside(&self, group: &str, offsets: &[(TopicPartition, Offset)]) -> Result<(), Error> {
        if offsets.is_empty() {
            return Ok(());
        }
        let mut topics: BTreeMap<&Arc<str>, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for (partition, offset) in offsets {
            let entry = OffsetCommitRequestPartition::default()
                .with_partition_index(partition.partition)
                .with_committed_offset(offset.0)
                .with_committed_metadata(Some(StrBytes::default()));
            topics.entry(&partition.topic).or_default().push(entry);
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            OffsetCommitRequestTopic::default().with_name(topic_name(name)).with_partitions(partitions)
        });
        // Generation -1 and no member: a commit of one who is not in the group.
        let request = OffsetCommitRequest::default()
            .with_group_id(id(group))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(topics.collect());
        self.of_group(group, async |connection: Arc<Connection>| {
            let response = connection.call(&request).await?;
            let mut answered = 0;
            for topic in response.topics {
                for partition in topic.partitions {
                    let what = format!("offset of {}-{} for group {group}", &**topic.name, partition.partition_index);
                    check(what, partition.error_code, None)?;
                    answered += 1;
                }
            }
            if answered < offsets.len() {
                return Err(Error::Incomplete { what: format!("offsets of group {group}").into() });
            }
            Ok(())
        })
        .await
    }

    /// Takes away what a group has committed for `partitions`, of topics that no member of it reads
    /// (`GROUP_SUBSCRIBED_TO_TOPIC`). What is not committed is no error.
    pub async fn delete_committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<(), Error> {
        if partitions.is_empty() {
            return Ok(());
        }
        let mut topics: BTreeMap<&Arc<str>, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
        for partition in partitions {
            let entry = OffsetDeleteRequestPartition::default().with_partition_index(partition.partition);
            topics.entry(&partition.topic).or_default().push(entry);
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            OffsetDeleteRequestTopic::default().with_name(topic_name(name)).with_partitions(partitions)
        });
        let request = OffsetDeleteRequest::default().with_group_id(id(group)).with_topics(topics.collect());
        self.of_group(group, async |connection: Arc<Connection>| {
            let response = connection.call(&request).await?;
            let what = || format!("deletion of offsets of group {group}");
            match ErrorCode::of(response.error_code) {
                Some(ErrorCode::GROUP_ID_NOT_FOUND) => return Ok(()),
                code => code.map_or(Ok(()), |code| Err(Error::refused(what(), code, None)))?,
            }
            for topic in response.topics {
                for partition in topic.partitions {
                    check(what(), partition.error_code, None)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Takes a group away with all that it has committed; one with members is told by `NON_EMPTY_GROUP`. One that is not
    /// there is no error.
    pub async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![id(group)]);
        self.of_group(group, async |connection: Arc<Connection>| {
            let response = connection.call(&request).await?;
            let what = format!("deletion of group {group}");
            let result =
                response.results.into_iter().next().ok_or_else(|| Error::Incomplete { what: (*what).into() })?;
            match ErrorCode::of(result.error_code) {
                Some(ErrorCode::GROUP_ID_NOT_FOUND) => Ok(()),
                code => code.map_or(Ok(()), |code| Err(Error::refused(what, code, None))),
            }
        })
        .await
    }

    /// Asks the coordinator of `group`; who that is is looked up again when it was another one.
    pub(super) async fn of_group<T, F: Future<Output = Result<T, Error>>>(
        &self,
        group: &str,
        ask: impl Fn(Arc<Connection>) -> F,
    ) -> Result<T, Error> {
        let key = CoordinatorKey::Group(group.into());
        self.administer(async || {
            let node = self.coordinator(&key).await?;
            let result = match self.node(node, Purpose::Control).await {
                Ok(connection) => ask(connection).await,
                Err(error) => Err(error),
            };
            result.inspect_err(|error| {
                if error.kafka_code().is_none_or(ErrorCode::is_stale_coordinator) {
                    self.forget_coordinator(&key, node);
                }
            })
        })
        .await
    }
}

/// Commits for a group without being in it: for one who brings to an end what its last member has left. Fenced as soon
/// as the group has a member.
#[derive(Debug, Clone)]
pub struct Outsider {
    cluster: Cluster,
    group: Arc<str>,
}

impl Outsider {
    /// One who commits for `group`.
    pub fn new(cluster: Cluster, group: impl Into<Arc<str>>) -> Self {
        Self { cluster, group: group.into() }
    }
}

impl Committer for Outsider {
    /// All of one partition, or none: several are taken or refused each by itself, so each is sent alone.
    async fn commit(&self, commits: Vec<Commit>) -> Result<CommitOutcome, Fault> {
        for commit in commits {
            let offsets = [(commit.partition, commit.offset)];
            match self.cluster.commit_from_outside(&self.group, &offsets).await {
                Ok(()) => {}
                Err(error) if error.kafka_code() == Some(ErrorCode::UNKNOWN_MEMBER_ID) => {
                    return Ok(CommitOutcome::Fenced);
                }
                Err(error) if error.is_retriable() => return Err(error.into()),
                Err(error) => return Ok(CommitOutcome::Refused { code: Chain(&error).to_string() }),
            }
        }
        Ok(CommitOutcome::Done)
    }
}
