use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use data::TopicPartition;
use fault::Fault;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use transit::{Assignment, Commit, CommitOutcome, Committer};

use super::driver::{self, Command};
use super::error::GroupError;
use super::mailbox::{GroupEvent, Mailbox};
use super::options::GroupOptions;
use super::stays::Restart;
use crate::cluster::Cluster;

/// How long leaving may take: one request, after the answer to a commit in flight. After that the coordinator notices by
/// itself when the session ends.
const FAREWELL: Duration = Duration::from_secs(10);
/// Commands that wait for the member. It takes them up at once, so this is only for bursts; a committer waits for room.
const COMMANDS: usize = 64;

/// A membership of a consumer group: what is assigned, and committing it. Fetching is somebody else's business.
///
/// Joins, beats and rejoins by itself in the background. Dropping it ends that without a word to the group, as a crash
/// would; [`Group::leave`] says goodbye.
pub struct Group {
    options: Arc<GroupOptions>,
    commands: mpsc::Sender<Command>,
    mailbox: Arc<Mailbox>,
    task: JoinHandle<()>,
}

impl Group {
    /// Begins to join. Does not wait for it: what cannot be reached yet is tried again and again.
    pub fn join(cluster: Cluster, options: GroupOptions) -> Self {
        let options = Arc::new(options);
        let mailbox = Arc::new(Mailbox::default());
        let (commands, received) = mpsc::channel(COMMANDS);
        let task = tokio::spawn(driver::run(cluster, options.clone(), received, mailbox.clone()).in_current_span());
        Self { options, commands, mailbox, task }
    }

    /// What it was made with.
    pub fn options(&self) -> &Arc<GroupOptions> {
        &self.options
    }

    /// A handle that commits for this member.
    pub fn committer(&self) -> GroupCommitter {
        GroupCommitter { group: self.options.group.clone(), commands: self.commands.clone() }
    }

    /// Waits for the next event. Cancel safe. An error ends the membership; what can be retried is retried inside.
    pub async fn next(&mut self) -> Result<GroupEvent, GroupError> {
        self.mailbox.next().await.map_err(|end| match end {
            Err(error) => error,
            Ok(()) => GroupError::Closed { group: self.options.group.clone() },
        })
    }

    /// Ends the assignment of a partition whose log was cut back or made anew, and begins another:
    /// [`GroupEvent::Rewound`], then [`GroupEvent::Assigned`]. Ignored for an assignment that is over. Cancel safe: a
    /// dropped call may be made again.
    ///
    /// The new one begins as `restart` says, or, if that is not settled and something stands beside the committed offset,
    /// at that offset with what stands beside it. It is then for the caller to see where that leads
    /// ([`Restart::forbids`]), and to call this again with a settled one.
    pub async fn rewound(&self, partition: TopicPartition, assignment: Assignment, restart: Restart) {
        // A member that has ended says so by itself.
        self.commands.send(Command::Rewound { partition, assignment, restart }).await.ok();
    }

    /// Leaves the group, so that the others need not wait for the session to end. Commits that wait are fenced; one in
    /// flight is waited for. Takes 10 s at most.
    pub async fn leave(mut self) {
        let (done, left) = oneshot::channel();
        if self.commands.send(Command::Leave { done }).await.is_ok() {
            // Ends when the driver has dropped its side, and itself.
            tokio::time::timeout(FAREWELL, left).await.ok();
        }
        tokio::time::timeout(Duration::from_secs(1), &mut self.task).await.ok();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("group", &self.options.group).finish_non_exhaustive()
    }
}

/// Commits for a member of a group. Cloning shares it.
#[derive(Debug, Clone)]
pub struct GroupCommitter {
    group: Arc<str>,
    commands: mpsc::Sender<Command>,
}

impl Committer for GroupCommitter {
    async fn commit(&self, entries: Vec<Commit>) -> Result<CommitOutcome, Fault> {
        let closed = || GroupError::Closed { group: self.group.clone() };
        let (reply, outcome) = oneshot::channel();
        self.commands.send(Command::Commit { entries, reply }).await.map_err(|_| closed())?;
        Ok(outcome.await.map_err(|_| closed())?)
    }
}
