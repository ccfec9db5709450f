use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::member::{Client, Member, answer_join, answer_sync, join_error, sync_error};

/// How long a member that is new may wait for its first generation before it is given up, as in Kafka.
const NEW_MEMBER_PATIENCE: Duration = Duration::from_mins(5);

/// Most members of one group, with those that were given an id and have not come back with it.
const MEMBERS_MAX: usize = 1000;

/// Where a group is between two generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No members.
    Empty,
    /// Members are joining.
    PreparingRebalance,
    /// All have joined; the leader has not sent the assignment.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
}

impl Phase {
    /// Its name in listings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A consumer group of the classic protocol: the state machine of join, sync, heartbeat and leave. Pure: it is told the
/// time, and answers through the channels that it was given.
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    phase: Phase,
    generation: i32,
    protocol_type: Option<String>,
    /// What the current generation is assigned by.
    protocol: Option<String>,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// Static members: instance id to member id.
    instances: HashMap<String, String>,
    /// Ids that were given out and not yet used, and until when they may be.
    pending: HashMap<String, Instant>,
    /// Members of this generation that have not asked for their assignment.
    unsynced: BTreeSet<String>,
    /// While joining: when those that have not joined are dropped. While completing: those that have not synced.
    deadline: Option<Instant>,
    /// The first generation of a group waits this long for others to come.
    initial_delay: Duration,
    /// Until when the first generation waits now, and when at the latest it ends.
    hold: Option<(Instant, Instant)>,
}

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
    pub(crate) fn new(initial_delay: Duration) -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: HashMap::new(),
            pending: HashMap::new(),
            unsynced: BTreeSet::new(),
            deadline: None,
            initial_delay,
            hold: None,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it has ever had members.
    pub(crate) fn has_history(&self) -> bool {
        self.generation > 0
    }

    pub(crate) fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    pub(crate) fn protocol(&self) -> &str {
        self.protocol.as_deref().unwrap_or_default()
    }

    pub(super) fn members(&self) -> &BTreeMap<String, Member> {
        &self.members
    }

    /// Whether nothing of it is worth keeping.
    pub(crate) fn is_vacant(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty()
    }

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

    fn is_known_to_all(&self, protocol: &str) -> bool {
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

    /// Calls all members to join, unless that is happening already, and completes it if all have.
    fn rebalance(&mut self, now: Instant) {
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

    fn complete_if_joined(&mut self, now: Instant) {
        let all = self.members.values().all(|member| member.joining.is_some()) && self.pending.is_empty();
        if self.phase == Phase::PreparingRebalance && all && self.hold.is_none_or(|(until, _)| until <= now) {
            self.complete_join(now);
        }
    }

    /// Begins the next generation with those that have joined.
    fn complete_join(&mut self, now: Instant) {
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
    fn elect_protocol(&self) -> Option<String> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let choice = member.protocols.iter().map(|(name, _)| name.as_str()).find(|name| self.is_known_to_all(name));
            *votes.entry(choice?).or_default() += 1;
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name.to_owned())
    }

    /// The answer to a join that succeeded; the leader is told who else there is.
    fn joined(&self, member_id: &str, with_members: bool) -> JoinGroupResponse {
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

    /// A member says that it lives, and is told whether to join again.
    pub(crate) fn heartbeat(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.known(member_id, instance_id)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        self.touch(member_id, now);
        match self.phase {
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            Phase::CompletingRebalance | Phase::Stable => Ok(()),
        }
    }

    /// A member goes. A static one may be named by its instance alone.
    pub(crate) fn leave(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if instance_id.is_none() && self.pending.remove(member_id).is_some() {
            self.complete_if_joined(now);
            return Ok(());
        }
        let named = instance_id.filter(|_| member_id.is_empty()).and_then(|instance| self.instances.get(instance));
        let member_id = named.cloned().unwrap_or_else(|| member_id.to_owned());
        self.known(&member_id, instance_id)?;
        self.remove(&member_id, now);
        Ok(())
    }

    fn remove(&mut self, member_id: &str, now: Instant) {
        let Some(mut member) = self.members.remove(member_id) else { return };
        member.refuse(member_id, ResponseError::UnknownMemberId);
        self.unsynced.remove(member_id);
        if let Some(instance_id) = &member.instance_id {
            self.instances.remove(instance_id);
        }
        if self.leader.as_deref() == Some(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        match self.phase {
            Phase::Stable | Phase::CompletingRebalance => self.rebalance(now),
            Phase::PreparingRebalance => self.complete_if_joined(now),
            Phase::Empty => {}
        }
    }

    /// Whether a commit under this identity may be stored. `generation` is -1 from a client that is no member.
    pub(crate) fn may_commit(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if generation < 0 && self.phase == Phase::Empty {
            return Ok(());
        }
        if generation < 0 && member_id.is_empty() && instance_id.is_none() {
            // From outside, while members are at work.
            return Err(ResponseError::UnknownMemberId);
        }
        self.known(member_id, instance_id)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if self.phase == Phase::CompletingRebalance {
            return Err(ResponseError::RebalanceInProgress);
        }
        self.touch(member_id, now);
        Ok(())
    }

    /// Whether a member reads this topic, as far as its subscription can be read.
    pub(crate) fn is_subscribed(&self, topic: &str) -> bool {
        self.protocol_type.as_deref() == Some("consumer")
            && self.members.values().any(|member| {
                let subscription = member.subscription(self.protocol());
                super::subscription::topics(&subscription).is_none_or(|topics| topics.iter().any(|name| name == topic))
            })
    }

    fn known(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ResponseError> {
        if let Some(instance_id) = instance_id {
            match self.instances.get(instance_id) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(owner) if owner != member_id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ResponseError::UnknownMemberId) }
    }

    fn touch(&mut self, member_id: &str, now: Instant) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.touch(now);
        }
    }

    /// Ends every wait without an answer: who waits is told that the coordinator is gone.
    pub(crate) fn abandon(&mut self) {
        for member in self.members.values_mut() {
            member.joining = None;
            member.syncing = None;
        }
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.pending.retain(|_, until| *until > now);
        let expired: Vec<String> =
            self.members.iter().filter(|(_, member)| member.is_expired(now)).map(|(id, _)| id.clone()).collect();
        for id in expired {
            tracing::debug!(member = %id, "session ended");
            self.remove(&id, now);
        }
        self.complete_if_joined(now);
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            match self.phase {
                Phase::PreparingRebalance => self.complete_join(now),
                Phase::CompletingRebalance | Phase::Stable => {
                    self.deadline = None;
                    for id in std::mem::take(&mut self.unsynced) {
                        self.remove(&id, now);
                    }
                }
                Phase::Empty => self.deadline = None,
            }
        }
    }

    /// When [`ClassicGroup::tick`] has something to do, as far as is known now.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        let members = self
            .members
            .values()
            .filter(|member| member.is_new || member.joining.is_none() && member.syncing.is_none());
        let members = members.map(|member| member.deadline);
        let pending = self.pending.values().copied();
        members.chain(pending).chain(self.deadline).chain(self.hold.map(|(until, _)| until)).min()
    }
}

/// A new member's id: what it calls itself, and something that nobody else has.
fn new_member_id(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Builder::from_random_bytes(rand::random()).into_uuid().hyphenated())
}
