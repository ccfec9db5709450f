//! One member of the protocol of KIP-848, and a coordinator that answers as it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use data::{Offset, TopicPartition};
use tokio::time::Instant;
use transit::{Assignment, Commit, CommitOutcome};
use uuid::Uuid;

use super::super::call::{Answer, Call, Reconcile, Reconciled, Refusal};
use super::super::commits::{Settled, Ticket};
use super::super::member::Member;
use super::super::membership::{Action, Announcement, Shape, Topics};
use super::super::options::{GroupOptions, GroupProtocol, Subscription};
use crate::ErrorCode;

const OLD: Uuid = Uuid::from_u128(1);
const NEW: Uuid = Uuid::from_u128(2);

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn topics(id: Uuid) -> Topics {
    [(Arc::from("t"), Shape { id, partitions: 1 })].into()
}

/// A member that has read partition 0 of the topic `OLD`, which it finds committed at 5.
struct Played {
    member: Member,
    now: Instant,
    /// What the coordinator assigns, at which epoch.
    assigned: (Uuid, i32),
    told: Vec<Announcement>,
    settled: Vec<Settled>,
    commits: Vec<Commit>,
    owned: BTreeSet<Uuid>,
    look: Option<u64>,
    /// What commits are answered with.
    commit_error: Option<ErrorCode>,
    /// What heartbeats are answered with.
    beat_error: Option<ErrorCode>,
}

impl Played {
    fn begin() -> Self {
        let mut options = GroupOptions::new("g", Subscription::topics(["t"]));
        options.protocol = GroupProtocol::Consumer(None);
        let now = Instant::now();
        let member = Member::new(options.into(), Duration::from_mins(5), 7, now);
        let mut played = Self {
            member,
            now,
            assigned: (OLD, 1),
            told: Vec::new(),
            settled: Vec::new(),
            commits: Vec::new(),
            owned: BTreeSet::new(),
            look: None,
            commit_error: None,
            beat_error: None,
        };
        played.beat();
        played.see(OLD);
        assert!(matches!(&played.told[..], [Announcement::Assigned(one)] if one[0].position == Offset(5)));
        played
    }

    /// Lets the next heartbeat leave, and everything that follows from its answer.
    fn beat(&mut self) {
        self.now += Duration::from_secs(6);
        self.member.tick(self.now);
        self.go_on();
    }

    /// Answers the look that is wanted.
    fn see(&mut self, id: Uuid) {
        let look = self.look.take().expect("the topics are to be looked at");
        self.member.looked(self.now, look, Some(topics(id)));
        self.go_on();
    }

    fn commit(&mut self, ticket: u64, offset: i64) {
        let commit =
            Commit { partition: partition(), assignment: Assignment(1), offset: Offset(offset), metadata: "".into() };
        self.member.commit(self.now, Ticket(ticket), vec![commit]);
        self.go_on();
    }

    fn go_on(&mut self) {
        while let Some(action) = self.member.next_action() {
            match action {
                Action::Call(call) => {
                    let answer = self.answer(call);
                    self.member.answered(self.now, answer);
                }
                Action::Announce(announcement) => self.told.push(announcement),
                Action::Settle(settled) => self.settled.push(settled),
                Action::Look { number, .. } => self.look = Some(number),
                Action::Seek => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn answer(&mut self, call: Call) -> Answer {
        match call {
            Call::Reconcile(_) if let Some(code) = self.beat_error.take() => {
                Answer::Reconciled(Err(Refusal { code, message: None }))
            }
            Call::Reconcile(Reconcile { owned, .. }) => {
                self.owned = owned.map_or_else(|| self.owned.clone(), |owned| owned.into_keys().collect());
                let (topic, epoch) = self.assigned;
                // What is held under another id is to be given up first.
                let busy = self.owned.iter().any(|held| *held != topic);
                let assigned = if busy { BTreeMap::new() } else { [(topic, BTreeSet::from([0]))].into() };
                let interval = Duration::from_secs(5);
                Answer::Reconciled(Ok(Reconciled { epoch, interval, assigned: Some(assigned) }))
            }
            Call::Places { partitions, .. } => {
                let place = |partition| (partition, Ok(Some((Offset(5), String::new()))));
                Answer::Places(Ok(partitions.into_iter().map(place).collect()))
            }
            Call::Commit { entries, .. } => {
                let accepted = entries.iter().map(|entry| (entry.partition.clone(), self.commit_error)).collect();
                self.commits.extend(entries);
                Answer::Committed(accepted)
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn nothing_of_a_deleted_topic_is_committed_to_the_one_that_was_made_in_its_place() {
    let mut played = Played::begin();
    played.commit(1, 7);
    assert_eq!(played.commits.len(), 1);
    played.assigned = (NEW, 2);
    played.beat();
    played.commit(2, 9);
    assert_eq!(played.commits.len(), 1, "not before it is known whether the topic is still there");
    played.see(NEW);
    assert_eq!(played.settled[1..], [Settled { ticket: Ticket(2), outcome: CommitOutcome::Fenced }]);
    assert_eq!(played.told[1], Announcement::Lost(vec![(partition(), Assignment(1))]));
    assert_eq!(played.commits.len(), 1);
    // The new one is taken as any other.
    played.beat();
    assert_eq!(played.owned, [NEW].into());
    assert!(matches!(&played.told[2..], [Announcement::Assigned(one)] if one[0].assignment == Assignment(2)));
}

#[test]
fn a_partition_that_goes_to_another_member_is_given_up_in_good_order() {
    let mut played = Played::begin();
    played.assigned = (NEW, 2);
    played.beat();
    played.see(OLD);
    assert!(matches!(&played.told[1], Announcement::Revoked { .. }));
    played.commit(1, 7);
    assert_eq!(played.settled, [Settled { ticket: Ticket(1), outcome: CommitOutcome::Done }]);
}

#[test]
fn a_commit_that_the_coordinator_may_have_written_is_not_called_fenced() {
    for (code, outcome) in [
        // What it answers when its log's replicas were too slow: the record is there, and may yet become durable.
        (ErrorCode::COORDINATOR_NOT_AVAILABLE, CommitOutcome::Unknown),
        (ErrorCode::NOT_COORDINATOR, CommitOutcome::Unknown),
        (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, CommitOutcome::Fenced),
        (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, CommitOutcome::Fenced),
    ] {
        let mut played = Played::begin();
        played.commit_error = Some(code);
        played.commit(1, 7);
        played.beat_error = Some(ErrorCode::UNKNOWN_MEMBER_ID);
        played.beat();
        assert_eq!(played.settled, [Settled { ticket: Ticket(1), outcome }], "{code}");
    }
}
