//! Which partitions are ours, each stay under a number of its own.

use std::collections::{BTreeMap, BTreeSet};

use data::{Offset, TopicPartition};
use transit::{Assigned, Assignment};

/// How far a stay has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The group's committed offset is not known yet.
    Unknown,
    /// Nothing is committed; the place to begin at is to be asked of the partition's leader.
    Uncommitted,
    /// The task knows of it.
    Announced,
    /// The task has been asked to give it up.
    Yielding,
}

/// The partitions that this member holds.
///
/// All of them are held under one membership: the member id and the epoch of the moment. When the epoch moves on, what
/// is not known to be kept is taken out first. So "is it in here under this number" is the whole question whether a
/// commit may be sent.
#[derive(Debug, Default)]
pub(crate) struct Stays {
    numbered: u64,
    held: BTreeMap<TopicPartition, (Assignment, Stage)>,
    /// Where the log of a partition was cut back to, for stays that have not begun since.
    ceilings: BTreeMap<TopicPartition, Offset>,
}

/// A partition and the number of its stay.
pub(crate) type Numbered = (TopicPartition, Assignment);

impl Stays {
    /// Takes partitions that are not held under new numbers.
    pub(crate) fn take(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        for partition in partitions {
            self.numbered += 1;
            self.ceilings.remove(&partition);
            self.held.insert(partition, (Assignment(self.numbered), Stage::Unknown));
        }
    }

    /// Whether `partition` is held under this very number.
    pub(crate) fn holds(&self, partition: &TopicPartition, assignment: Assignment) -> bool {
        self.held.get(partition).is_some_and(|(number, _)| *number == assignment)
    }

    /// Which partitions are held.
    pub(crate) fn partitions(&self) -> BTreeSet<TopicPartition> {
        self.held.keys().cloned().collect()
    }

    /// Whether none is.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Those at `stage`.
    pub(crate) fn at(&self, stage: Stage) -> Vec<Numbered> {
        let here = self.held.iter().filter(|(_, (_, at))| *at == stage);
        here.map(|(partition, (number, _))| (partition.clone(), *number)).collect()
    }

    /// The group has committed nothing for it.
    pub(crate) fn uncommitted(&mut self, partition: &TopicPartition, assignment: Assignment) {
        if let Some((number, stage)) = self.held.get_mut(partition)
            && *number == assignment
            && *stage == Stage::Unknown
        {
            *stage = Stage::Uncommitted;
        }
    }

    /// Its place is known: what to tell the task, unless the stay is over or known to the task already.
    pub(crate) fn announce(
        &mut self,
        partition: TopicPartition,
        assignment: Assignment,
        position: Offset,
        committed: Option<String>,
    ) -> Option<Assigned> {
        let (number, stage) = self.held.get_mut(&partition)?;
        if *number != assignment || !matches!(stage, Stage::Unknown | Stage::Uncommitted) {
            return None;
        }
        *stage = Stage::Announced;
        // A committed offset behind the end of the log has nothing to go on from, and an intent beside it is about records
        // that are gone.
        let (position, committed) = match self.ceilings.remove(&partition) {
            Some(end) if position > end => (end, None),
            Some(_) | None => (position, committed),
        };
        let (committed, metadata) = (committed.is_some(), committed.unwrap_or_default());
        Some(Assigned { partition, assignment, position, committed, metadata })
    }

    /// Begins to give `partitions` up. What the task does not know of is gone at once; the rest is returned.
    pub(crate) fn begin_yield(&mut self, partitions: &BTreeSet<TopicPartition>) -> Vec<Numbered> {
        let mut told = Vec::new();
        self.held.retain(|partition, (number, stage)| {
            if !partitions.contains(partition) {
                return true;
            }
            if matches!(stage, Stage::Unknown | Stage::Uncommitted) {
                return false;
            }
            *stage = Stage::Yielding;
            told.push((partition.clone(), *number));
            true
        });
        told
    }

    /// Ends a stay that the task knows of and begins another, whose place is looked up anew and is not behind `end`. False
    /// if the stay is over already, or on its way out.
    pub(crate) fn renew(&mut self, partition: &TopicPartition, assignment: Assignment, end: Offset) -> bool {
        if self.held.get(partition) != Some(&(assignment, Stage::Announced)) {
            return false;
        }
        self.take([partition.clone()]);
        self.ceilings.insert(partition.clone(), end);
        true
    }

    /// Ends the stays that are being given up.
    pub(crate) fn end_yield(&mut self) -> Vec<Numbered> {
        let ended = self.at(Stage::Yielding);
        self.held.retain(|_, (_, stage)| *stage != Stage::Yielding);
        ended
    }

    /// Ends all stays. Returns those that the task knows of.
    pub(crate) fn end_all(&mut self) -> Vec<Numbered> {
        self.ceilings.clear();
        let held = std::mem::take(&mut self.held);
        let told = held.into_iter().filter(|(_, (_, stage))| matches!(stage, Stage::Announced | Stage::Yielding));
        told.map(|(partition, (number, _))| (partition, number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(number: i32) -> TopicPartition {
        TopicPartition::new("orders", number)
    }

    #[test]
    fn a_partition_that_comes_back_has_a_new_number() {
        let mut stays = Stays::default();
        stays.take([orders(0)]);
        stays.announce(orders(0), Assignment(1), Offset(4), Some("intent".into())).unwrap();
        stays.begin_yield(&[orders(0)].into());
        assert!(stays.holds(&orders(0), Assignment(1)), "it can still be committed until the yield ends");
        assert_eq!(stays.end_yield(), [(orders(0), Assignment(1))]);
        stays.take([orders(0)]);
        assert!(!stays.holds(&orders(0), Assignment(1)));
        assert!(stays.holds(&orders(0), Assignment(2)));
    }

    #[test]
    fn the_task_hears_of_the_end_only_of_what_it_knew() {
        let mut stays = Stays::default();
        stays.take([orders(0), orders(1)]);
        stays.announce(orders(1), Assignment(2), Offset(0), None).unwrap();
        assert_eq!(stays.end_all(), [(orders(1), Assignment(2))]);
        assert!(stays.is_empty());
    }

    #[test]
    fn a_place_found_too_late_announces_nothing() {
        let mut stays = Stays::default();
        stays.take([orders(0)]);
        stays.end_all();
        stays.take([orders(0)]);
        assert_eq!(stays.announce(orders(0), Assignment(1), Offset(0), None), None);
    }

    #[test]
    fn a_stay_whose_log_was_cut_back_begins_anew_not_behind_its_end() {
        for (committed, expected) in [(3, (3, true, "intent")), (9, (5, false, ""))] {
            let mut stays = Stays::default();
            stays.take([orders(0)]);
            stays.announce(orders(0), Assignment(1), Offset(0), None).unwrap();
            assert!(stays.renew(&orders(0), Assignment(1), Offset(5)));
            assert!(!stays.holds(&orders(0), Assignment(1)));
            assert!(!stays.renew(&orders(0), Assignment(1), Offset(5)), "it is over");
            let again = stays.announce(orders(0), Assignment(2), Offset(committed), Some("intent".into())).unwrap();
            assert_eq!((again.position.0, again.committed, &*again.metadata), expected);
        }
    }
}
