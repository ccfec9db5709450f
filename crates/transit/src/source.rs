use std::sync::Arc;

use fault::Fault;
use tokio::sync::oneshot;

use crate::{Arena, Assignment, Offset, TopicPartition};

/// Where records come from. Back-pressure is not calling [`Source::next`].
///
/// A source keeps its membership alive by itself, in the background: nobody has to call it in time.
pub trait Source: Send + 'static {
    /// Record batches of one partition as they were fetched.
    type Fetched: Fetched;
    /// The one place where an offset leaves the process.
    type Committer: Committer;

    /// A handle that commits for this source's group. Cloning shares it.
    fn committer(&self) -> Self::Committer;

    /// Waits for the next event. Cancel safe: a dropped call loses nothing.
    ///
    /// An error ends the source; what can be retried is retried inside.
    fn next(&mut self) -> impl Future<Output = Result<SourceEvent<Self::Fetched>, Fault>> + Send;

    /// Begins reading an assigned partition at `at`. A partition is silent until this is called, so that its unfinished
    /// intent can be resolved first. Called again, it goes on at another offset, and hands over nothing of what it had
    /// fetched before. Ignored for an assignment that is over.
    fn resume(&mut self, partition: &TopicPartition, assignment: Assignment, at: Offset);

    /// Ends the membership in good order. To be called after the last commit.
    fn leave(self) -> impl Future<Output = ()> + Send;
}

/// What happens at a source.
#[derive(Debug)]
pub enum SourceEvent<F> {
    /// These partitions are ours now; each is silent until [`Source::resume`].
    Assigned(Vec<Assigned>),
    /// Records of an assigned partition, in order and without a gap since the last ones.
    Fetched(F),
    /// These partitions are to be given up; the rebalance waits until the value is dropped (or its patience ends).
    /// Nothing of them is fetched any more.
    Revoked(Revoked),
    /// These assignments are over already: nothing of them can be committed.
    Lost(Vec<(TopicPartition, Assignment)>),
}

/// A partition that has become ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// Which.
    pub partition: TopicPartition,
    /// The number of this stay; every commit for it must name it.
    pub assignment: Assignment,
    /// Where to go on: the group's committed offset, else by `auto.offset.reset`.
    pub position: Offset,
    /// Whether `position` is a committed offset.
    pub committed: bool,
    /// What stands beside the committed offset; empty if nothing does.
    pub metadata: String,
}

/// Partitions to give up. Dropping it lets the rebalance go on.
#[derive(Debug)]
pub struct Revoked {
    /// Which.
    pub partitions: Vec<(TopicPartition, Assignment)>,
    done: Option<oneshot::Sender<()>>,
}

impl Revoked {
    /// A revocation, and what tells that it was dealt with: the receiver ends when the value is dropped.
    pub fn new(partitions: Vec<(TopicPartition, Assignment)>) -> (Self, oneshot::Receiver<()>) {
        let (done, waiter) = oneshot::channel();
        (Self { partitions, done: Some(done) }, waiter)
    }
}

impl Drop for Revoked {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            // The source may have lost patience; then nobody waits.
            done.send(()).ok();
        }
    }
}

/// Record batches of one partition as they were fetched: opened one at a time, on whichever thread encodes them.
pub trait Fetched: Send + 'static {
    /// Whose records.
    fn partition(&self) -> &TopicPartition;
    /// Under which assignment they were fetched.
    fn assignment(&self) -> Assignment;
    /// Where reading goes on after all of them; at least the offset after the last record, more if there is a gap
    /// (control records, aborted or compacted ones).
    fn next_offset(&self) -> Offset;
    /// The bytes that they hold in memory (charged to the budget until this value is dropped).
    fn size(&self) -> usize;

    /// Puts the records of the next record batch into `arena` (cleared first). False when there is no further one; true
    /// with an empty arena is possible (a batch of only control or aborted records).
    fn decode(&mut self, arena: &mut Arena) -> Result<bool, PoisonBatch>;
}

/// A record batch that cannot be read. Its records cannot be told apart, so it is tolerated or refused whole; a further
/// [`Fetched::decode`] goes on behind it.
#[derive(Debug, thiserror::Error)]
#[error("record batch of {partition} at offsets {first} to {last} cannot be read: {reason}")]
pub struct PoisonBatch {
    /// Whose batch.
    pub partition: TopicPartition,
    /// Its first offset.
    pub first: Offset,
    /// Its last offset.
    pub last: Offset,
    /// What is wrong with it: `crc32c is 0x1f, its header says 0x2e`.
    pub reason: String,
}

/// The one place where an offset leaves the process. Requests of many lanes may share one request on the wire.
pub trait Committer: Clone + Send + Sync + 'static {
    /// Commits all of `commits` in one request, or none: an object may hold records of several partitions, and its
    /// intent must stand beside all of them or none. Each goes under the member id and epoch of its own assignment,
    /// never of "the current one"; if one of the assignments is over, or they are not under one epoch, nothing is sent.
    /// Retries by itself what can be retried *under the same epoch*. Calls of several lanes may share a request.
    ///
    /// An error means that nothing is known of the outcome and nothing more can be learnt (the source is closing).
    fn commit(&self, commits: Vec<Commit>) -> impl Future<Output = Result<CommitOutcome, Fault>> + Send;
}

/// An offset and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// For which partition.
    pub partition: TopicPartition,
    /// Under which assignment the cut was made.
    pub assignment: Assignment,
    /// Where the next owner goes on.
    pub offset: Offset,
    /// An intent, or empty. At most 3,500 bytes (the broker's default limit is 4,096).
    pub metadata: Arc<str>,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOutcome {
    /// All of it is durable.
    Done,
    /// An assignment is over (the group has moved on), and nothing of it is durable. None of it may ever be sent again.
    Fenced,
    /// An assignment is over, and whether this is durable is not known: it was sent, and the answer was lost. The next
    /// owner finds out. None of it may ever be sent again.
    Unknown,
    /// The broker refuses it for a reason that no rebalance mends: `GROUP_AUTHORIZATION_FAILED`, metadata too large.
    Refused {
        /// Kafka's name of the error.
        code: String,
    },
}
