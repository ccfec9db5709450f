//! KIP-848: the coordinator shares out, and moves each member towards its share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::super::call::{Answer, JOINING, Reconcile, Reconciled};
use super::{Coordinator, PARTITIONS, SESSION, TOPIC_ID, no};
use crate::ErrorCode;

#[derive(Debug, Default)]
pub(super) struct Modern {
    pub(super) epoch: i32,
    pub(super) targets: BTreeMap<Arc<str>, BTreeSet<i32>>,
    pub(super) members: BTreeMap<Arc<str>, ModernMember>,
}

#[derive(Debug)]
pub(super) struct ModernMember {
    pub(super) epoch: i32,
    pub(super) before: i32,
    pub(super) assigned: BTreeSet<i32>,
    pub(super) revoking: BTreeSet<i32>,
    pub(super) deadline: Instant,
}

impl Coordinator {
    pub(super) fn part(&mut self, member: &Arc<str>) -> Answer {
        if self.modern.members.remove(member).is_some() {
            self.retarget();
        }
        Answer::Left
    }

    /// Shares out evenly, moving as little as possible.
    fn retarget(&mut self) {
        let modern = &mut self.modern;
        modern.epoch += 1;
        let before = std::mem::take(&mut modern.targets);
        if modern.members.is_empty() {
            return;
        }
        let most = (PARTITIONS as usize).div_ceil(modern.members.len());
        let keep = |id: &Arc<str>| before.get(id).into_iter().flatten().copied().take(most).collect::<BTreeSet<_>>();
        modern.targets = modern.members.keys().map(|id| (id.clone(), keep(id))).collect();
        let kept: BTreeSet<i32> = modern.targets.values().flatten().copied().collect();
        for partition in (0..PARTITIONS).filter(|it| !kept.contains(it)) {
            let least = modern.targets.values_mut().min_by_key(|share| share.len()).expect("not empty");
            least.insert(partition);
        }
    }

    pub(super) fn reconcile(&mut self, now: Instant, said: &Reconcile) -> Answer {
        let owned: Option<BTreeSet<i32>> = said.owned.as_ref().map(|it| it.values().flatten().copied().collect());
        if said.epoch == JOINING {
            let fresh = ModernMember {
                epoch: 0,
                before: 0,
                assigned: BTreeSet::new(),
                revoking: BTreeSet::new(),
                deadline: now,
            };
            if !self.modern.members.contains_key(&said.member) {
                self.modern.members.insert(said.member.clone(), fresh);
                self.retarget();
            }
        }
        let modern = &mut self.modern;
        let others: BTreeSet<i32> = modern
            .members
            .iter()
            .filter(|(id, _)| **id != said.member)
            .flat_map(|(_, it)| it.assigned.union(&it.revoking).copied())
            .collect();
        let Some(it) = modern.members.get_mut(&said.member) else {
            return Answer::Reconciled(no(ErrorCode::UNKNOWN_MEMBER_ID));
        };
        let late_answer = said.epoch == it.before && owned.as_ref().is_some_and(|owned| owned.is_subset(&it.assigned));
        if said.epoch != it.epoch && said.epoch != JOINING && !late_answer {
            return Answer::Reconciled(no(ErrorCode::FENCED_MEMBER_EPOCH));
        }
        it.deadline = now + SESSION;
        let before = it.assigned.clone();
        let still_owns = |gone: &BTreeSet<i32>| owned.as_ref().is_none_or(|owned| !owned.is_disjoint(gone));
        let waiting = !it.revoking.is_empty() && still_owns(&it.revoking);
        if !waiting {
            it.revoking.clear();
            let target = &modern.targets[&said.member];
            let gone: BTreeSet<i32> = it.assigned.difference(target).copied().collect();
            it.assigned.retain(|partition| target.contains(partition));
            if !gone.is_empty() && still_owns(&gone) {
                it.revoking = gone;
            } else {
                it.assigned.extend(target.iter().filter(|partition| !others.contains(partition)));
                if it.epoch != modern.epoch {
                    (it.before, it.epoch) = (it.epoch, modern.epoch);
                }
            }
        }
        let tells = said.full || it.assigned != before;
        let assigned = BTreeMap::from([(TOPIC_ID, it.assigned.clone())]);
        Answer::Reconciled(Ok(Reconciled {
            epoch: it.epoch,
            interval: Duration::from_millis(500),
            assigned: tells.then_some(assigned),
        }))
    }
}
