use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data::{Offset, TopicPartition};

/// What a task has done so far, for metrics and the live status. Shared with whoever shows it.
#[derive(Debug, Default)]
pub struct TaskStats {
    /// Records put into objects, published or not: after a failure they are put into others once more.
    pub records: AtomicU64,
    /// Records whose cut is committed.
    pub committed_records: AtomicU64,
    /// Records that could not be used and were passed over (`errors.tolerance` is `all`).
    pub skipped_records: AtomicU64,
    /// Bytes of the record batches as fetched.
    pub fetched_bytes: AtomicU64,
    /// Bytes of encoded records before compression.
    pub encoded_bytes: AtomicU64,
    /// Bytes handed to the sink.
    pub stored_bytes: AtomicU64,
    /// Objects made visible.
    pub objects: AtomicU64,
    /// Cuts committed.
    pub cuts: AtomicU64,
    /// Cuts that ended because their assignment was over.
    pub fenced_cuts: AtomicU64,
    /// Cuts of another owner that were finished from their intent.
    pub recovered_cuts: AtomicU64,
    /// Records that could not be used.
    pub dead_letters: AtomicU64,
    /// Time that cuts took from sealing to commit, in microseconds, all together.
    pub cut_micros: AtomicU64,
    /// The longest of these times, in microseconds.
    pub longest_cut_micros: AtomicU64,
    partitions: Mutex<HashMap<TopicPartition, Held>>,
    topics: Mutex<BTreeSet<Arc<str>>>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    progress: Progress,
    /// Whether its topic is among those that records came from.
    is_known: bool,
}

/// How far a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The next record to take up.
    pub position: Offset,
    /// The committed offset.
    pub committed: Offset,
}

impl TaskStats {
    /// Adds to a counter.
    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn assigned(&self, partition: &TopicPartition, at: Offset) {
        self.lock()
            .insert(partition.clone(), Held { progress: Progress { position: at, committed: at }, is_known: false });
    }

    pub(crate) fn moved(&self, partition: &TopicPartition, position: Offset) {
        if let Some(held) = self.lock().get_mut(partition) {
            if position > held.progress.position && !held.is_known {
                held.is_known = true;
                self.lock_topics().insert(Arc::clone(&partition.topic));
            }
            held.progress.position = position;
        }
    }

    pub(crate) fn committed(&self, partition: &TopicPartition, committed: Offset) {
        if let Some(held) = self.lock().get_mut(partition) {
            held.progress.committed = committed;
        }
    }

    pub(crate) fn removed(&self, partition: &TopicPartition) {
        self.lock().remove(partition);
    }

    /// The task is over, and with it everything that it held.
    pub fn ended(&self) {
        self.lock().clear();
    }

    pub(crate) fn cut_done(&self, records: u64, objects: usize, took: Duration) {
        Self::add(&self.cuts, 1);
        Self::add(&self.committed_records, records);
        Self::add(&self.objects, objects as u64);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Self::add(&self.cut_micros, micros);
        self.longest_cut_micros.fetch_max(micros, Ordering::Relaxed);
    }

    /// How far each assigned partition is.
    pub fn partitions(&self) -> Vec<(TopicPartition, Progress)> {
        self.lock().iter().map(|(partition, held)| (partition.clone(), held.progress)).collect()
    }

    /// The topics that records came from, by name.
    pub fn topics(&self) -> BTreeSet<Arc<str>> {
        self.lock_topics().clone()
    }

    /// Forgets them: those that records come from later are noted anew.
    pub fn forget_topics(&self) {
        let mut partitions = self.lock();
        partitions.values_mut().for_each(|held| held.is_known = false);
        self.lock_topics().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TopicPartition, Held>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_topics(&self) -> std::sync::MutexGuard<'_, BTreeSet<Arc<str>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
