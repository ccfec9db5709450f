//! A member's calls as Kafka's messages, over one connection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data::{Offset, TopicPartition};
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use transit::Commit;
use uuid::Uuid;

use super::assign::Assignor;
use super::call::{Answer, Call, JOINING, Joined, Place, Reconcile, Reconciled, Refusal};
use super::options::{GroupOptions, GroupProtocol};
use crate::ErrorCode;
use crate::net::{Connection, Error, Options};

/// What the broker may take longer than the rebalance itself to answer a JoinGroup; Java adds 5 s too.
const REBALANCE_MARGIN: Duration = Duration::from_secs(5);
/// How long a farewell may take: the broker notices by itself in the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a call has no answer for the member.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The connection's word.
    Net(Error),
    /// The coordinator is elsewhere or not ready to take this call, which is not one whose answer the member looks at.
    NotNow(ErrorCode),
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        Self::Net(error)
    }
}

/// Sends `call` and waits for its answer.
pub(crate) async fn send(
    connection: &Connection,
    options: &GroupOptions,
    request_timeout: Duration,
    call: &Call,
) -> Result<Answer, Unanswered> {
    let patience = |timeout: Duration| Options { timeout: Some(timeout), ..Options::default() };
    // A call that the broker holds back until the whole group is there.
    let long = patience(options.max_poll_interval.max(request_timeout) + REBALANCE_MARGIN);
    // Several tries must fit into a session.
    let short = patience(request_timeout.min(options.session_timeout / 3));
    // A commit that is given up means a new membership (see `Member::commit_unanswered`), so it is waited for as long as
    // this one lasts.
    let commit = patience(options.session_timeout);
    let farewell = patience(FAREWELL);
    let wire = Wire { connection, options };
    match call {
        Call::Join { member, protocols, reason } => wire.join(member, protocols, reason, long).await,
        Call::Sync { member, generation, assignor, assignments } => {
            wire.sync(member, *generation, *assignor, assignments, long).await
        }
        Call::Beat { member, generation } => wire.beat(member, *generation, short).await,
        Call::Leave { member, reason } => wire.leave(member, reason, farewell).await,
        Call::Reconcile(said) if said.epoch < JOINING => {
            wire.reconcile(said, farewell).await.and_then(|answer| match answer {
                Answer::Reconciled(Err(refusal)) if refusal.code.is_retriable() => {
                    Err(Unanswered::NotNow(refusal.code))
                }
                _ => Ok(Answer::Left),
            })
        }
        Call::Reconcile(said) => wire.reconcile(said, short).await,
        Call::Commit { member, epoch, entries } => wire.commit(member, *epoch, entries, commit).await,
        Call::Places { member, epoch, partitions } => wire.places(member, *epoch, partitions, short).await,
    }
}

struct Wire<'a> {
    connection: &'a Connection,
    options: &'a GroupOptions,
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn shared(text: &StrBytes) -> Arc<str> {
    (&**text).into()
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

fn check(code: i16, message: Option<&StrBytes>) -> Result<(), Refusal> {
    ErrorCode::check(code).map_err(|code| Refusal { code, message: message.map(shared) })
}

/// The kind of group that consumers form, among all that use the classic protocol.
const CONSUMER: &str = "consumer";

impl Wire<'_> {
    fn group(&self) -> GroupId {
        GroupId(text(&self.options.group))
    }

    fn instance(&self) -> Option<StrBytes> {
        self.options.instance.as_deref().map(text)
    }

    async fn join(
        &self,
        member: &str,
        protocols: &[(Assignor, Bytes)],
        reason: &str,
        patience: Options,
    ) -> Result<Answer, Unanswered> {
        let protocols = protocols.iter().map(|(assignor, subscription)| {
            JoinGroupRequestProtocol::default()
                .with_name(StrBytes::from_static_str(assignor.name()))
                .with_metadata(subscription.clone())
        });
        let mut request = JoinGroupRequest::default()
            .with_group_id(self.group())
            .with_session_timeout_ms(millis(self.options.session_timeout))
            .with_rebalance_timeout_ms(millis(self.options.max_poll_interval))
            .with_member_id(text(member))
            .with_group_instance_id(self.instance())
            .with_protocol_type(StrBytes::from_static_str(CONSUMER))
            .with_protocols(protocols.collect());
        // KIP-800, Kafka 3.2.
        if self.connection.version::<JoinGroupRequest>(None)? >= 8 {
            request = request.with_reason(Some(text(reason)));
        }
        let response = self.connection.call_with(&request, patience).await?;
        if ErrorCode::of(response.error_code) == Some(ErrorCode::MEMBER_ID_REQUIRED) {
            return Ok(Answer::NeedsId(shared(&response.member_id)));
        }
        Ok(Answer::Joined(check(response.error_code, None).map(|()| joined(response))))
    }

    async fn sync(
        &self,
        member: &str,
        generation: i32,
        assignor: Assignor,
        assignments: &[(Arc<str>, Bytes)],
        patience: Options,
    ) -> Result<Answer, Unanswered> {
        let assignments = assignments.iter().map(|(id, assignment)| {
            SyncGroupRequestAssignment::default().with_member_id(text(id)).with_assignment(assignment.clone())
        });
        let request = SyncGroupRequest::default()
            .with_group_id(self.group())
            .with_generation_id(generation)
            .with_member_id(text(member))
            .with_group_instance_id(self.instance())
            .with_protocol_type(Some(StrBytes::from_static_str(CONSUMER)))
            .with_protocol_name(Some(StrBytes::from_static_str(assignor.name())))
            .with_assignments(assignments.collect());
        let response = self.connection.call_with(&request, patience).await?;
        Ok(Answer::Synced(check(response.error_code, None).map(|()| response.assignment)))
    }

    async fn beat(&self, member: &str, generation: i32, patience: Options) -> Result<Answer, Unanswered> {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group())
            .with_generation_id(generation)
            .with_member_id(text(member))
            .with_group_instance_id(self.instance());
        let response = self.connection.call_with(&request, patience).await?;
        Ok(Answer::Beaten(check(response.error_code, None)))
    }

    async fn leave(&self, member: &str, reason: &str, patience: Options) -> Result<Answer, Unanswered> {
        let mut identity = MemberIdentity::default().with_member_id(text(member));
        if self.connection.version::<LeaveGroupRequest>(None)? >= 5 {
            identity = identity.with_reason(Some(text(reason)));
        }
        let request = LeaveGroupRequest::default().with_group_id(self.group()).with_members(vec![identity]);
        let response = self.connection.call_with(&request, patience).await?;
        match ErrorCode::check(response.error_code) {
            Err(code) if code.is_retriable() => Err(Unanswered::NotNow(code)),
            // Whatever else it says: we are not a member any more, or never were.
            Ok(()) | Err(_) => Ok(Answer::Left),
        }
    }

    async fn reconcile(&self, said: &Reconcile, patience: Options) -> Result<Answer, Unanswered> {
        let mut request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(self.group())
            .with_member_id(text(&said.member))
            .with_member_epoch(said.epoch)
            .with_instance_id(self.instance());
        if said.full {
            let assignor = match &self.options.protocol {
                GroupProtocol::Consumer(assignor) => assignor.as_deref(),
                GroupProtocol::Classic(_) => None,
            };
            request = request
                .with_rack_id(self.options.rack.as_deref().map(text))
                .with_rebalance_timeout_ms(millis(self.options.max_poll_interval))
                .with_server_assignor(assignor.map(text));
        }
        let topics = said.topics.as_ref().map(|topics| topics.iter().map(|topic| topic_name(topic)).collect());
        let owned = said.owned.as_ref().map(|owned| {
            let topic = |(id, numbers): (&Uuid, &BTreeSet<i32>)| {
                TopicPartitions::default().with_topic_id(*id).with_partitions(numbers.iter().copied().collect())
            };
            owned.iter().map(topic).collect()
        });
        let request = request.with_subscribed_topic_names(topics).with_topic_partitions(owned);
        let response = self.connection.call_with(&request, patience).await?;
        let answer = check(response.error_code, response.error_message.as_ref()).map(|()| {
            let assigned = response.assignment.map(|assignment| {
                let topics = assignment.topic_partitions.into_iter();
                topics.map(|topic| (topic.topic_id, topic.partitions.into_iter().collect())).collect()
            });
            Reconciled {
                epoch: response.member_epoch,
                interval: Duration::from_millis(u64::try_from(response.heartbeat_interval_ms).unwrap_or(0)),
                assigned,
            }
        });
        Ok(Answer::Reconciled(answer))
    }

    async fn commit(
        &self,
        member: &str,
        epoch: i32,
        entries: &[Commit],
        patience: Options,
    ) -> Result<Answer, Unanswered> {
        let mut topics: BTreeMap<&Arc<str>, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for entry in entries {
            let partition = OffsetCommitRequestPartition::default()
                .with_partition_index(entry.partition.partition)
                .with_committed_offset(entry.offset.0)
                .with_committed_metadata(Some(text(&entry.metadata)));
            topics.entry(&entry.partition.topic).or_default().push(partition);
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            OffsetCommitRequestTopic::default().with_name(topic_name(name)).with_partitions(partitions)
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(self.group())
            .with_generation_id_or_member_epoch(epoch)
            .with_member_id(text(member))
            .with_group_instance_id(self.instance())
            .with_topics(topics.collect());
        let response = self.connection.call_with(&request, patience).await?;
        let mut errors = BTreeMap::new();
        for topic in response.topics {
            let name = shared(&topic.name);
            for partition in topic.partitions {
                let key = TopicPartition { topic: name.clone(), partition: partition.partition_index };
                errors.insert(key, ErrorCode::of(partition.error_code));
            }
        }
        Ok(Answer::Committed(errors))
    }

    async fn places(
        &self,
        member: &str,
        epoch: i32,
        partitions: &[TopicPartition],
        patience: Options,
    ) -> Result<Answer, Unanswered> {
        let mut topics: BTreeMap<&Arc<str>, Vec<i32>> = BTreeMap::new();
        for partition in partitions {
            topics.entry(&partition.topic).or_default().push(partition.partition);
        }
        // What a transaction is about to commit is waited for: otherwise the answer could be older than what its
        // consumer has read.
        let request = OffsetFetchRequest::default().with_require_stable(true);
        let version = self.connection.version::<OffsetFetchRequest>(None)?;
        let answer = if version >= 8 {
            let topics = topics.into_iter().map(|(name, numbers)| {
                OffsetFetchRequestTopics::default().with_name(topic_name(name)).with_partition_indexes(numbers)
            });
            let mut group =
                OffsetFetchRequestGroup::default().with_group_id(self.group()).with_topics(Some(topics.collect()));
            // A member of the classic protocol is not told apart here: its generation fences what it commits.
            let is_consumer = matches!(self.options.protocol, GroupProtocol::Consumer(_));
            group = if version >= 9 && is_consumer {
                group.with_member_id(Some(text(member))).with_member_epoch(epoch)
            } else {
                group.with_member_epoch(-1)
            };
            let response = self.connection.call_with(&request.with_groups(vec![group]), patience).await?;
            let found = response.groups.into_iter().next().unwrap_or_default();
            check(found.error_code, None).map(|()| {
                let each = found.topics.into_iter().flat_map(|topic| {
                    let name = shared(&topic.name);
                    topic.partitions.into_iter().map(move |it| {
                        let partition = TopicPartition { topic: name.clone(), partition: it.partition_index };
                        (partition, place(it.error_code, it.committed_offset, it.metadata))
                    })
                });
                each.collect()
            })
        } else {
            let topics = topics.into_iter().map(|(name, numbers)| {
                OffsetFetchRequestTopic::default().with_name(topic_name(name)).with_partition_indexes(numbers)
            });
            let request = request.with_group_id(self.group()).with_topics(Some(topics.collect()));
            let response = self.connection.call_with(&request, patience).await?;
            check(response.error_code, None).map(|()| {
                let each = response.topics.into_iter().flat_map(|topic| {
                    let name = shared(&topic.name);
                    topic.partitions.into_iter().map(move |it| {
                        let partition = TopicPartition { topic: name.clone(), partition: it.partition_index };
                        (partition, place(it.error_code, it.committed_offset, it.metadata))
                    })
                });
                each.collect()
            })
        };
        Ok(Answer::Places(answer))
    }
}

fn joined(response: JoinGroupResponse) -> Joined {
    Joined {
        leader: response.leader == response.member_id,
        member: shared(&response.member_id),
        generation: response.generation_id,
        assignor: response.protocol_name.as_ref().map_or_else(|| "".into(), shared),
        skip_assignment: response.skip_assignment,
        members: response
            .members
            .into_iter()
            .map(|it| (shared(&it.member_id), it.group_instance_id.as_ref().map(shared), it.metadata))
            .collect(),
    }
}

fn place(code: i16, offset: i64, metadata: Option<StrBytes>) -> Place {
    ErrorCode::check(code)?;
    // -1 where nothing is committed.
    Ok((offset >= 0).then(|| (Offset(offset), metadata.map(|it| it.to_string()).unwrap_or_default())))
}
