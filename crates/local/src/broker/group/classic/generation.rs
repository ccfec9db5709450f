use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{ClassicGroup, Phase};
use crate::broker::group::member::{Member, answer_join, answer_sync, sync_error};

/// What a member says when it asks for its assignment.
#[derive(Debug)]
pub(crate) struct Sync {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    /// From the leader: everybody's.
    pub(crate) assignments: HashMap<String, Bytes>,
}

impl ClassicGroup {
    /// Calls all members to join, unless that is happening already, and completes it if all have.
    pub(super) fn rebalance(&mut self, now: Instant) {
        if self.phase != Phase::PreparingRebalance {
            for to in self.members.values_mut().filter_map(|member| member.syncing.take()) {
                answer_sync(to, sync_error(ResponseError::RebalanceInProgress));
            }
            self.unsynced.clear();
            let latest = now + self.patience();
            self.deadline = Some(latest);
            self.hold = (self.phase == Phase::Empty && !self.initial_delay.is_zero())
                .then(|| ((now + self.initial_delay).min(latest), latest));
            self.phase = Phase::PreparingRebalance;
        }
        self.complete_if_joined(now);
    }

    /// How long a rebalance waits for a member: the longest that any of them asks for.
    fn patience(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    pub(super) fn complete_if_joined(&mut self, now: Instant) {
        let all = self.members.values().all(|member| member.joining.is_some()) && self.pending.is_empty();
        if self.phase == Phase::PreparingRebalance && all && self.hold.is_none_or(|(until, _)| until <= now) {
            self.complete_join(now);
        }
    }

    /// Begins the next generation with those that have joined.
    pub(super) fn complete_join(&mut self, now: Instant) {
        self.hold = None;
        // A static member that has not joined stays until its session ends.
        let absent = |member: &Member| member.joining.is_none() && member.instance_id.is_none();
        self.members.retain(|_, member| !absent(member));
        let leads = |id: &String| self.members.get(id).is_some_and(|member| member.joining.is_some());
        if !self.leader.as_ref().is_some_and(leads) {
            let next = self.members.iter().find(|(_, member)| member.joining.is_some()).map(|(id, _)| id.clone());
            if next.is_none() && !self.members.is_empty() {
                // Only static members, all away: their sessions decide.
                self.deadline = Some(now + self.patience());
                return;
            }
            self.leader = next;
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            self.phase = Phase::Empty;
            self.protocol = None;
            self.deadline = None;
            return;
        }
        self.protocol = self.elect_protocol();
        self.phase = Phase::CompletingRebalance;
        self.deadline = Some(now + self.patience());
        self.unsynced = self.members.keys().cloned().collect();
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let response = self.joined(&id, self.leader.as_deref() == Some(&id));
            if let Some(member) = self.members.get_mut(&id) {
                member.is_new = false;
                member.touch(now);
                if let Some(to) = member.joining.take() {
                    answer_join(to, response);
                }
            }
        }
    }

    /// The protocol that all know and most prefer.
    pub(super) fn elect_protocol(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let choice = member.protocols.iter().map(|(name, _)| name.as_str()).find(|name| self.is_known_to_all(name));
            *votes.entry(choice?).or_default() += 1;
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name.to_owned())
    }

    /// The answer to a join that succeeded; the leader is told who else there is.
    pub(super) fn joined(&self, member_id: &str, with_members: bool) -> JoinGroupResponse {
        let protocol = self.protocol();
        let entry = |(id, member): (&String, &Member)| {
            JoinGroupResponseMember::default()
                .with_member_id(id.clone().into())
                .with_group_instance_id(member.instance_id.clone().map(StrBytes::from))
                .with_metadata(member.subscription(protocol))
        };
        JoinGroupResponse::default()
            .with_generation_id(self.generation)
            .with_protocol_type(self.protocol_type.clone().map(StrBytes::from))
            .with_protocol_name(self.protocol.clone().map(StrBytes::from))
            .with_leader(self.leader.clone().unwrap_or_default().into())
            .with_member_id(member_id.to_owned().into())
            .with_members(if with_members { self.members.iter().map(entry).collect() } else { Vec::new() })
    }

    /// A member asks for its assignment; the leader brings everybody's.
    pub(crate) fn sync(&mut self, mut sync: Sync, now: Instant, to: oneshot::Sender<SyncGroupResponse>) {
        let other = |asked: &Option<String>, ours: &Option<String>| asked.is_some() && asked != ours;
        let refusal = match self.known(&sync.member_id, sync.instance_id.as_deref()) {
            Err(error) => Some(error),
            Ok(()) if sync.generation != self.generation => Some(ResponseError::IllegalGeneration),
            Ok(()) if other(&sync.protocol_type, &self.protocol_type) || other(&sync.protocol, &self.protocol) => {
                Some(ResponseError::InconsistentGroupProtocol)
            }
            Ok(()) if self.phase == Phase::Empty => Some(ResponseError::UnknownMemberId),
            Ok(()) if self.phase == Phase::PreparingRebalance => Some(ResponseError::RebalanceInProgress),
            Ok(()) => None,
        };
        if let Some(error) = refusal {
            return answer_sync(to, sync_error(error));
        }
        let is_leader = self.leader.as_deref() == Some(&sync.member_id);
        self.unsynced.remove(&sync.member_id);
        if self.unsynced.is_empty() {
            self.deadline = None;
        }
        if let Some(member) = self.members.get_mut(&sync.member_id) {
            member.touch(now);
            member.syncing = Some(to);
        }
        if self.phase == Phase::CompletingRebalance {
            if !is_leader {
                return;
            }
            for (id, member) in &mut self.members {
                member.assignment = sync.assignments.remove(id).unwrap_or_default();
            }
            self.phase = Phase::Stable;
        }
        for member in self.members.values_mut() {
            if let Some(to) = member.syncing.take() {
                member.touch(now);
                let response = SyncGroupResponse::default()
                    .with_protocol_type(self.protocol_type.clone().map(StrBytes::from))
                    .with_protocol_name(self.protocol.clone().map(StrBytes::from))
                    .with_assignment(member.assignment.clone());
                answer_sync(to, response);
            }
        }
    }
}
