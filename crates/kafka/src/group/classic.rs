//! The classic group protocol: JoinGroup, SyncGroup, Heartbeat.
//!
//! ```text
//! Apart -> Joining -> (Leading ->) Syncing -> Steady -+
//!            ^                                        | a rebalance: eager members give everything up first,
//!            +----------------------------------------+ cooperative ones what the last assignment took from them
//! ```
//!
//! What is kept over a rebalance. A cooperative member may keep a partition if it was assigned it in generation g, claims
//! it, and is assigned it again in generation g + 1: nobody else has had it. If the generation it joins is any other, it
//! has missed one, in which its claim was not made; then somebody else may have had anything, and all of it is lost. The
//! same holds when it joined g + 1 but never heard what that assigned: in g + 2 its claim would carry g, and leaders
//! rightly pass over claims older than the latest.
//!
//! What is taken away by generation g + 1 is in nobody's hands until the group's next generation, because a cooperative
//! leader assigns what a member claims either to that member or to nobody. So it may be committed under g + 1 until we
//! join again, which we do only when it is settled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use data::TopicPartition;
use tokio::time::Instant;

use super::assign::{self, Assignments, Assignor};
use super::call::{Call, Joined, Refusal};
use super::error::GroupError;
use super::member::Next;
use super::membership::{Membership, Topics};
use super::wire::{self, Subscription};
use crate::ErrorCode;

/// How far we are in the protocol.
#[derive(Debug)]
enum Phase {
    /// Not a member, or one without a generation.
    Apart,
    /// JoinGroup is to be sent again, or in flight.
    Joining { reason: &'static str },
    /// We lead this generation and need to know how many partitions there are, by a look not older than this one.
    Leading { joined: Generation, members: Vec<assign::Member>, look: u64 },
    /// SyncGroup is to be sent, or in flight.
    Syncing { joined: Generation, assignments: Vec<(Arc<str>, Bytes)> },
    /// Assigned. `rejoin` says why that is not to last.
    Steady { rejoin: Option<&'static str>, flushed: bool },
}

/// A generation that we have joined.
#[derive(Debug, Clone, Copy)]
struct Generation {
    number: i32,
    assignor: Assignor,
}

/// A member of the classic protocol.
#[derive(Debug)]
pub(crate) struct Classic {
    assignors: Vec<Assignor>,
    cooperative: bool,
    phase: Phase,
    beat_at: Instant,
    /// The topics that we have last joined for, and what we claimed then.
    joined_for: BTreeSet<Arc<str>>,
    claimed: BTreeSet<TopicPartition>,
    /// The last assignment and its generation, which `sticky` notes in the subscription even after all was given up.
    last: (BTreeSet<TopicPartition>, i32),
    /// What we have shared out as leader: a change of it is a reason for another rebalance.
    led: Option<BTreeMap<Arc<str>, i32>>,
    /// As leader we have held partitions back for another round, which should have begun by then.
    unfinished_until: Option<Instant>,
}

impl Classic {
    pub(crate) fn new(assignors: Vec<Assignor>, now: Instant) -> Self {
        let cooperative = assignors.iter().all(|assignor| assignor.is_cooperative());
        Self {
            assignors,
            cooperative,
            phase: Phase::Apart,
            beat_at: now,
            joined_for: BTreeSet::new(),
            claimed: BTreeSet::new(),
            last: (BTreeSet::new(), -1),
            led: None,
            unfinished_until: None,
        }
    }

    /// Whether commits may be sent: not between JoinGroup and the answer to SyncGroup. In that time the epoch to send
    /// them under is not known, and a refusal would be the end of what may well be kept; so they wait.
    pub(crate) fn may_commit(&self) -> bool {
        matches!(self.phase, Phase::Steady { .. })
    }

    /// Whether the session runs. While the coordinator holds a JoinGroup or SyncGroup back, it counts as a heartbeat.
    pub(crate) fn session_runs(&self, in_flight: bool) -> bool {
        !(in_flight && matches!(self.phase, Phase::Joining { .. } | Phase::Syncing { .. }))
    }

    /// When the next heartbeat is due. (An unfinished assignment is looked after at the heartbeat that follows.)
    pub(crate) fn beat_at(&self) -> Option<Instant> {
        matches!(self.phase, Phase::Steady { .. } | Phase::Leading { .. }).then_some(self.beat_at)
    }

    /// The topics that a look should include: as leader, everybody's.
    pub(crate) fn topics_led(&self) -> BTreeSet<Arc<str>> {
        match &self.phase {
            Phase::Leading { members, .. } => members.iter().flat_map(|member| member.topics.clone()).collect(),
            _ => self.led.iter().flat_map(|led| led.keys().cloned()).collect(),
        }
    }

    /// Whether a fresh look is needed, and not older than which.
    pub(crate) fn needs_look(&self) -> Option<u64> {
        match &self.phase {
            Phase::Leading { look, .. } => Some(*look),
            _ => None,
        }
    }

    pub(crate) fn next_call(&mut self, base: &mut Membership) -> Option<Next> {
        let due = base.now >= self.beat_at;
        if self.unfinished_until.is_some_and(|until| base.now >= until) {
            // Whoever held what was held back should have given it up and joined again. It may have been a static member
            // that has restarted since and knows nothing of it; then nobody but us would ever notice.
            self.rebalance(base, "partitions that were to move are still without an owner");
        }
        match &mut self.phase {
            Phase::Apart => {
                // A pattern has first to be held against the topics.
                base.wanted.as_ref()?;
                self.phase = Phase::Joining { reason: "the member starts or was fenced" };
                Some(Next::Call(self.join(base, "the member starts or was fenced")))
            }
            Phase::Joining { reason } => {
                let reason = *reason;
                Some(Next::Call(self.join(base, reason)))
            }
            Phase::Leading { joined, .. } if due => Some(Next::Call(beat(base, joined.number))),
            Phase::Syncing { joined, assignments } => Some(Next::Call(Call::Sync {
                member: base.id.clone(),
                generation: joined.number,
                assignor: joined.assignor,
                assignments: assignments.clone(),
            })),
            Phase::Steady { rejoin: Some(reason), flushed } if base.yielding.is_none() => {
                if !*flushed && base.has_commits() {
                    // One last request under the old generation: what waits now would otherwise wait for the whole
                    // rebalance. Only one, or a stream of commits would keep us from joining.
                    *flushed = true;
                    return Some(Next::Commit);
                }
                let reason = *reason;
                self.phase = Phase::Joining { reason };
                Some(Next::Call(self.join(base, reason)))
            }
            Phase::Steady { .. } if due => Some(Next::Call(beat(base, base.epoch))),
            Phase::Leading { .. } | Phase::Steady { .. } => None,
        }
    }

    fn join(&mut self, base: &Membership, reason: &'static str) -> Call {
        self.joined_for = base.wanted.clone().unwrap_or_default();
        self.claimed = if self.cooperative { base.stays.partitions() } else { BTreeSet::new() };
        let (last, since) = &self.last;
        let protocols = self.assignors.iter().map(|assignor| {
            let subscription = Subscription {
                topics: self.joined_for.clone(),
                owned: self.claimed.clone(),
                generation: *since,
                rack: base.options.rack.clone(),
                user_data: assignor.user_data(last, *since),
            };
            (*assignor, subscription.encode())
        });
        Call::Join { member: base.id.clone(), protocols: protocols.collect(), reason }
    }

    /// A look at the topics that the leader needs is numbered `next_look`.
    pub(crate) fn joined(
        &mut self,
        base: &mut Membership,
        answer: Result<Joined, Refusal>,
        next_look: u64,
    ) -> Result<(), GroupError> {
        let joined = match answer {
            Ok(joined) => joined,
            Err(refusal) => return self.refused(base, "JoinGroup", refusal),
        };
        base.calls.clear();
        if joined.member != base.id {
            // Only the first join of all gets a new id without asking for it first, from a broker that does not insist.
            base.lose("the coordinator gave us another member id");
            base.id = joined.member.clone();
        }
        if !base.stays.is_empty() && joined.generation != base.epoch && joined.generation != base.epoch + 1 {
            base.lose("a generation was missed");
        }
        let group = base.options.group.clone();
        let Some(assignor) = self.assignors.iter().copied().find(|it| it.name() == &*joined.assignor) else {
            return Err(GroupError::UnknownAssignor { group, assignor: joined.assignor });
        };
        base.deadline = Some(base.now + base.options.session_timeout);
        self.beat_at = base.now + base.options.heartbeat_interval;
        (self.led, self.unfinished_until) = (None, None);
        let generation = Generation { number: joined.generation, assignor };
        self.phase = if joined.leader {
            let members = joined.members.into_iter().map(|(id, instance, bytes)| {
                // A member whose subscription cannot be read gets nothing; the others need not suffer for it.
                let subscription = Subscription::decode(bytes).unwrap_or_else(|error| {
                    tracing::warn!(%group, member = %id, %error, "a member's subscription cannot be read");
                    let nothing = BTreeSet::new();
                    Subscription {
                        topics: nothing,
                        owned: BTreeSet::new(),
                        generation: -1,
                        rack: None,
                        user_data: None,
                    }
                });
                assign::Member::read(id, instance, subscription, assignor)
            });
            let members: Vec<_> = members.collect();
            if joined.skip_assignment {
                // Whether the leader that we were before our restart had held partitions back, nobody can tell.
                self.unfinished_until = assignor.is_cooperative().then(|| base.now + base.options.session_timeout);
                self.led =
                    Some(members.iter().flat_map(|it| it.topics.iter().map(|topic| (topic.clone(), -1))).collect());
                Phase::Syncing { joined: generation, assignments: Vec::new() }
            } else {
                Phase::Leading { joined: generation, members, look: next_look }
            }
        } else {
            Phase::Syncing { joined: generation, assignments: Vec::new() }
        };
        Ok(())
    }

    /// The topics as look number `number` found them.
    pub(crate) fn looked(&mut self, base: &mut Membership, number: u64) {
        match &self.phase {
            Phase::Leading { joined, members, look } if number >= *look => {
                let counts = counts(&self.topics_led(), &base.topics);
                let assignments: Assignments = joined.assignor.assign(members, &counts);
                let assigned: usize = assignments.values().map(BTreeSet::len).sum();
                let unfinished = assigned < counts.values().map(|count| *count as usize).sum::<usize>();
                self.unfinished_until = unfinished.then(|| base.now + base.options.session_timeout);
                let assignments =
                    assignments.into_iter().map(|(id, share)| (id, wire::encode_assignment(&share))).collect();
                self.phase = Phase::Syncing { joined: *joined, assignments };
                self.led = Some(counts);
            }
            Phase::Steady { .. } => {
                if let Some(led) = &mut self.led {
                    let now = counts(&led.keys().cloned().collect(), &base.topics);
                    // After a skipped assignment the counts of then are not known; those of now are as good.
                    let changed = led.iter().any(|(topic, count)| *count >= 0 && now.get(topic) != Some(count));
                    led.clone_from(&now);
                    if changed {
                        self.rebalance(base, "partitions of the group's topics have come or gone");
                    }
                }
            }
            Phase::Apart | Phase::Joining { .. } | Phase::Leading { .. } | Phase::Syncing { .. } => {}
        }
    }

    /// Other topics are wanted now.
    pub(crate) fn wants_changed(&mut self, base: &mut Membership) {
        self.rebalance(base, "the subscription has changed");
    }

    pub(crate) fn synced(&mut self, base: &mut Membership, answer: Result<Bytes, Refusal>) -> Result<(), GroupError> {
        let Phase::Syncing { joined, .. } = &self.phase else { return Ok(()) };
        let generation = joined.number;
        let bytes = match answer {
            Ok(bytes) => bytes,
            Err(refusal) => return self.refused(base, "SyncGroup", refusal),
        };
        let assigned = wire::decode_assignment(bytes).map_err(|error| GroupError::Malformed {
            group: base.options.group.clone(),
            reason: error.to_string().into(),
        })?;
        base.calls.clear();
        // What is held now was held in the generation before (see `joined`), so it may move to this one.
        base.epoch = generation;
        base.deadline = Some(base.now + base.options.session_timeout);
        // At once: should the process have stood still between the answer and now, then this finds out, before a commit.
        self.beat_at = base.now;
        self.last = (assigned.clone(), generation);
        let held = base.stays.partitions();
        base.stays.take(assigned.difference(&held).cloned());
        let taken: BTreeSet<_> = held.difference(&assigned).cloned().collect();
        self.phase = Phase::Steady { rejoin: None, flushed: false };
        tracing::info!(group = %base.options.group, generation, assigned = assigned.len(), given_up = taken.len(),
            "assigned");
        if !base.begin_yield(&taken) && !self.claimed.is_subset(&assigned) {
            // What we claimed and did not get is kept for us to give up; also if we had lost it before we knew.
            self.yielded(base);
        }
        if base.wanted.as_ref().is_some_and(|wanted| *wanted != self.joined_for) {
            self.wants_changed(base);
        }
        Ok(())
    }

    pub(crate) fn beaten(
        &mut self,
        base: &mut Membership,
        answer: Result<(), Refusal>,
        sent: Instant,
    ) -> Result<(), GroupError> {
        self.beat_at = sent + base.options.heartbeat_interval;
        match answer {
            Ok(()) => {
                base.calls.clear();
                base.confirm(sent);
                Ok(())
            }
            Err(refusal) if refusal.code == ErrorCode::REBALANCE_IN_PROGRESS => {
                base.calls.clear();
                // Refused, but heard: the coordinator counts it (GroupCoordinator resets the timer before it answers).
                base.confirm(sent);
                self.rebalance(base, "the group is rebalancing");
                Ok(())
            }
            Err(refusal) => self.refused(base, "Heartbeat", refusal),
        }
    }

    /// What was to be given up is given up.
    pub(crate) fn yielded(&mut self, base: &mut Membership) {
        self.rebalance(base, "partitions were given up");
    }

    /// Notes that the group is to agree anew. An eager member gives everything up first.
    pub(crate) fn rebalance(&mut self, base: &mut Membership, why: &'static str) {
        let Phase::Steady { rejoin: rejoin @ None, .. } = &mut self.phase else { return };
        *rejoin = Some(why);
        if !self.cooperative && base.yielding.is_none() {
            base.begin_yield(&base.stays.partitions());
        }
    }

    /// The session is over, or the coordinator does not know us: join from the beginning.
    pub(crate) fn apart(&mut self) {
        self.phase = Phase::Apart;
        self.last = (BTreeSet::new(), -1);
        (self.led, self.unfinished_until) = (None, None);
    }

    /// What a refusal of any of our requests but OffsetCommit means.
    pub(crate) fn refused(
        &mut self,
        base: &mut Membership,
        request: &'static str,
        refusal: Refusal,
    ) -> Result<(), GroupError> {
        let Refusal { code, message } = refusal;
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID => {
                base.die("the group has forgotten this member", false);
                self.apart();
            }
            // We are a member, but the group is at another generation: one was missed.
            ErrorCode::ILLEGAL_GENERATION => {
                base.lose("the group is at another generation");
                self.apart();
            }
            ErrorCode::REBALANCE_IN_PROGRESS if matches!(self.phase, Phase::Syncing { .. }) => {
                base.lose("the group went on before it had told us the assignment");
                self.apart();
            }
            // From JoinGroup: the coordinator has no room for it at the moment.
            ErrorCode::REBALANCE_IN_PROGRESS => base.calls.failed(base.now, &mut base.dice),
            code if code.is_retriable() => base.retry_later(code),
            code => return Err(base.refused(request, code, message)),
        }
        Ok(())
    }
}

fn beat(base: &Membership, generation: i32) -> Call {
    Call::Beat { member: base.id.clone(), generation }
}

fn counts(wanted: &BTreeSet<Arc<str>>, topics: &Topics) -> BTreeMap<Arc<str>, i32> {
    wanted.iter().map(|topic| (topic.clone(), topics.get(topic).map_or(0, |shape| shape.partitions))).collect()
}
