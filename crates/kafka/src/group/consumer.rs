//! The consumer group protocol of KIP-848: one heartbeat for everything, and the broker shares out the partitions.
//!
//! What may be believed, from how the broker reconciles a member (CurrentAssignmentBuilder, Kafka 4.1):
//!
//! - It moves a partition to somebody else only when a heartbeat of ours has listed what we hold without it, or when it
//!   has removed us from the group, after which our id is unknown. Without that list (null) nothing is taken from us. So
//!   what we hold and have not given up stays ours whatever epoch the answers name, and a list must name all we hold.
//! - It raises our epoch only in answer to a heartbeat of ours. One call is in flight at a time, so no commit can be
//!   overtaken by it, unless an answer was lost: then we do not know our epoch ([`Standing`]), and commits wait until a
//!   heartbeat has been answered.
//! - A topic that is deleted is taken from us like any other, while offsets are committed by its name. If it has been made
//!   anew by then, our last commit would be about records of the old one, and the new one's would be passed over. So before
//!   anything is given up it is seen whether its topic, by its id, is still there; if not, nothing of it is committed.
//! - After a list of ours that lacks a partition which an earlier answer assigned and we had not taken yet, the broker may
//!   take that one back silently. So only what the very latest answer assigns is taken, and nothing after a lost one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use data::TopicPartition;
use rand::RngExt;
use tokio::time::Instant;
use uuid::Uuid;

use super::call::{Call, JOINING, Reconcile, Reconciled, Refusal};
use super::error::GroupError;
use super::member::Next;
use super::membership::Membership;
use crate::ErrorCode;

/// How much we know of how the coordinator sees us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not a member.
    Apart,
    /// The last heartbeat was answered, so the epoch is the coordinator's.
    Certain,
    /// A heartbeat went unanswered, or the epoch has turned out to be another: the next heartbeat says everything and asks
    /// to be told everything.
    Uncertain,
}

/// A member of the protocol of KIP-848.
#[derive(Debug)]
pub(crate) struct Consumer {
    standing: Standing,
    beat_at: Instant,
    /// What we hold, by the broker's names; the same as the stays.
    owned: BTreeMap<(Uuid, i32), TopicPartition>,
    /// What the latest answer assigns.
    assigned: BTreeSet<(Uuid, i32)>,
    /// What the coordinator has been told, and has answered.
    told_owned: Option<BTreeSet<(Uuid, i32)>>,
    told_topics: Option<BTreeSet<Arc<str>>>,
    /// When we last asked to be told everything.
    asked_all_at: Instant,
    /// Whether a topic is assigned whose name we do not know yet.
    nameless: bool,
    /// Whether it is to be seen first if the topics of what is taken away are still there. No commit is sent meanwhile.
    checking: bool,
    /// The first look at the topics that is newer than what is assigned.
    look_from: u64,
    /// The latest look.
    looked: u64,
    warned_of_instance: bool,
}

impl Consumer {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            standing: Standing::Apart,
            beat_at: now,
            owned: BTreeMap::new(),
            assigned: BTreeSet::new(),
            told_owned: None,
            told_topics: None,
            asked_all_at: now,
            nameless: false,
            checking: false,
            look_from: 0,
            looked: 0,
            warned_of_instance: false,
        }
    }

    /// Whether commits may be sent: only under an epoch that is the coordinator's, and about logs that are there.
    pub(crate) fn may_commit(&self) -> bool {
        self.standing == Standing::Certain && !self.checking
    }

    /// When the next heartbeat is due.
    pub(crate) fn beat_at(&self) -> Option<Instant> {
        (self.standing != Standing::Apart).then_some(self.beat_at)
    }

    /// Whether topic ids are to be looked up.
    pub(crate) fn needs_look(&self) -> bool {
        self.nameless || self.checking
    }

    pub(crate) fn next_call(&mut self, base: &mut Membership) -> Option<Next> {
        // A pattern has first to be held against the topics.
        let topics = base.wanted.clone()?;
        if self.standing == Standing::Apart {
            if base.id.is_empty() {
                // A fresh one each time, so that nothing that an earlier membership has sent can count for this one.
                base.id = format!("{:032x}", base.dice.random::<u128>()).into();
            }
            return Some(Next::Call(Call::Reconcile(Reconcile {
                member: base.id.clone(),
                epoch: JOINING,
                full: true,
                topics: Some(topics),
                owned: Some(BTreeMap::new()),
            })));
        }
        if base.now < self.beat_at {
            return None;
        }
        let owned: BTreeSet<_> = self.owned.keys().copied().collect();
        let by_topic = || {
            let mut by_topic: BTreeMap<Uuid, BTreeSet<i32>> = BTreeMap::new();
            for (topic, partition) in &owned {
                by_topic.entry(*topic).or_default().insert(*partition);
            }
            by_topic
        };
        // The coordinator tells an assignment once. If a heartbeat that we had given up arrives late, that telling goes
        // to nobody; so everything is asked for once a session even when all seems well.
        let full = self.standing == Standing::Uncertain || base.now >= self.asked_all_at + base.options.session_timeout;
        let says_owned = full || self.told_owned.as_ref() != Some(&owned);
        let says_topics = full || self.told_topics.as_ref() != Some(&topics);
        Some(Next::Call(Call::Reconcile(Reconcile {
            member: base.id.clone(),
            epoch: base.epoch,
            full,
            topics: says_topics.then_some(topics),
            owned: says_owned.then(by_topic),
        })))
    }

    /// No answer came to a heartbeat.
    pub(crate) fn went_unanswered(&mut self, base: &Membership) {
        if self.standing == Standing::Certain {
            self.standing = Standing::Uncertain;
        }
        self.beat_at = base.now;
    }

    /// A commit was refused because of its epoch: ask for the current one.
    pub(crate) fn doubt(&mut self, base: &Membership) {
        self.went_unanswered(base);
    }

    /// The next look at the topics is numbered `next_look`.
    pub(crate) fn reconciled(
        &mut self,
        base: &mut Membership,
        said: &Reconcile,
        answer: Result<Reconciled, Refusal>,
        sent: Instant,
        next_look: u64,
    ) -> Result<(), GroupError> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(refusal) => return self.refused(base, "ConsumerGroupHeartbeat", refusal),
        };
        base.calls.clear();
        self.warned_of_instance = false;
        if said.epoch == JOINING {
            tracing::info!(group = %base.options.group, member = %base.id, epoch = answer.epoch, "joined");
            self.told_owned = Some(BTreeSet::new());
        } else if let Some(owned) = &said.owned {
            self.told_owned = Some(flat(owned).collect());
        }
        if let Some(topics) = &said.topics {
            self.told_topics = Some(topics.clone());
        }
        if said.full {
            self.asked_all_at = sent;
        }
        self.standing = Standing::Certain;
        base.epoch = answer.epoch;
        base.confirm(sent);
        // A session has room for several heartbeats, whatever interval the broker asks for.
        self.beat_at = sent + answer.interval.min(base.options.session_timeout / 3);
        if base.commits.stale_epochs().any(|epoch| epoch == base.epoch) {
            // Refused under the epoch that the coordinator says is ours: what it says cannot be relied on.
            base.die("a commit was refused under the member's own epoch", true);
            self.apart();
            return Ok(());
        }
        if let Some(assigned) = &answer.assigned {
            self.assigned = flat(assigned).collect();
            self.look_from = next_look;
        }
        self.reconcile(base);
        Ok(())
    }

    /// Moves what we hold towards what is assigned: first give up and let it be known, then take.
    pub(crate) fn reconcile(&mut self, base: &mut Membership) {
        if self.standing != Standing::Certain || base.yielding.is_some() {
            return;
        }
        let taken: Vec<_> = self.owned.iter().filter(|(key, _)| !self.assigned.contains(key)).collect();
        self.checking = !taken.is_empty() && self.looked < self.look_from;
        if self.checking {
            return;
        }
        if !taken.is_empty() {
            let there: BTreeSet<Uuid> = base.topics.values().map(|shape| shape.id).collect();
            let (left, gone): (Vec<_>, Vec<_>) = taken.into_iter().partition(|((topic, _), _)| there.contains(topic));
            let names =
                |these: Vec<(&(Uuid, i32), &TopicPartition)>| these.into_iter().map(|it| it.1.clone()).collect();
            let (left, gone): (BTreeSet<TopicPartition>, BTreeSet<TopicPartition>) = (names(left), names(gone));
            base.lose_some(&gone, "their topic was deleted");
            if !base.begin_yield(&left) {
                self.yielded(base);
            }
            return;
        }
        let owned: BTreeSet<_> = self.owned.keys().copied().collect();
        if self.told_owned.as_ref().is_none_or(|told| !told.is_subset(&owned)) {
            // The coordinator has still to hear what we gave up; what it assigns then is what counts.
            self.beat_at = base.now;
            return;
        }
        let missing: Vec<_> = self.assigned.difference(&owned).collect();
        self.nameless = false;
        if missing.is_empty() {
            return;
        }
        let names: BTreeMap<Uuid, &Arc<str>> = base.topics.iter().map(|(name, shape)| (shape.id, name)).collect();
        let mut fresh = Vec::new();
        for (topic, number) in missing {
            match names.get(topic) {
                Some(name) => {
                    let partition = TopicPartition { topic: (*name).clone(), partition: *number };
                    self.owned.insert((*topic, *number), partition.clone());
                    fresh.push(partition);
                }
                None => self.nameless = true,
            }
        }
        if !fresh.is_empty() {
            tracing::info!(group = %base.options.group, epoch = base.epoch, new = fresh.len(),
                assigned = self.owned.len(), "assigned");
            base.stays.take(fresh);
            self.beat_at = base.now;
        }
    }

    /// What was to be given up is given up: say so at once.
    pub(crate) fn yielded(&mut self, base: &mut Membership) {
        let held = base.stays.partitions();
        self.owned.retain(|_, partition| held.contains(partition));
        self.beat_at = base.now;
    }

    /// Other topics are wanted now, or topics have got a name.
    pub(crate) fn looked(&mut self, base: &mut Membership, number: u64) {
        self.looked = number;
        if self.told_topics.is_some() && self.told_topics != base.wanted {
            self.beat_at = base.now;
        }
        self.reconcile(base);
    }

    /// The session is over, or the coordinator does not know us: join from the beginning.
    pub(crate) fn apart(&mut self) {
        let warned_of_instance = self.warned_of_instance;
        *self = Self { warned_of_instance, ..Self::new(self.beat_at) };
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
            ErrorCode::FENCED_MEMBER_EPOCH => {
                base.die("the group is at another epoch", true);
                self.apart();
            }
            // Of OffsetFetch: our epoch is not the coordinator's.
            ErrorCode::STALE_MEMBER_EPOCH => self.doubt(base),
            // A process before us, or beside us, has the instance id; it may be on its way out. Java gives up here, and
            // whoever restarts it tries again until the old session has ended; we do the same without the restart.
            ErrorCode::UNRELEASED_INSTANCE_ID => {
                if !std::mem::replace(&mut self.warned_of_instance, true) {
                    tracing::warn!(group = %base.options.group, instance = base.options.instance.as_deref(),
                        "another member has this group.instance.id; waiting for it to leave or its session to end");
                }
                base.calls.failed(base.now, &mut base.dice);
            }
            code if code.is_retriable() => {
                self.went_unanswered(base);
                base.retry_later(code);
            }
            code => return Err(base.refused(request, code, message)),
        }
        Ok(())
    }
}

fn flat(by_topic: &BTreeMap<Uuid, BTreeSet<i32>>) -> impl Iterator<Item = (Uuid, i32)> {
    by_topic.iter().flat_map(|(topic, numbers)| numbers.iter().map(|number| (*topic, *number)))
}
