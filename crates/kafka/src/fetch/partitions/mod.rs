//! The partitions of a fetcher, as its tasks share them.

mod partition;
mod stray;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use data::{Offset, TopicPartition};
use kafka_protocol::messages::fetch_response::PartitionData;
use tokio::sync::Notify;
use tokio::time::Instant;
use transit::{Assignment, Fetched};

use super::session::Ask;
use super::{Delivery, FetchError, FetchOptions};
use crate::ErrorCode;
use crate::cluster::Backoff;
use crate::records::{AbortedTransaction, FetchedRecords, Response};

pub use partition::Progress;
pub(super) use partition::ResponsePermits;
use partition::{Handed, Lead, Partition, Place, Standing};

/// Java's `max.partition.fetch.bytes`, and the most that a lone partition may have of a response.
const PARTITION_BYTES: usize = 1 << 20;
const LONE_PARTITION_BYTES: usize = 8 << 20;
/// A partition is not asked for while more than this many of its largest answers are not worked off: one that is being
/// worked on, and one that waits.
const ANSWERS_AHEAD: usize = 2;

/// What the tasks of a fetcher share: the partitions, and what is ready for [`super::Fetcher::next`].
#[derive(Debug)]
pub(super) struct Partitions {
    state: Mutex<State>,
    pub(super) options: FetchOptions,
    pub(super) max_bytes: usize,
    /// Something can be asked for that could not before.
    pub(super) askable: Arc<Notify>,
    /// A partition needs a leader or an offset.
    pub(super) needy: Notify,
    /// Something is ready, or fetching has failed.
    pub(super) ready: Notify,
}

#[derive(Debug, Default)]
struct State {
    partitions: HashMap<TopicPartition, Partition>,
    ready: VecDeque<Delivery>,
    failure: Option<FetchError>,
    /// Counts the answers with records, to see who has waited longest.
    turn: u64,
}

/// What to ask a broker for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Those that waited longest first.
    pub(super) asks: Vec<(TopicPartition, Ask)>,
    /// Whether there are more, which have to work off what they were given.
    pub(super) others_are_behind: bool,
}

impl Partitions {
    pub(super) fn new(options: FetchOptions, max_bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            options,
            max_bytes,
            askable: Arc::default(),
            needy: Notify::new(),
            ready: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }

    // ---- for the fetcher's owner ----

    pub(super) fn add(&self, partition: TopicPartition, assignment: Assignment, at: Offset, backoff: Backoff) {
        let mut state = self.state();
        state.forget_ready(&partition);
        state.partitions.insert(
            partition,
            Partition {
                assignment,
                topic_id: None,
                known: false,
                position: at.0,
                last_epoch: -1,
                standing: Standing::Leaderless { stale: false, not_before: Instant::now() },
                backoff,
                handed: Arc::new(Handed(AtomicUsize::new(0))),
                least_bytes: 0,
                turn: 0,
                high_watermark: -1,
                last_stable: -1,
                log_start: -1,
            },
        );
        drop(state);
        self.needy.notify_one();
    }

    pub(super) fn remove(&self, partition: &TopicPartition) {
        let mut state = self.state();
        state.partitions.remove(partition);
        state.forget_ready(partition);
    }

    /// The next thing that is ready; an error once fetching has failed.
    pub(super) fn take(&self) -> Result<Option<Delivery>, FetchError> {
        let mut state = self.state();
        match state.ready.pop_front() {
            Some(delivery) => Ok(Some(delivery)),
            None => state.failure.clone().map_or(Ok(None), Err),
        }
    }

    pub(super) fn clear(&self) {
        let mut state = self.state();
        state.partitions.clear();
        state.ready.clear();
    }

    pub(super) fn progress(&self) -> Vec<Progress> {
        let known = |offset: i64| Some(Offset(offset)).filter(|offset| offset.0 >= 0);
        let state = self.state();
        let progress = |(name, partition): (&TopicPartition, &Partition)| Progress {
            partition: name.clone(),
            position: Offset(partition.position),
            high_watermark: known(partition.high_watermark),
            last_stable: known(partition.last_stable),
            log_start: known(partition.log_start),
        };
        state.partitions.iter().map(progress).collect()
    }

    pub(super) fn fail(&self, error: FetchError) {
        self.state().failure.get_or_insert(error);
        self.ready.notify_waiters();
    }

    // ---- for the loop of a broker ----

    /// Waits until broker `node` can be asked for something.
    pub(super) async fn until_askable(&self, node: i32) {
        loop {
            let askable = self.askable.notified();
            tokio::pin!(askable);
            askable.as_mut().enable();
            if !self.wanted(node).asks.is_empty() {
                return;
            }
            askable.await;
        }
    }

    pub(super) fn wanted(&self, node: i32) -> Wanted {
        let state = self.state();
        let led = || {
            state.partitions.iter().filter_map(|(name, partition)| match partition.standing {
                Standing::Led(lead) if lead.node == node => Some((name, partition, lead)),
                _ => None,
            })
        };
        let most = self.partition_bytes(led().count());
        let mut wanted: Vec<_> = led()
            .filter(|(_, partition, _)| partition.handed.0.load(Ordering::Relaxed) < most * ANSWERS_AHEAD)
            .collect();
        let others_are_behind = wanted.len() < led().count();
        wanted.sort_by(|(a_name, a, _), (b_name, b, _)| (a.turn, a_name).cmp(&(b.turn, b_name)));
        let ask = |(name, partition, lead): (&TopicPartition, &Partition, Lead)| {
            let ask = Ask {
                topic_id: lead.topic_id,
                offset: partition.position,
                max_bytes: most.max(partition.least_bytes) as i32,
                leader_epoch: lead.epoch,
                last_epoch: partition.last_epoch,
            };
            (name.clone(), ask)
        };
        Wanted { asks: wanted.into_iter().map(ask).collect(), others_are_behind }
    }

    /// How much one partition of `count` may have of a response.
    fn partition_bytes(&self, count: usize) -> usize {
        let most = self.options.partition_max_bytes.unwrap_or_else(|| {
            // In powers of two: a broker is told again whenever it changes.
            let fair = (self.max_bytes / count.max(1)).max(1);
            (1 << fair.ilog2()).clamp(PARTITION_BYTES, LONE_PARTITION_BYTES)
        });
        most.min(self.max_bytes)
    }

    /// Broker `node` could not be asked: its partitions need a look at who leads them now, but not before the pause.
    pub(super) fn lost_broker(&self, node: i32, not_before: Instant) {
        for partition in self.state().partitions.values_mut() {
            if matches!(partition.standing, Standing::Led(lead) if lead.node == node) {
                partition.standing = Standing::Leaderless { stale: true, not_before };
            }
        }
        self.needy.notify_one();
    }

    /// Takes in what a broker answered about one partition to `asked`.
    pub(super) fn answered(
        &self,
        name: &TopicPartition,
        asked: &Ask,
        data: PartitionData,
        permits: &Arc<ResponsePermits>,
    ) {
        let mut state = self.state();
        state.turn += 1;
        let turn = state.turn;
        let Some(partition) = state.partitions.get_mut(name) else { return };
        // Removed and added again, or answered by another broker, or about another log: this is about the past.
        if partition.position != asked.offset || partition.topic_id != Some(asked.topic_id) {
            return;
        }
        if let Err(code) = ErrorCode::check(data.error_code) {
            return self.refused(&mut state, name, code);
        }
        partition.backoff.reset();
        if data.diverging_epoch.epoch >= 0 || data.diverging_epoch.end_offset >= 0 {
            let end = data.diverging_epoch.end_offset;
            return self.diverged(&mut state, name, end, data.diverging_epoch.epoch);
        }
        partition.known = true;
        partition.high_watermark = data.high_watermark;
        partition.last_stable = data.last_stable_offset;
        partition.log_start = data.log_start_offset;
        let aborted = aborted(&data);
        let Some(records) = data.records.filter(|records| !records.is_empty()) else { return };
        let bytes = records.len();
        let limit = asked.max_bytes as usize * ANSWERS_AHEAD;
        partition.handed.0.fetch_add(bytes, Ordering::Relaxed);
        let (handed, askable) = (partition.handed.clone(), self.askable.clone());
        let mut fetched = FetchedRecords::new(Response {
            partition: name.clone(),
            assignment: partition.assignment,
            from: Offset(asked.offset),
            records,
            aborted,
            isolation: self.options.isolation,
            high_watermark: Offset(data.high_watermark),
            batch_limit: self.options.batch_limit,
            held: Arc::new(Place { handed, bytes, limit, askable, _permits: permits.clone() }),
        });
        if fetched.is_empty() {
            // Brokers since 0.10.1 send at least one whole batch (KIP-74); should one not, this ends the waiting.
            partition.least_bytes = (bytes.max(asked.max_bytes as usize) * 2).min(i32::MAX as usize);
            return;
        }
        partition.position = fetched.next_offset().0;
        partition.last_epoch = fetched.leader_epoch();
        partition.turn = turn;
        while let Some(piece) = fetched.split_front(self.options.piece) {
            state.ready.push_back(Delivery::Records(piece));
        }
        state.ready.push_back(Delivery::Records(fetched));
        drop(state);
        self.ready.notify_waiters();
    }

    fn refused(&self, state: &mut State, name: &TopicPartition, code: ErrorCode) {
        let Some(partition) = state.partitions.get_mut(name) else { return };
        let position = Offset(partition.position);
        match code {
            ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
                state.failure.get_or_insert(FetchError::Denied { topic: name.topic.clone() });
                self.ready.notify_waiters();
            }
            ErrorCode::CORRUPT_MESSAGE => {
                state.failure.get_or_insert(FetchError::Corrupt { partition: name.clone(), position });
                self.ready.notify_waiters();
            }
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                partition.standing = Standing::Astray { not_before: Instant::now(), anew: false };
                self.needy.notify_one();
            }
            code => {
                let pause = partition.backoff.next_pause();
                if code.is_stale_metadata() {
                    tracing::debug!(partition = %name, %code, ?pause, "fetching again after a look at who leads it");
                } else {
                    tracing::warn!(partition = %name, %position, %code, ?pause, "fetch refused, trying again");
                }
                partition.standing = Standing::Leaderless { stale: true, not_before: Instant::now() + pause };
                self.needy.notify_one();
            }
        }
    }
}

pub(crate) fn aborted(data: &PartitionData) -> Vec<AbortedTransaction> {
    let aborted = data.aborted_transactions.iter().flatten();
    aborted
        .map(|transaction| AbortedTransaction {
            producer_id: transaction.producer_id.0,
            first_offset: transaction.first_offset,
        })
        .collect()
}

impl State {
    fn forget_ready(&mut self, partition: &TopicPartition) {
        self.ready.retain(|delivery| delivery.partition() != partition);
    }

    /// Ends the partition's stay here: what was read from `at` on, or at all if it is another log, is gone.
    fn rewind(&mut self, name: &TopicPartition, at: i64, anew: bool) {
        self.forget_ready(name);
        if let Some(partition) = self.partitions.remove(name) {
            self.ready.push_back(Delivery::Rewound {
                partition: name.clone(),
                assignment: partition.assignment,
                at: Offset(at),
                anew,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use transit::Budget;

    use super::*;
    use crate::records::tests::encode::Batch;

    fn ask(offset: i64) -> Ask {
        Ask { topic_id: uuid::Uuid::nil(), offset, max_bytes: 1 << 20, leader_epoch: 0, last_epoch: -1 }
    }

    /// Records `from..from + 10` as a broker answers them.
    fn answer(from: i64) -> PartitionData {
        let batch = Batch::of(from, &[&b"value"[..]; 10]);
        PartitionData::default().with_high_watermark(100).with_records(Some(batch.encode().into()))
    }

    #[test]
    fn a_partition_that_goes_back_hands_over_nothing_of_what_was_fetched_before() {
        let partitions = Partitions::new(FetchOptions::default(), 1 << 20);
        let name = TopicPartition::new("t", 0);
        let budget = Budget::new(1 << 20);
        let permits = Arc::new(ResponsePermits { share: budget.charge(0), whole: budget.charge(0) });
        let backoff = || Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
        let add = |at| {
            partitions.add(name.clone(), Assignment(1), Offset(at), backoff());
            // As when its leader is found.
            partitions.state().partitions.get_mut(&name).unwrap().topic_id = Some(uuid::Uuid::nil());
        };
        let take = || match partitions.take().unwrap() {
            Some(Delivery::Records(records)) => Some(records.next_offset()),
            other => other.map(|_| panic!("only records were fetched")),
        };
        add(0);
        partitions.answered(&name, &ask(0), answer(0), &permits);
        partitions.answered(&name, &ask(10), answer(10), &permits);
        assert_eq!(take(), Some(Offset(10)));
        // One answer is ready and one on its way: both are about what comes behind.
        add(5);
        partitions.answered(&name, &ask(20), answer(20), &permits);
        assert_eq!(take(), None);
        partitions.answered(&name, &ask(5), answer(0), &permits);
        assert_eq!(take(), Some(Offset(10)));
        assert_eq!(partitions.progress()[0].position, Offset(10));
    }
}
