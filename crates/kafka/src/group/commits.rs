//! Commits on their way to the coordinator: what waits, what shares a request, what each one's outcome is.

use std::collections::{BTreeSet, VecDeque};

use data::TopicPartition;
use transit::{Commit, CommitOutcome};

use super::stays::Stays;

/// Calls are put into one request up to this many bytes. The broker writes a request as one batch of its offsets topic,
/// which holds 1 MiB by default, and refuses it whole if it does not fit; a fourth of that leaves room for what each
/// record carries besides. A single call is never split: its entries must become durable together.
const SHARED: usize = 256 << 10;

/// Names a call of the committer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) u64);

/// A call of the committer that has no outcome yet.
#[derive(Debug)]
pub(crate) struct Asked {
    ticket: Ticket,
    entries: Vec<Commit>,
    /// Which entries the coordinator has accepted. They share a request and so a fate, but for a topic that it does not
    /// know (yet), which is asked again alone.
    done: Vec<bool>,
    /// Whether a request that held it went unanswered, so that it may be durable for all we know.
    sent_unanswered: bool,
    /// The epoch under which the coordinator refused it as stale.
    pub(crate) stale_at: Option<i32>,
}

impl Asked {
    /// The entries that are to be sent.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Commit> {
        self.entries.iter().zip(&self.done).filter(|(_, done)| !**done).map(|(entry, _)| entry)
    }

    /// The coordinator has accepted those for which `accepts` is true. Whether that was the last one.
    pub(crate) fn accept(&mut self, accepts: impl Fn(&TopicPartition) -> bool) -> bool {
        for (entry, done) in self.entries.iter().zip(&mut self.done) {
            *done |= accepts(&entry.partition);
        }
        self.done.iter().all(|done| *done)
    }

    /// It was sent, and no answer came.
    pub(crate) fn went_unanswered(&mut self) {
        self.sent_unanswered = true;
    }

    /// It has this outcome.
    pub(crate) fn settled(&self, outcome: CommitOutcome) -> Settled {
        Settled { ticket: self.ticket, outcome }
    }

    /// An assignment of it is over.
    pub(crate) fn fenced(&self) -> Settled {
        let unknown = self.sent_unanswered || self.done.contains(&true);
        self.settled(if unknown { CommitOutcome::Unknown } else { CommitOutcome::Fenced })
    }

    fn size(&self) -> usize {
        // Topic, partition, offset, epoch and the record around them come to about 100 bytes.
        self.open().map(|entry| entry.metadata.len() + entry.partition.topic.len() + 100).sum()
    }
}

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) ticket: Ticket,
    pub(crate) outcome: CommitOutcome,
}

/// The calls that wait.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    waiting: VecDeque<Asked>,
}

impl Commits {
    /// Puts a call behind the others.
    pub(crate) fn ask(&mut self, ticket: Ticket, entries: Vec<Commit>) {
        let done = vec![false; entries.len()];
        self.waiting.push_back(Asked { ticket, entries, done, sent_unanswered: false, stale_at: None });
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes out and settles every call of which an assignment is over.
    pub(crate) fn sweep(&mut self, stays: &Stays) -> Vec<Settled> {
        let holds = |entry: &Commit| stays.holds(&entry.partition, entry.assignment);
        let over;
        (self.waiting, over) = std::mem::take(&mut self.waiting).into_iter().partition(|it| it.open().all(holds));
        over.iter().map(Asked::fenced).collect()
    }

    /// Takes the calls that go into the next request: in order, as many as fit, no partition twice.
    pub(crate) fn next_batch(&mut self) -> Vec<Asked> {
        let mut batch: Vec<Asked> = Vec::new();
        let mut partitions: BTreeSet<TopicPartition> = BTreeSet::new();
        let mut size = 0;
        while let Some(asked) = self.waiting.front() {
            size += asked.size();
            let own: BTreeSet<_> = asked.open().map(|entry| entry.partition.clone()).collect();
            if !batch.is_empty() && (size > SHARED || !own.is_disjoint(&partitions)) {
                break;
            }
            partitions.extend(own);
            batch.extend(self.waiting.pop_front());
        }
        batch
    }

    /// Takes calls back that have to be sent again: before all others, in their order.
    pub(crate) fn take_back(&mut self, batch: Vec<Asked>) {
        for asked in batch.into_iter().rev() {
            self.waiting.push_front(asked);
        }
    }

    /// The epochs under which calls that wait were refused as stale.
    pub(crate) fn stale_epochs(&self) -> impl Iterator<Item = i32> {
        self.waiting.iter().filter_map(|asked| asked.stale_at)
    }
}

#[cfg(test)]
mod tests {
    use data::Offset;
    use transit::Assignment;

    use super::*;

    fn commit(number: i32, assignment: u64, metadata: &str) -> Commit {
        Commit {
            partition: TopicPartition::new("orders", number),
            assignment: Assignment(assignment),
            offset: Offset(5),
            metadata: metadata.into(),
        }
    }

    fn holding(count: i32) -> Stays {
        let mut stays = Stays::default();
        stays.take((0..count).map(|number| TopicPartition::new("orders", number)));
        stays
    }

    #[test]
    fn calls_of_many_lanes_share_a_request() {
        let mut commits = Commits::default();
        for number in 0..3 {
            commits.ask(Ticket(number as u64), vec![commit(number, 1, "")]);
        }
        assert_eq!(commits.next_batch().len(), 3);
        assert!(commits.is_empty());
    }

    #[test]
    fn two_commits_of_a_partition_never_share_a_request() {
        let mut commits = Commits::default();
        commits.ask(Ticket(1), vec![commit(0, 1, "")]);
        commits.ask(Ticket(2), vec![commit(0, 1, ""), commit(1, 2, "")]);
        commits.ask(Ticket(3), vec![commit(2, 3, "")]);
        assert_eq!(commits.next_batch().len(), 1);
        assert_eq!(commits.next_batch().len(), 2);
    }

    #[test]
    fn a_request_stays_small_but_a_call_is_never_split() {
        let mut commits = Commits::default();
        let intent = "i".repeat(3500);
        commits.ask(Ticket(1), (0..200).map(|number| commit(number, 1, &intent)).collect());
        commits.ask(Ticket(2), vec![commit(300, 1, &intent)]);
        assert_eq!(commits.next_batch().len(), 1);
        assert_eq!(commits.next_batch().len(), 1);
    }

    #[test]
    fn a_call_is_fenced_whole_when_one_assignment_of_it_is_over() {
        let mut commits = Commits::default();
        commits.ask(Ticket(1), vec![commit(0, 1, ""), commit(1, 99, "")]);
        commits.ask(Ticket(2), vec![commit(0, 1, "")]);
        assert_eq!(commits.sweep(&holding(2)), [Settled { ticket: Ticket(1), outcome: CommitOutcome::Fenced }]);
        assert_eq!(commits.next_batch().len(), 1);
    }

    #[test]
    fn what_is_taken_back_goes_before_all_others() {
        let mut commits = Commits::default();
        commits.ask(Ticket(1), vec![commit(0, 1, ""), commit(1, 2, "")]);
        commits.ask(Ticket(2), vec![commit(2, 3, "")]);
        let mut batch = commits.next_batch();
        commits.ask(Ticket(3), vec![commit(3, 4, "")]);
        assert!(!batch[0].accept(|partition| partition.partition == 0));
        assert!(batch[1].accept(|partition| partition.partition == 2));
        batch.pop();
        commits.take_back(batch);
        let again = commits.next_batch();
        assert_eq!(again[0].open().map(|entry| entry.partition.partition).collect::<Vec<_>>(), [1]);
        assert_eq!(again[1].ticket, Ticket(3));
    }

    #[test]
    fn a_call_that_may_be_durable_is_not_called_fenced() {
        for unanswered in [true, false] {
            let mut commits = Commits::default();
            commits.ask(Ticket(1), vec![commit(0, 1, ""), commit(1, 2, "")]);
            let mut batch = commits.next_batch();
            if unanswered {
                batch[0].went_unanswered();
            } else {
                assert!(!batch[0].accept(|partition| partition.partition == 0));
            }
            commits.take_back(batch);
            let over = commits.sweep(&Stays::default());
            assert_eq!(over, [Settled { ticket: Ticket(1), outcome: CommitOutcome::Unknown }]);
        }
    }
}
