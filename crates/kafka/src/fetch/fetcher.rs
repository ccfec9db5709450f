use std::sync::Arc;

use data::{Offset, TopicPartition};
use tokio::task::JoinHandle;
use transit::{Assignment, Budget, FETCH_SHARE, Fetched};

use super::partitions::{Partitions, Progress};
use super::{FetchError, FetchOptions, upkeep};
use crate::cluster::Cluster;
use crate::records::FetchedRecords;

/// The least that a request asks for by itself.
pub(super) const LEAST_REQUEST: usize = 256 << 10;
/// Java's `fetch.max.bytes`.
const MOST_REQUEST: usize = 50 << 20;
/// How many of the largest responses the share of fetched records has room for. With the default budget a response is 4 MiB:
/// four times the longest batch of most producers, and 15 % less CPU time a byte than 12 MiB, which leave the processor's cache
/// before they are decoded (`bench/run raw`).
const RESPONSES_IN_SHARE: usize = 24;

/// Fetches the records of the partitions that it is given. Dropping it ends all its tasks.
#[derive(Debug)]
pub struct Fetcher {
    partitions: Arc<Partitions>,
    cluster: Cluster,
    upkeep: JoinHandle<()>,
}

/// What a fetcher hands over.
#[derive(Debug)]
pub enum Delivery {
    /// Record batches of one partition, in order and without a gap since the last ones (but for offsets that are gone,
    /// which is logged as an error).
    Records(FetchedRecords),
    /// The log was cut back or made anew, so that offsets begin to mean other records: the partition has been removed, and
    /// is to be taken up again at `at` under another assignment.
    Rewound {
        /// Which partition.
        partition: TopicPartition,
        /// Under which assignment it was read.
        assignment: Assignment,
        /// Where its log goes on: its end, or, if it is another log, by `auto.offset.reset`.
        at: Offset,
        /// Whether it is another log for all that is known, so that what lies below `at` is not what was read there.
        anew: bool,
    },
}

impl Delivery {
    /// The partition that it is about.
    pub fn partition(&self) -> &TopicPartition {
        match self {
            Self::Records(records) => records.partition(),
            Self::Rewound { partition, .. } => partition,
        }
    }
}

/// Tells how far a fetcher's partitions are. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Gauge(Arc<Partitions>);

impl Gauge {
    /// Each partition that is being fetched.
    pub fn progress(&self) -> Vec<Progress> {
        self.0.progress()
    }
}

impl Fetcher {
    /// Starts with no partition. `cluster` should be this fetcher's own: a long poll holds up whatever else goes through
    /// its connections for fetching.
    pub fn start(cluster: Cluster, options: FetchOptions, budget: &Budget) -> Self {
        let share = Budget::new((budget.limit() as f64 * FETCH_SHARE) as usize);
        let most = options.max_bytes.unwrap_or_else(|| (share.limit() / RESPONSES_IN_SHARE).min(MOST_REQUEST));
        let partitions = Arc::new(Partitions::new(options, most.clamp(LEAST_REQUEST, i32::MAX as usize)));
        let upkeep = tokio::spawn(upkeep::run(partitions.clone(), cluster.clone(), budget.clone(), share));
        Self { partitions, cluster, upkeep }
    }

    /// Begins to fetch `partition` at `at`. One that is being fetched already begins again.
    pub fn add(&self, partition: TopicPartition, assignment: Assignment, at: Offset) {
        self.partitions.add(partition, assignment, at, self.cluster.retry_backoff());
    }

    /// Ends the fetching of `partition`. Nothing of it is handed over after this returns.
    pub fn remove(&self, partition: &TopicPartition) {
        self.partitions.remove(partition);
    }

    /// Waits for what comes next. Cancel safe. An error ends the fetcher: every further call has the same.
    pub async fn next(&mut self) -> Result<Delivery, FetchError> {
        let partitions = self.partitions.clone();
        loop {
            let ready = partitions.ready.notified();
            tokio::pin!(ready);
            ready.as_mut().enable();
            if let Some(delivery) = partitions.take()? {
                return Ok(delivery);
            }
            ready.await;
        }
    }

    /// A view of its progress, for metrics.
    pub fn gauge(&self) -> Gauge {
        Gauge(self.partitions.clone())
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        self.upkeep.abort();
        // A gauge may outlive us; the records must not.
        self.partitions.clear();
    }
}
