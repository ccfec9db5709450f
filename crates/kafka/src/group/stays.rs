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

/// Where a stay begins if, during the one before, the partition's log was cut back or turned out to be another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    /// Where the log goes on.
    pub at: Offset,
    /// Whether it is another log, so that a committed offset is about records that are gone even if it lies below `at`.
    pub anew: bool,
    /// Whether what was prepared beside the committed offset has been dealt with. If not, it comes first.
    pub settled: bool,
}

impl Restart {
    /// Whether reading may not go on at `offset`, which is where the committed offset or the intent beside it leads.
    pub fn forbids(&self, offset: Offset) -> bool {
        if self.anew { offset != self.at } else { offset > self.at }
    }
}

/// One stay of a partition.
#[derive(Debug)]
struct Stay {
    number: Assignment,
    stage: Stage,
    /// Where the task has begun, once it knows.
    began: Option<Offset>,
    restart: Option<Restart>,
}

/// The partitions that this member holds.
///
/// All of them are held under one membership: the member id and the epoch of the moment. When the epoch moves on, what
/// is not known to be kept is taken out first. So "is it in here under this number" is the whole question whether a
/// commit may be sent.
#[derive(Debug, Default)]
pub(crate) struct Stays {
    numbered: u64,
    held: BTreeMap<TopicPartition, Stay>,
}

/// A partition and the number of its stay.
pub(crate) type Numbered = (TopicPartition, Assignment);

impl Stays {
    /// Takes partitions that are not held under new numbers.
    pub(crate) fn take(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        for partition in partitions {
            self.number(partition, None, None);
        }
    }

    fn number(&mut self, partition: TopicPartition, began: Option<Offset>, restart: Option<Restart>) -> Assignment {
        self.numbered += 1;
        let number = Assignment(self.numbered);
        self.held.insert(partition, Stay { number, stage: Stage::Unknown, began, restart });
        number
    }

    /// Whether `partition` is held under this very number.
    pub(crate) fn holds(&self, partition: &TopicPartition, assignment: Assignment) -> bool {
        self.held.get(partition).is_some_and(|stay| stay.number == assignment)
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
        let here = self.held.iter().filter(|(_, stay)| stay.stage == stage);
        here.map(|(partition, stay)| (partition.clone(), stay.number)).collect()
    }

    /// What the group has committed for it is known: what to tell the task, unless the stay is over or has begun already,
    /// or its place has still to be asked of the leader.
    pub(crate) fn found(
        &mut self,
        partition: &TopicPartition,
        assignment: Assignment,
        committed: Option<(Offset, String)>,
    ) -> Option<Assigned> {
        let stay = self.held.get_mut(partition)?;
        if stay.number != assignment || stay.stage != Stage::Unknown {
            return None;
        }
        let (position, metadata) = match (stay.restart, committed) {
            (None, None) => {
                stay.stage = Stage::Uncommitted;
                return None;
            }
            (None, Some(committed)) => (committed.0, Some(committed.1)),
            // Finished first, wherever it leads: some of its objects may be visible already.
            (Some(restart), Some((offset, intent))) if !restart.settled && !intent.is_empty() => (offset, Some(intent)),
            (Some(restart), committed) => {
                // Where nothing is committed, what was read since this began was given up, and is read again.
                let before = committed.as_ref().map(|(offset, _)| *offset).or(stay.began);
                let position = before.filter(|before| !restart.forbids(*before)).unwrap_or(restart.at);
                (position, committed.filter(|(offset, _)| *offset == position).map(|_| String::new()))
            }
        };
        Some(stay.announce(partition.clone(), position, metadata))
    }

    /// The leader has said where to begin with what is uncommitted: what to tell the task.
    pub(crate) fn located(
        &mut self,
        partition: TopicPartition,
        assignment: Assignment,
        position: Offset,
    ) -> Option<Assigned> {
        let stay = self.held.get_mut(&partition)?;
        let waits = stay.number == assignment && stay.stage == Stage::Uncommitted;
        waits.then(|| stay.announce(partition, position, None))
    }

    /// Begins to give `partitions` up. What the task does not know of is gone at once; the rest is returned.
    pub(crate) fn begin_yield(&mut self, partitions: &BTreeSet<TopicPartition>) -> Vec<Numbered> {
        let mut told = Vec::new();
        self.held.retain(|partition, stay| {
            if !partitions.contains(partition) {
                return true;
            }
            if matches!(stay.stage, Stage::Unknown | Stage::Uncommitted) {
                return false;
            }
            stay.stage = Stage::Yielding;
            told.push((partition.clone(), stay.number));
            true
        });
        told
    }

    /// Ends a stay that the task knows of and begins another, whose place is looked up anew. Its number; `None` if the stay
    /// is over already, or on its way out.
    pub(crate) fn renew(
        &mut self,
        partition: &TopicPartition,
        assignment: Assignment,
        restart: Restart,
    ) -> Option<Assignment> {
        let stay = self.held.get(partition)?;
        if (stay.number, stay.stage) != (assignment, Stage::Announced) {
            return None;
        }
        let began = stay.began;
        Some(self.number(partition.clone(), began, Some(restart)))
    }

    /// Ends the stays that are being given up.
    pub(crate) fn end_yield(&mut self) -> Vec<Numbered> {
        let ended = self.at(Stage::Yielding);
        self.held.retain(|_, stay| stay.stage != Stage::Yielding);
        ended
    }

    /// Ends the stays of `partitions`. Returns those that the task knows of.
    pub(crate) fn end(&mut self, partitions: &BTreeSet<TopicPartition>) -> Vec<Numbered> {
        let rest = self.held.extract_if(.., |partition, _| partitions.contains(partition)).collect();
        Self::known(rest)
    }

    /// Ends all stays. Returns those that the task knows of.
    pub(crate) fn end_all(&mut self) -> Vec<Numbered> {
        Self::known(std::mem::take(&mut self.held))
    }

    fn known(held: BTreeMap<TopicPartition, Stay>) -> Vec<Numbered> {
        let told = held.into_iter().filter(|(_, stay)| matches!(stay.stage, Stage::Announced | Stage::Yielding));
        told.map(|(partition, stay)| (partition, stay.number)).collect()
    }
}

impl Stay {
    /// Begins at `position`, beside which `metadata` is committed if it is a committed offset.
    fn announce(&mut self, partition: TopicPartition, position: Offset, metadata: Option<String>) -> Assigned {
        (self.stage, self.began) = (Stage::Announced, Some(position));
        let (committed, metadata) = (metadata.is_some(), metadata.unwrap_or_default());
        Assigned { partition, assignment: self.number, position, committed, metadata }
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
        stays.found(&orders(0), Assignment(1), Some((Offset(4), "intent".into()))).unwrap();
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
        stays.found(&orders(1), Assignment(2), Some((Offset(0), String::new()))).unwrap();
        assert_eq!(stays.end_all(), [(orders(1), Assignment(2))]);
        assert!(stays.is_empty());
    }

    #[test]
    fn a_place_found_too_late_announces_nothing() {
        let mut stays = Stays::default();
        stays.take([orders(0)]);
        stays.end_all();
        stays.take([orders(0)]);
        assert_eq!(stays.found(&orders(0), Assignment(1), Some((Offset(0), String::new()))), None);
        assert_eq!(stays.located(orders(0), Assignment(1), Offset(0)), None);
    }

    /// Where the stay after one that began at 2 begins, with this restart and this committed.
    fn begins_again(restart: Restart, committed: Option<(i64, &str)>) -> (i64, bool, String) {
        let mut stays = Stays::default();
        stays.take([orders(0)]);
        stays.found(&orders(0), Assignment(1), Some((Offset(2), String::new()))).unwrap();
        assert_eq!(stays.renew(&orders(0), Assignment(1), restart), Some(Assignment(2)));
        assert!(!stays.holds(&orders(0), Assignment(1)));
        assert_eq!(stays.renew(&orders(0), Assignment(1), restart), None, "it is over");
        let committed = committed.map(|(offset, metadata)| (Offset(offset), metadata.to_owned()));
        let again = stays.found(&orders(0), Assignment(2), committed).unwrap();
        (again.position.0, again.committed, again.metadata)
    }

    #[test]
    fn a_log_that_was_cut_back_goes_on_at_its_end_or_where_it_was_committed_before() {
        let cut = Restart { at: Offset(5), anew: false, settled: false };
        assert_eq!(begins_again(cut, Some((3, ""))), (3, true, String::new()));
        assert_eq!(begins_again(cut, Some((9, ""))), (5, false, String::new()));
        assert_eq!(begins_again(cut, None), (2, false, String::new()), "what was given up is read again");
    }

    #[test]
    fn a_log_that_was_made_anew_goes_on_where_it_begins() {
        let anew = Restart { at: Offset(5), anew: true, settled: false };
        for committed in [Some((3, "")), Some((9, "")), None] {
            assert_eq!(begins_again(anew, committed), (5, false, String::new()));
        }
    }

    #[test]
    fn an_intent_is_finished_before_a_log_goes_on_elsewhere() {
        for anew in [true, false] {
            let restart = Restart { at: Offset(5), anew, settled: false };
            assert_eq!(begins_again(restart, Some((9, "intent"))), (9, true, "intent".to_owned()));
            let settled = Restart { settled: true, ..restart };
            assert_eq!(begins_again(settled, Some((9, "not an intent"))), (5, false, String::new()));
        }
    }
}
