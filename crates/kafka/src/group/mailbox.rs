//! What the task is to be told, until it asks.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use data::TopicPartition;
use tokio::sync::{Notify, oneshot};
use transit::{Assigned, Assignment, Revoked};

use super::error::GroupError;
use super::membership::{Announcement, Rewound};
use super::stays::Numbered;

/// Something that the task is told.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions are ours now.
    Assigned(Vec<Assigned>),
    /// These are to be given up; the rebalance waits until the value is dropped, or its patience ends.
    Revoked(Revoked),
    /// These assignments are over already. Also of partitions whose revocation took too long.
    Lost(Vec<(TopicPartition, Assignment)>),
    /// This assignment is over already; another of the same partition follows.
    Rewound(Rewound),
}

/// The queue between the member, which never waits, and the task, which comes when it likes.
///
/// Bounded by the partitions that are held: what the task has not heard of and is over already is taken out again.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    posts: VecDeque<GroupEvent>,
    end: Option<Ended>,
}

/// Why nothing more comes: a failure, or the member has left.
pub(crate) type Ended = Result<(), GroupError>;

impl Mailbox {
    /// Puts in an announcement. For a revocation, what ends when the task is done with it.
    pub(crate) fn post(&self, announcement: Announcement) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state();
        let mut waiter = None;
        match announcement {
            Announcement::Assigned(assigned) => state.posts.push_back(GroupEvent::Assigned(assigned)),
            Announcement::Revoked { mut partitions, .. } => {
                state.forget_unheard(&mut partitions);
                let (revoked, done) = Revoked::new(partitions);
                waiter = Some(done);
                if !revoked.partitions.is_empty() {
                    state.posts.push_back(GroupEvent::Revoked(revoked));
                }
            }
            Announcement::Lost(mut lost) => {
                state.forget_unheard(&mut lost);
                // To be asked for what is gone is of no use either; the partitions are among those lost.
                let gone = |revoked: &Revoked| revoked.partitions.iter().any(|it| lost.contains(it));
                state.posts.retain(|post| !matches!(post, GroupEvent::Revoked(revoked) if gone(revoked)));
                if !lost.is_empty() {
                    state.posts.push_back(GroupEvent::Lost(lost));
                }
            }
            // Only who has heard of an assignment can know that it was rewound.
            Announcement::Rewound(rewound) => state.posts.push_back(GroupEvent::Rewound(rewound)),
        }
        drop(state);
        self.changed.notify_one();
        waiter
    }

    /// Nothing more comes.
    pub(crate) fn end(&self, ended: Ended) {
        self.state().end.get_or_insert(ended);
        self.changed.notify_one();
    }

    /// The next thing to tell; `Err` when all is told and nothing more comes. Cancel safe; for one reader.
    pub(crate) async fn next(&self) -> Result<GroupEvent, Ended> {
        loop {
            {
                let mut state = self.state();
                if let Some(post) = state.posts.pop_front() {
                    return Ok(post);
                }
                if let Some(end) = &state.end {
                    return Err(end.clone());
                }
            }
            self.changed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}

impl State {
    /// Takes out those of `partitions` of which the task has not heard yet, here and in the posts.
    fn forget_unheard(&mut self, partitions: &mut Vec<Numbered>) {
        for post in &mut self.posts {
            if let GroupEvent::Assigned(assigned) = post {
                assigned.retain(|one| {
                    let at = partitions.iter().position(|it| it.1 == one.assignment && it.0 == one.partition);
                    at.map(|at| partitions.swap_remove(at)).is_none()
                });
            }
        }
        self.posts.retain(|post| !matches!(post, GroupEvent::Assigned(assigned) if assigned.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use data::Offset;

    use super::*;

    fn numbered(number: i32) -> Numbered {
        (TopicPartition::new("orders", number), Assignment(number as u64))
    }

    fn assigned(number: i32) -> Assigned {
        let (partition, assignment) = numbered(number);
        Assigned { partition, assignment, position: Offset(0), committed: false, metadata: String::new() }
    }

    #[tokio::test]
    async fn what_was_never_heard_of_is_not_taken_away_either() {
        let mailbox = Mailbox::default();
        mailbox.post(Announcement::Assigned(vec![assigned(0), assigned(1)]));
        mailbox.post(Announcement::Lost(vec![numbered(0)]));
        assert!(matches!(mailbox.next().await, Ok(GroupEvent::Assigned(left)) if left == [assigned(1)]));
        mailbox.end(Ok(()));
        assert!(matches!(mailbox.next().await, Err(Ok(()))));
    }

    #[tokio::test]
    async fn a_revocation_of_the_unheard_is_done_at_once() {
        let mailbox = Mailbox::default();
        mailbox.post(Announcement::Assigned(vec![assigned(0)]));
        let partitions = vec![numbered(0)];
        let done = mailbox.post(Announcement::Revoked { number: 1, partitions }).unwrap();
        done.await.ok();
    }

    #[tokio::test]
    async fn a_revocation_that_comes_too_late_becomes_a_loss() {
        let mailbox = Mailbox::default();
        let partitions = vec![numbered(0), numbered(1)];
        let done = mailbox.post(Announcement::Revoked { number: 1, partitions: partitions.clone() }).unwrap();
        mailbox.post(Announcement::Lost(partitions.clone()));
        done.await.ok();
        assert!(matches!(mailbox.next().await, Ok(GroupEvent::Lost(lost)) if lost == partitions));
    }

    #[tokio::test]
    async fn a_task_that_never_asks_does_not_make_it_grow() {
        let mailbox = Mailbox::default();
        for number in 0..1000 {
            mailbox.post(Announcement::Assigned(vec![assigned(number)]));
            mailbox.post(Announcement::Lost(vec![numbered(number)]));
        }
        assert!(mailbox.state().posts.is_empty());
    }
}
