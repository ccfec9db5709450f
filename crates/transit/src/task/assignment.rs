//! Partitions that come and go: each intent is resolved before the first record is read, a torn cut is mended before the
//! next one, and a partition that leaves takes nothing with it that is not settled.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use data::{Offset, TopicPartition};
use fault::{Blame, Code, Diagnose, Fault, Retry};
use tokio::time::Instant;

use super::lane::{Lane, Member};
use super::{Event, LaneId, Task, TaskError};
use crate::dead_letter::DeadLetters;
use crate::lane::{Core, Settings};
use crate::mend::Mend;
use crate::recover;
use crate::{Assigned, Assignment, Fetched, Lanes, Revoked, Sink, Source};

/// A revocation that waits for its lanes.
pub(super) struct PendingRevoke {
    /// Dropped when its lanes are settled, which lets the rebalance go on.
    pub(super) _revoked: Revoked,
    pub(super) waiting: HashSet<TopicPartition>,
    pub(super) deadline: Instant,
}

impl<S: Source, K: Sink, D: DeadLetters> Task<S, K, D> {
    pub(super) fn recover(&mut self, assigned: Assigned) {
        let lanes = self.parts.router.lanes();
        self.recovering.insert(assigned.partition.clone(), assigned.assignment);
        let (sink, committer) = (Arc::clone(&self.hands.sink), self.hands.committer.clone());
        let permits = Arc::clone(&self.recover_permits);
        let recipe = self.parts.options.recipe.clone();
        self.work.push(Box::pin(async move {
            let _permit = permits.acquire().await;
            let recovered = recover::recover(&assigned, &*sink, &committer, recipe.as_ref(), lanes).await;
            Event::Recovered { assigned, recovered }
        }));
    }

    pub(super) fn begin(&mut self, assigned: &Assigned, at: Offset, mend: Option<Box<Mend>>) {
        let shared = self.parts.router.lanes() == Lanes::Shared;
        let existing = if shared { self.lanes.keys().next().copied() } else { None };
        let id = existing.unwrap_or_else(|| self.add_lane());
        let lane = self.lanes.get_mut(&id).expect("exists or was just added");
        let member = Member { assignment: assigned.assignment, from: at, position: at, at_work: false, leaving: false };
        lane.members.insert(assigned.partition.clone(), member);
        self.of_partition.insert(assigned.partition.clone(), id);
        if let (Some(core), Some(mend)) = (&mut lane.core, &mend) {
            core.set_until(Some(mend.to));
        }
        lane.mend = mend;
        self.parts.stats.assigned(&assigned.partition, at);
        if self.stopping.is_none() {
            self.source.resume(&assigned.partition, assigned.assignment, at);
        }
    }

    pub(super) fn add_lane(&mut self) -> LaneId {
        self.next_lane += 1;
        let settings = Settings { tolerance: self.parts.options.tolerance, part_size: self.parts.options.part_size };
        let lane = Lane {
            core: Some(Core::new(self.parts.router.route(), Arc::clone(&self.parts.encoders), settings)),
            members: HashMap::new(),
            queue: VecDeque::new(),
            uploads: Vec::new(),
            letters: Vec::new(),
            memory: self.parts.budget.charge(0),
            records: 0,
            encoded_bytes: 0,
            cut_wanted: false,
            sealing: false,
            cutting: None,
            cut_records: 0,
            squeezed: false,
            mend: None,
        };
        self.lanes.insert(self.next_lane, lane);
        self.next_lane
    }

    pub(super) fn begin_leaving(&mut self, revoked: Revoked) {
        let mut waiting = HashSet::new();
        let mut touched = HashSet::new();
        for (partition, assignment) in &revoked.partitions {
            self.stop_recovering(partition, *assignment);
            let Some(id) = self.of_partition.get(partition).copied() else { continue };
            let lane = self.lanes.get_mut(&id).expect("a partition's lane exists");
            let Some(member) = lane.members.get_mut(partition) else { continue };
            if member.assignment == *assignment {
                member.leaving = true;
                lane.queue.retain(|fetched| fetched.partition() != partition);
                lane.cut_wanted = true;
                waiting.insert(partition.clone());
                touched.insert(id);
            }
        }
        if waiting.is_empty() {
            return;
        }
        let deadline = Instant::now() + self.parts.options.patience;
        self.revokes.push(PendingRevoke { _revoked: revoked, waiting, deadline });
        for id in touched {
            self.advance(id);
        }
    }

    pub(super) fn forget(&mut self, lost: &[(TopicPartition, Assignment)]) -> Result<(), TaskError> {
        for (partition, assignment) in lost {
            self.stop_recovering(partition, *assignment);
            let Some(id) = self.of_partition.get(partition).copied() else { continue };
            let lane = self.lanes.get(&id).expect("a partition's lane exists");
            if lane.members.get(partition).is_some_and(|member| member.assignment == *assignment) {
                self.drop_member(id, partition)?;
            }
        }
        Ok(())
    }

    pub(super) fn stop_recovering(&mut self, partition: &TopicPartition, assignment: Assignment) {
        if self.recovering.get(partition) == Some(&assignment) {
            self.recovering.remove(partition);
        }
    }

    /// A partition is no longer ours although its lane may hold records of it.
    pub(super) fn drop_member(&mut self, id: LaneId, partition: &TopicPartition) -> Result<(), TaskError> {
        let lane = self.lanes.get_mut(&id).expect("the caller has looked it up");
        let others = lane.members.len() > 1;
        let in_a_cut = || lane.cutting.iter().flatten().any(|span| span.partition == *partition);
        let holds_records = |member: &Member| member.position > member.from || member.at_work || in_a_cut();
        if others && lane.members.get(partition).is_some_and(holds_records) {
            // The open objects mix its records with those of partitions that stay: they can only be given up together.
            return Err(TaskError::Fault(Arc::new(Fault::new(SharedLaneLost { partition: partition.clone() }))));
        }
        self.remove_member(id, partition);
        Ok(())
    }

    pub(super) fn remove_member(&mut self, id: LaneId, partition: &TopicPartition) {
        self.of_partition.remove(partition);
        self.parts.stats.removed(partition);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.members.remove(partition);
            lane.queue.retain(|fetched| fetched.partition() != partition);
            if lane.members.is_empty() {
                // Events of it that still come find no lane. Its uploads abort themselves, unless an intent names them.
                self.lanes.remove(&id);
                self.mend_next();
            }
        }
        for revoke in &mut self.revokes {
            revoke.waiting.remove(partition);
        }
        self.revokes.retain(|revoke| !revoke.waiting.is_empty());
    }

    /// Begins with the next torn cut, unless one is being mended.
    pub(super) fn mend_next(&mut self) {
        while self.stopping.is_none() && self.lanes.values().all(|lane| lane.mend.is_none()) {
            let Some((assigned, mend)) = self.torn.pop_front() else { return };
            // It may have been taken away while it waited.
            if self.recovering.get(&assigned.partition) == Some(&assigned.assignment) {
                self.recovering.remove(&assigned.partition);
                let from = mend.from;
                self.begin(&assigned, from, Some(mend));
            }
        }
    }
}

/// A partition whose records were mixed into objects with those of others was taken away.
#[derive(Debug, thiserror::Error)]
#[error(
    "{partition} was taken away while its records were in objects shared with other partitions; all are read again"
)]
pub struct SharedLaneLost {
    /// Which.
    pub partition: TopicPartition,
}

impl Diagnose for SharedLaneLost {
    fn code(&self) -> Code {
        "transit.shared-lane-lost"
    }
    fn blame(&self) -> Blame {
        Blame::Remote
    }
    fn retry(&self) -> Retry {
        Retry::After(Duration::ZERO)
    }
}
