mod generation;
mod join;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::time::Instant;

use super::member::Member;

pub(crate) use generation::Sync;
pub(crate) use join::Join;

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

    pub(in crate::broker::group) fn members(&self) -> &BTreeMap<String, Member> {
        &self.members
    }

    /// Whether nothing of it is worth keeping.
    pub(crate) fn is_vacant(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty()
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
                crate::broker::group::subscription::topics(&subscription)
                    .is_none_or(|topics| topics.iter().any(|name| name == topic))
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
