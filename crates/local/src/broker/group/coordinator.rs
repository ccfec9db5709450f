use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use data::TopicPartition;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::classic::{ClassicGroup, Join, Phase, Sync};
use super::journal::{Journal, Line};
use super::member::{answer_sync, join_error, sync_error};

/// Most groups of one embedded broker.
const GROUPS_MAX: usize = 10_000;

/// How long a group without members and offsets is still known, so that who was its member is told that he is no more:
/// Kafka's `offsets.retention.check.interval.ms`.
const VACANT_MAX: Duration = Duration::from_mins(10);

/// What members may ask for, and how long a first generation waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupLimits {
    /// `group.min.session.timeout.ms`
    pub(crate) min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`
    pub(crate) max_session_timeout: Duration,
    /// `group.initial.rebalance.delay.ms`
    pub(crate) initial_rebalance_delay: Duration,
    /// `offset.metadata.max.bytes`
    pub(crate) metadata_max: usize,
}

/// All groups of the broker. No call blocks unless it says so.
#[derive(Debug)]
pub(crate) struct Coordinator {
    limits: GroupLimits,
    groups: Mutex<HashMap<String, Group>>,
    journal: Option<Journal>,
    /// A deadline may have come nearer.
    changed: Notify,
}

#[derive(Debug)]
struct Group {
    classic: ClassicGroup,
    offsets: BTreeMap<TopicPartition, Committed>,
    /// Since when it has had neither members nor offsets, as far as was noticed.
    vacant_since: Option<Instant>,
}

/// A committed offset and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

/// Under which identity a commit is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommitIdentity<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
    pub(crate) generation: i32,
}

/// A group as the listings show it.
#[derive(Debug)]
pub(crate) struct GroupDescription {
    pub(crate) id: String,
    pub(crate) phase: Phase,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) members: Vec<MemberDescription>,
}

/// A member as the listings show it.
#[derive(Debug)]
pub(crate) struct MemberDescription {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) subscription: Bytes,
    pub(crate) assignment: Bytes,
}

impl Coordinator {
    /// Without groups, or with the offsets committed in an earlier life, from `dir`. Blocks.
    pub(crate) fn open(dir: Option<&Path>, limits: GroupLimits) -> io::Result<Self> {
        let mut groups: HashMap<String, Group> = HashMap::new();
        let read = |line: Line| {
            let key = TopicPartition::new(line.topic, line.partition);
            let group = groups.entry(line.group).or_insert_with(|| Group::new(limits));
            match line.offset {
                Some(offset) => {
                    let committed = Committed { offset, leader_epoch: line.leader_epoch, metadata: line.metadata };
                    group.offsets.insert(key, committed);
                }
                None => drop(group.offsets.remove(&key)),
            }
        };
        let journal = dir.map(|dir| Journal::open(dir, read)).transpose()?;
        groups.retain(|_, group| !group.offsets.is_empty());
        Ok(Self { limits, groups: Mutex::new(groups), journal, changed: Notify::new() })
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<String, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A member joins. Waits until the others have.
    pub(crate) async fn join(&self, group_id: &str, join: Join) -> JoinGroupResponse {
        let member_id = join.member_id.clone();
        let limits = &self.limits;
        if group_id.is_empty() {
            return join_error(&member_id, ResponseError::InvalidGroupId);
        }
        if join.session_timeout < limits.min_session_timeout || join.session_timeout > limits.max_session_timeout {
            return join_error(&member_id, ResponseError::InvalidSessionTimeout);
        }
        let (to, answer) = oneshot::channel();
        {
            let mut groups = self.groups();
            if !groups.contains_key(group_id) {
                if !member_id.is_empty() {
                    return join_error(&member_id, ResponseError::UnknownMemberId);
                }
                if groups.len() >= GROUPS_MAX {
                    return join_error(&member_id, ResponseError::GroupMaxSizeReached);
                }
            }
            let group = groups.entry(group_id.to_owned()).or_insert_with(|| Group::new(*limits));
            group.classic.join(join, Instant::now(), to);
            remove_if_vacant(&mut groups, group_id);
        }
        self.changed.notify_one();
        answer.await.unwrap_or_else(|_| join_error(&member_id, ResponseError::CoordinatorNotAvailable))
    }

    /// A member asks for its assignment. Waits until the leader has sent it.
    pub(crate) async fn sync(&self, group_id: &str, sync: Sync) -> SyncGroupResponse {
        if group_id.is_empty() {
            return sync_error(ResponseError::InvalidGroupId);
        }
        let (to, answer) = oneshot::channel();
        match self.groups().get_mut(group_id) {
            Some(group) => group.classic.sync(sync, Instant::now(), to),
            None => answer_sync(to, sync_error(ResponseError::UnknownMemberId)),
        }
        self.changed.notify_one();
        answer.await.unwrap_or_else(|_| sync_error(ResponseError::CoordinatorNotAvailable))
    }

    /// A member says that it lives.
    pub(crate) fn heartbeat(
        &self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        if group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let mut groups = self.groups();
        let group = groups.get_mut(group_id).ok_or(ResponseError::UnknownMemberId)?;
        group.classic.heartbeat(member_id, instance_id, generation, Instant::now())
    }

    /// A member goes.
    pub(crate) fn leave(
        &self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ResponseError> {
        let mut groups = self.groups();
        let group = groups.get_mut(group_id).ok_or(ResponseError::UnknownMemberId)?;
        let left = group.classic.leave(member_id, instance_id, Instant::now());
        remove_if_vacant(&mut groups, group_id);
        self.changed.notify_one();
        left
    }

    /// Commits offsets, all under one identity: refused as a whole if that is not (any more) the group's, else one
    /// outcome for each in order. Durable only after [`Coordinator::write`].
    pub(crate) fn commit(
        &self,
        group_id: &str,
        identity: CommitIdentity<'_>,
        offsets: Vec<(TopicPartition, Committed)>,
    ) -> Result<Vec<Result<(), ResponseError>>, ResponseError> {
        let mut groups = self.groups();
        if !groups.contains_key(group_id) {
            if identity.generation >= 0 {
                return Err(ResponseError::GroupIdNotFound);
            }
            if groups.len() >= GROUPS_MAX {
                return Err(ResponseError::GroupMaxSizeReached);
            }
        }
        let group = groups.entry(group_id.to_owned()).or_insert_with(|| Group::new(self.limits));
        let CommitIdentity { member_id, instance_id, generation } = identity;
        group.classic.may_commit(member_id, instance_id, generation, Instant::now())?;
        let store = |(partition, committed): (TopicPartition, Committed)| {
            // Kafka counts the characters of a Java string.
            if committed.metadata.encode_utf16().count() > self.limits.metadata_max {
                return Err(ResponseError::OffsetMetadataTooLarge);
            }
            self.note(group_id, &partition, Some(&committed));
            group.offsets.insert(partition, committed);
            Ok(())
        };
        let outcomes = offsets.into_iter().map(store).collect();
        remove_if_vacant(&mut groups, group_id);
        Ok(outcomes)
    }

    /// What is committed for these partitions, or for all that the group has.
    pub(crate) fn committed(
        &self,
        group_id: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Vec<(TopicPartition, Option<Committed>)> {
        let groups = self.groups();
        let offsets = groups.get(group_id).map(|group| &group.offsets);
        match partitions {
            Some(partitions) => partitions
                .iter()
                .map(|key| (key.clone(), offsets.and_then(|offsets| offsets.get(key)).cloned()))
                .collect(),
            None => {
                offsets.into_iter().flatten().map(|(key, committed)| (key.clone(), Some(committed.clone()))).collect()
            }
        }
    }

    /// Deletes committed offsets of topics that no member reads. Durable only after [`Coordinator::write`].
    pub(crate) fn delete_offsets(
        &self,
        group_id: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<(), ResponseError>>, ResponseError> {
        let mut groups = self.groups();
        let group = groups.get_mut(group_id).ok_or(ResponseError::GroupIdNotFound)?;
        let delete = |key: &TopicPartition| {
            if group.classic.is_subscribed(&key.topic) {
                return Err(ResponseError::GroupSubscribedToTopic);
            }
            if group.offsets.remove(key).is_some() {
                self.note(group_id, key, None);
            }
            Ok(())
        };
        let outcomes = partitions.iter().map(delete).collect();
        remove_if_vacant(&mut groups, group_id);
        Ok(outcomes)
    }

    /// Deletes a group without members. Durable only after [`Coordinator::write`].
    pub(crate) fn delete_group(&self, group_id: &str) -> Result<(), ResponseError> {
        let mut groups = self.groups();
        let group = groups.get(group_id).ok_or(ResponseError::GroupIdNotFound)?;
        if group.classic.phase() != Phase::Empty || !group.classic.is_vacant() {
            return Err(ResponseError::NonEmptyGroup);
        }
        for partition in group.offsets.keys() {
            self.note(group_id, partition, None);
        }
        groups.remove(group_id);
        Ok(())
    }

    /// A topic was deleted: nothing stays committed for it. Durable only after [`Coordinator::write`].
    pub(crate) fn forget_topic(&self, topic: &str) {
        let mut groups = self.groups();
        for (group_id, group) in groups.iter_mut() {
            group.offsets.retain(|partition, _| {
                let stays = &*partition.topic != topic;
                if !stays {
                    self.note(group_id, partition, None);
                }
                stays
            });
        }
        groups.retain(|_, group| group.stays(Instant::now()));
    }

    fn note(&self, group: &str, partition: &TopicPartition, committed: Option<&Committed>) {
        if let Some(journal) = &self.journal {
            journal.note(&line(group, partition, committed));
        }
    }

    /// Writes what was changed so that a killed process has not lost it. Blocks.
    pub(crate) fn write(&self) -> io::Result<()> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.write(|| self.lines()))
    }

    /// Makes it durable, so that a machine that loses its power has not lost it. Blocks.
    pub(crate) fn make_durable(&self) -> io::Result<()> {
        self.write()?;
        self.journal.as_ref().map_or(Ok(()), Journal::sync)
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for (group_id, group) in self.groups().iter() {
            lines.extend(group.offsets.iter().map(|(partition, committed)| line(group_id, partition, Some(committed))));
        }
        lines
    }

    /// All groups, by id, without their members.
    pub(crate) fn list(&self) -> Vec<GroupDescription> {
        let groups = self.groups();
        let mut list: Vec<_> = groups.iter().map(|(id, group)| group.describe(id, false)).collect();
        list.sort_by(|a, b| a.id.cmp(&b.id));
        list
    }

    /// One group with its members.
    pub(crate) fn describe(&self, group_id: &str) -> Option<GroupDescription> {
        self.groups().get(group_id).map(|group| group.describe(group_id, true))
    }

    /// Ends sessions and rebalances when their time has come. Does not return.
    pub(crate) async fn run(&self) {
        loop {
            let next = self.tick(Instant::now());
            tokio::select! {
                () = self.changed.notified() => {}
                () = async { tokio::time::sleep_until(next.unwrap_or_else(Instant::now)).await }, if next.is_some() => {}
            }
        }
    }

    fn tick(&self, now: Instant) -> Option<Instant> {
        let mut groups = self.groups();
        for group in groups.values_mut() {
            group.classic.tick(now);
        }
        groups.retain(|_, group| group.stays(now));
        groups.values().filter_map(Group::next_tick).min()
    }

    /// Ends every wait, for a broker that stops.
    pub(crate) fn close(&self) {
        for group in self.groups().values_mut() {
            group.classic.abandon();
        }
    }
}

impl Group {
    fn new(limits: GroupLimits) -> Self {
        Self {
            classic: ClassicGroup::new(limits.initial_rebalance_delay),
            offsets: BTreeMap::new(),
            vacant_since: None,
        }
    }

    /// Whether it is still to be known.
    fn stays(&mut self, now: Instant) -> bool {
        if !self.is_vacant() {
            self.vacant_since = None;
            return true;
        }
        let since = *self.vacant_since.get_or_insert(now);
        self.classic.has_history() && now < since + VACANT_MAX
    }

    fn next_tick(&self) -> Option<Instant> {
        self.vacant_since.map(|since| since + VACANT_MAX).into_iter().chain(self.classic.next_tick()).min()
    }

    fn is_vacant(&self) -> bool {
        self.classic.is_vacant() && self.offsets.is_empty()
    }

    fn describe(&self, id: &str, with_members: bool) -> GroupDescription {
        let protocol = self.classic.protocol();
        let members = self.classic.members().iter().filter(|_| with_members).map(|(id, member)| MemberDescription {
            id: id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client.id.clone(),
            client_host: member.client.host.clone(),
            subscription: member.subscription(protocol),
            assignment: member.assignment.clone(),
        });
        GroupDescription {
            id: id.to_owned(),
            phase: self.classic.phase(),
            protocol_type: self.classic.protocol_type().to_owned(),
            protocol: protocol.to_owned(),
            members: members.collect(),
        }
    }
}

fn line(group: &str, partition: &TopicPartition, committed: Option<&Committed>) -> Line {
    Line {
        group: group.to_owned(),
        topic: partition.topic.to_string(),
        partition: partition.partition,
        offset: committed.map(|committed| committed.offset),
        leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
        metadata: committed.map(|committed| committed.metadata.clone()).unwrap_or_default(),
    }
}

/// A group that has never had a member or an offset is none.
fn remove_if_vacant(groups: &mut HashMap<String, Group>, group_id: &str) {
    if groups.get_mut(group_id).is_some_and(|group| !group.stays(Instant::now())) {
        groups.remove(group_id);
    }
}
