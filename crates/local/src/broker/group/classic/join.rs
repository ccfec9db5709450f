use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::JoinGroupResponse;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{ClassicGroup, Phase};
use crate::broker::group::member::{Client, Member, answer_join, join_error};

/// How long a member that is new may wait for its first generation before it is given up, as in Kafka.
const NEW_MEMBER_PATIENCE: Duration = Duration::from_mins(5);

/// Most members of one group, with those that were given an id and have not come back with it.
const MEMBERS_MAX: usize = 1000;

/// What a member says when it joins.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client: Client,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: String,
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// A new member is first given an id and has to come back with it (JoinGroup 4 and later).
    pub(crate) must_know_id: bool,
    /// A static member that leads and comes back can be told to keep the assignment (JoinGroup 9 and later).
    pub(crate) can_skip_assignment: bool,
}

impl ClassicGroup {
    /// A member joins, for the first time or again. It is answered now or when the others have joined.
    pub(crate) fn join(&mut self, join: Join, now: Instant, to: oneshot::Sender<JoinGroupResponse>) {
        let known = self.members.contains_key(&join.member_id) || self.pending.contains_key(&join.member_id);
        let refusal = if !known && self.members.len() + self.pending.len() >= MEMBERS_MAX {
            Some(ResponseError::GroupMaxSizeReached)
        } else if !self.can_be_assigned_with(&join) {
            Some(ResponseError::InconsistentGroupProtocol)
        } else {
            None
        };
        match refusal {
            Some(error) => answer_join(to, join_error(&join.member_id, error)),
            None if join.member_id.is_empty() => self.join_unnamed(join, now, to),
            None => self.join_named(join, now, to),
        }
    }

    /// Whether there is a protocol that the newcomer and all members know.
    fn can_be_assigned_with(&self, join: &Join) -> bool {
        if self.members.is_empty() {
            return !join.protocol_type.is_empty() && !join.protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(&join.protocol_type)
            && join.protocols.iter().any(|(name, _)| self.is_known_to_all(name))
    }

    pub(super) fn is_known_to_all(&self, protocol: &str) -> bool {
        self.members.values().all(|member| member.protocols.iter().any(|(name, _)| name == protocol))
    }

    fn join_unnamed(&mut self, join: Join, now: Instant, to: oneshot::Sender<JoinGroupResponse>) {
        if let Some(instance_id) = &join.instance_id {
            let member_id = new_member_id(instance_id);
            match self.instances.get(instance_id).cloned() {
                Some(old) => self.replace_instance(&old, member_id, join, now, to),
                None => self.add(member_id, join, now, to),
            }
        } else {
            let member_id = new_member_id(&join.client.id);
            if join.must_know_id {
                self.pending.insert(member_id.clone(), now + join.session_timeout);
                answer_join(to, join_error(&member_id, ResponseError::MemberIdRequired));
            } else {
                self.add(member_id, join, now, to);
            }
        }
    }

    fn join_named(&mut self, join: Join, now: Instant, to: oneshot::Sender<JoinGroupResponse>) {
        let member_id = join.member_id.clone();
        if join.instance_id.is_none() && self.pending.remove(&member_id).is_some() {
            return self.add(member_id, join, now, to);
        }
        if let Err(error) = self.known(&member_id, join.instance_id.as_deref()) {
            return answer_join(to, join_error(&member_id, error));
        }
        let is_leader = self.leader.as_deref() == Some(&member_id);
        let same = self.members.get(&member_id).is_some_and(|member| member.protocols == join.protocols);
        match self.phase {
            // The answer to its last join was lost: it is given once more.
            Phase::CompletingRebalance if same => answer_join(to, self.joined(&member_id, is_leader)),
            Phase::Stable if same && !is_leader => answer_join(to, self.joined(&member_id, false)),
            // With another subscription; or a leader, who joins again to have the partitions assigned anew.
            Phase::PreparingRebalance | Phase::CompletingRebalance | Phase::Stable => {
                self.rejoin(&member_id, join, now, to);
            }
            Phase::Empty => answer_join(to, join_error(&member_id, ResponseError::UnknownMemberId)),
        }
    }

    fn add(&mut self, member_id: String, join: Join, now: Instant, to: oneshot::Sender<JoinGroupResponse>) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type);
        }
        self.leader.get_or_insert_with(|| member_id.clone());
        if let Some(instance_id) = &join.instance_id {
            self.instances.insert(instance_id.clone(), member_id.clone());
        }
        let member = Member {
            instance_id: join.instance_id,
            client: join.client,
            rebalance_timeout: join.rebalance_timeout,
            session_timeout: join.session_timeout,
            protocols: join.protocols,
            assignment: Bytes::new(),
            joining: Some(to),
            syncing: None,
            deadline: now + NEW_MEMBER_PATIENCE,
            is_new: true,
        };
        self.members.insert(member_id, member);
        if let Some((until, latest)) = &mut self.hold {
            *until = (now + self.initial_delay).min(*latest);
        }
        self.rebalance(now);
    }

    fn rejoin(&mut self, member_id: &str, join: Join, now: Instant, to: oneshot::Sender<JoinGroupResponse>) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.protocols = join.protocols;
            member.session_timeout = join.session_timeout;
            member.rebalance_timeout = join.rebalance_timeout;
            if !member.is_new {
                member.touch(now);
            }
            if let Some(earlier) = member.joining.replace(to) {
                answer_join(earlier, join_error(member_id, ResponseError::RebalanceInProgress));
            }
        }
        self.rebalance(now);
    }

    /// A static member is back under a new member id: it takes its predecessor's place and assignment.
    fn replace_instance(
        &mut self,
        old: &str,
        member_id: String,
        join: Join,
        now: Instant,
        to: oneshot::Sender<JoinGroupResponse>,
    ) {
        let Some(mut member) = self.members.remove(old) else { return self.add(member_id, join, now, to) };
        member.refuse(old, ResponseError::FencedInstanceId);
        member.protocols = join.protocols;
        member.session_timeout = join.session_timeout;
        member.rebalance_timeout = join.rebalance_timeout;
        member.client = join.client;
        member.touch(now);
        self.unsynced.remove(old);
        let was_leader = self.leader.as_deref() == Some(old);
        if was_leader {
            self.leader = Some(member_id.clone());
        }
        if let Some(instance_id) = join.instance_id {
            self.instances.insert(instance_id, member_id.clone());
        }
        self.members.insert(member_id.clone(), member);
        // In peace a static member may come and go without a rebalance, as long as the protocol stays.
        if self.phase == Phase::Stable && self.elect_protocol() == self.protocol {
            let mut answer = self.joined(&member_id, was_leader && join.can_skip_assignment);
            if was_leader && join.can_skip_assignment {
                answer.skip_assignment = true;
            } else if was_leader {
                // Told its old id, it does not take itself for the leader, so that it sends no assignment.
                answer.leader = old.to_owned().into();
            }
            answer_join(to, answer);
        } else {
            if let Some(member) = self.members.get_mut(&member_id) {
                member.joining = Some(to);
            }
            self.rebalance(now);
        }
    }
}

/// A new member's id: what it calls itself, and something that nobody else has.
fn new_member_id(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Builder::from_random_bytes(rand::random()).into_uuid().hyphenated())
}
