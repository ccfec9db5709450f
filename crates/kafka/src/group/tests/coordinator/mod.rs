//! The coordinator's rules, as far as members can tell. Of Kafka 4.1: `GroupMetadataManager` for both protocols,
//! `CurrentAssignmentBuilder` for KIP-848.

mod modern;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data::{Offset, TopicPartition};
use tokio::time::Instant;
use uuid::Uuid;

use modern::Modern;

use super::super::call::{Answer, Call, Joined, LEAVING, Refusal};
use crate::ErrorCode;

pub(super) const TOPIC: &str = "t";
pub(super) const PARTITIONS: i32 = 5;
pub(super) const TOPIC_ID: Uuid = Uuid::from_u128(7);
pub(super) const SESSION: Duration = Duration::from_secs(3);
pub(super) const REBALANCE: Duration = Duration::from_secs(12);

/// Which request an answer belongs to.
pub(super) type Tag = u64;

/// A request as it arrives.
pub(super) struct Arrived {
    pub(super) tag: Tag,
    pub(super) instance: Option<Arc<str>>,
    pub(super) call: Call,
}

#[derive(Debug, Default)]
pub(super) struct Coordinator {
    classic: Classic,
    modern: Modern,
    named: u64,
    committed: BTreeMap<TopicPartition, (Offset, String)>,
    /// Counts what follows.
    turn: u64,
    /// When an OffsetFetch was answered.
    pub(super) told: BTreeMap<Tag, u64>,
    /// Commits that were accepted, and when, for the play to judge.
    pub(super) accepted: Vec<(u64, transit::Commit)>,
    answers: Vec<(Tag, Answer)>,
}

#[derive(Debug, Default)]
struct Classic {
    generation: i32,
    phase: Phase,
    /// Ids that were given out and not yet joined with.
    pending: BTreeSet<Arc<str>>,
    members: BTreeMap<Arc<str>, ClassicMember>,
    leader: Arc<str>,
}

#[derive(Debug, Default, PartialEq)]
enum Phase {
    #[default]
    Empty,
    Preparing {
        until: Instant,
    },
    Completing,
    Stable,
}

#[derive(Debug)]
struct ClassicMember {
    instance: Option<Arc<str>>,
    subscription: Bytes,
    assignor: Arc<str>,
    assignment: Bytes,
    deadline: Instant,
    joining: Option<Tag>,
    syncing: Option<Tag>,
}

fn no<T>(code: ErrorCode) -> Result<T, Refusal> {
    Err(Refusal { code, message: None })
}

impl Coordinator {
    /// Takes a request in, and gives back the answers that are ready now.
    pub(super) fn take_in(&mut self, now: Instant, arrived: Arrived) -> Vec<(Tag, Answer)> {
        self.pass(now);
        let Arrived { tag, instance, call } = arrived;
        match call {
            Call::Join { member, protocols, .. } => self.join(now, tag, member, instance, protocols),
            Call::Sync { member, generation, assignments, .. } => self.sync(now, tag, &member, generation, assignments),
            Call::Beat { member, generation } => {
                let checked = self.check(&member, generation);
                if checked.is_ok() {
                    self.classic.members.get_mut(&member).expect("checked").deadline = now + SESSION;
                }
                let preparing = matches!(self.classic.phase, Phase::Preparing { .. });
                let beaten = match checked {
                    Err(code) => no(code),
                    Ok(()) if preparing => no(ErrorCode::REBALANCE_IN_PROGRESS),
                    Ok(()) => Ok(()),
                };
                self.answers.push((tag, Answer::Beaten(beaten)));
            }
            Call::Leave { member, .. } => {
                self.remove(now, &member);
                self.answers.push((tag, Answer::Left));
            }
            Call::Reconcile(said) => {
                let answer = if said.epoch == LEAVING { self.part(&said.member) } else { self.reconcile(now, &said) };
                self.answers.push((tag, answer));
            }
            Call::Commit { member, epoch, entries } => {
                let verdict = self.may_commit(&member, epoch).err();
                let errors = entries.iter().map(|entry| (entry.partition.clone(), verdict)).collect();
                if verdict.is_none() {
                    for entry in &entries {
                        let place = (entry.offset, entry.metadata.to_string());
                        self.committed.insert(entry.partition.clone(), place);
                    }
                    self.turn += 1;
                    self.accepted.extend(entries.into_iter().map(|entry| (self.turn, entry)));
                }
                self.answers.push((tag, Answer::Committed(errors)));
            }
            Call::Places { member, epoch, partitions } => {
                // The classic protocol answers anyone.
                let refused = match self.modern.members.get(&member) {
                    Some(known) if known.epoch != epoch => Some(ErrorCode::STALE_MEMBER_EPOCH),
                    None if self.classic.members.is_empty() => Some(ErrorCode::UNKNOWN_MEMBER_ID),
                    Some(_) | None => None,
                };
                let places = if let Some(code) = refused {
                    no(code)
                } else {
                    self.turn += 1;
                    self.told.insert(tag, self.turn);
                    let place = |it: &TopicPartition| self.committed.get(it).cloned();
                    Ok(partitions.into_iter().map(|it| (it.clone(), Ok(place(&it)))).collect())
                };
                self.answers.push((tag, Answer::Places(places)));
            }
        }
        self.pass(now);
        std::mem::take(&mut self.answers)
    }

    /// What time does: sessions end, rebalances wait no longer.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<(Tag, Answer)> {
        self.pass(now);
        std::mem::take(&mut self.answers)
    }

    pub(super) fn committed(&self, partition: &TopicPartition) -> Option<Offset> {
        self.committed.get(partition).map(|(offset, _)| *offset)
    }

    fn pass(&mut self, now: Instant) {
        let waits = |member: &ClassicMember| member.joining.is_some() || member.syncing.is_some();
        let classic = self.classic.members.iter();
        let dead: Vec<_> =
            classic.filter(|(_, it)| !waits(it) && now >= it.deadline).map(|(id, _)| id.clone()).collect();
        for id in dead {
            self.remove(now, &id);
        }
        let modern = self.modern.members.iter();
        let dead: Vec<_> = modern.filter(|(_, it)| now >= it.deadline).map(|(id, _)| id.clone()).collect();
        for id in dead {
            self.part(&id);
        }
        self.complete(now);
    }

    // ---- classic ----

    fn check(&self, member: &Arc<str>, generation: i32) -> Result<(), ErrorCode> {
        match self.classic.members.contains_key(member) {
            false => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            true if generation != self.classic.generation => Err(ErrorCode::ILLEGAL_GENERATION),
            true => Ok(()),
        }
    }

    fn join(
        &mut self,
        now: Instant,
        tag: Tag,
        member: Arc<str>,
        instance: Option<Arc<str>>,
        protocols: Vec<(super::super::assign::Assignor, Bytes)>,
    ) {
        let (assignor, subscription) = protocols.into_iter().next().expect("one at least");
        let assignor: Arc<str> = assignor.name().into();
        let mut id = member;
        if id.is_empty() {
            self.named += 1;
            let fresh: Arc<str> = format!("m{}", self.named).into();
            let Some(instance) = &instance else {
                self.classic.pending.insert(fresh.clone());
                self.answers.push((tag, Answer::NeedsId(fresh)));
                return;
            };
            // A static member takes the place of the one before it.
            let before = self.classic.members.iter().find(|(_, it)| it.instance.as_ref() == Some(instance));
            if let Some(before) = before.map(|(id, _)| id.clone()) {
                let mut it = self.classic.members.remove(&before).expect("just found");
                it.deadline = now + SESSION;
                let leader = self.classic.leader == before;
                if leader {
                    self.classic.leader = fresh.clone();
                }
                (it.joining, it.syncing) = (None, None);
                let stable = self.classic.phase == Phase::Stable;
                if stable {
                    it.subscription = subscription.clone();
                }
                self.classic.members.insert(fresh.clone(), it);
                if stable {
                    self.answers.push((tag, Answer::Joined(Ok(self.told_joined(&fresh, leader)))));
                    return;
                }
            }
            id = fresh;
        } else if !self.classic.pending.remove(&id) && !self.classic.members.contains_key(&id) {
            self.answers.push((tag, Answer::Joined(no(ErrorCode::UNKNOWN_MEMBER_ID))));
            return;
        }
        let it = self.classic.members.entry(id).or_insert(ClassicMember {
            instance,
            subscription: Bytes::new(),
            assignor: "".into(),
            assignment: Bytes::new(),
            deadline: now,
            joining: None,
            syncing: None,
        });
        (it.subscription, it.assignor, it.joining, it.deadline) = (subscription, assignor, Some(tag), now + SESSION);
        self.prepare(now);
    }

    fn told_joined(&self, id: &Arc<str>, skip_assignment: bool) -> Joined {
        let leader = *id == self.classic.leader;
        let members = self.classic.members.iter().filter(|_| leader);
        Joined {
            member: id.clone(),
            generation: self.classic.generation,
            assignor: self.classic.members[id].assignor.clone(),
            leader,
            skip_assignment,
            members: members.map(|(id, it)| (id.clone(), it.instance.clone(), it.subscription.clone())).collect(),
        }
    }

    fn prepare(&mut self, now: Instant) {
        if matches!(self.classic.phase, Phase::Preparing { .. }) {
            return;
        }
        self.classic.phase = Phase::Preparing { until: now + REBALANCE };
        for it in self.classic.members.values_mut() {
            if let Some(tag) = it.syncing.take() {
                it.deadline = now + SESSION;
                self.answers.push((tag, Answer::Synced(no(ErrorCode::REBALANCE_IN_PROGRESS))));
            }
        }
    }

    fn complete(&mut self, now: Instant) {
        let Phase::Preparing { until } = self.classic.phase else { return };
        if now >= until {
            self.classic.members.retain(|_, it| it.joining.is_some() || it.instance.is_some());
        }
        let all = self.classic.members.values().all(|it| it.joining.is_some());
        if !(all || now >= until) {
            return;
        }
        self.classic.generation += 1;
        let Some(first) = self.classic.members.iter().find(|(_, it)| it.joining.is_some()).map(|(id, _)| id.clone())
        else {
            self.classic.phase = Phase::Empty;
            return;
        };
        if self.classic.members.get(&self.classic.leader).is_none_or(|leader| leader.joining.is_none()) {
            self.classic.leader = first;
        }
        self.classic.phase = Phase::Completing;
        let ids: Vec<_> = self.classic.members.keys().cloned().collect();
        for id in ids {
            let joined = self.told_joined(&id, false);
            let it = self.classic.members.get_mut(&id).expect("listed");
            it.assignment = Bytes::new();
            it.deadline = now + SESSION;
            if let Some(tag) = it.joining.take() {
                self.answers.push((tag, Answer::Joined(Ok(joined))));
            }
        }
    }

    fn sync(
        &mut self,
        now: Instant,
        tag: Tag,
        member: &Arc<str>,
        generation: i32,
        assignments: Vec<(Arc<str>, Bytes)>,
    ) {
        let refused = match (self.check(member, generation), &self.classic.phase) {
            (Err(code), _) => Some(code),
            (Ok(()), Phase::Preparing { .. } | Phase::Empty) => Some(ErrorCode::REBALANCE_IN_PROGRESS),
            (Ok(()), Phase::Completing | Phase::Stable) => None,
        };
        if let Some(code) = refused {
            self.answers.push((tag, Answer::Synced(no(code))));
            return;
        }
        let it = self.classic.members.get_mut(member).expect("checked");
        (it.syncing, it.deadline) = (Some(tag), now + SESSION);
        if self.classic.phase == Phase::Completing && *member == self.classic.leader {
            for (id, bytes) in assignments {
                if let Some(it) = self.classic.members.get_mut(&id) {
                    it.assignment = bytes;
                }
            }
            self.classic.phase = Phase::Stable;
        }
        if self.classic.phase == Phase::Stable {
            for it in self.classic.members.values_mut() {
                if let Some(tag) = it.syncing.take() {
                    it.deadline = now + SESSION;
                    self.answers.push((tag, Answer::Synced(Ok(it.assignment.clone()))));
                }
            }
        }
    }

    fn remove(&mut self, now: Instant, member: &Arc<str>) {
        self.classic.pending.remove(member);
        if self.classic.members.remove(member).is_some() {
            self.prepare(now);
        }
    }

    fn may_commit(&self, member: &Arc<str>, epoch: i32) -> Result<(), ErrorCode> {
        if let Some(known) = self.modern.members.get(member) {
            return if known.epoch == epoch { Ok(()) } else { Err(ErrorCode::STALE_MEMBER_EPOCH) };
        }
        self.check(member, epoch)?;
        if self.classic.phase == Phase::Completing { Err(ErrorCode::REBALANCE_IN_PROGRESS) } else { Ok(()) }
    }
}
