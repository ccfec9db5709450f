use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use data::TopicPartition;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Error;
use super::batch::{BatchWriter, Stamp};
use super::delivery::Fate;
use crate::cluster::{self, Backoff};

/// One partition's batches, oldest first.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) partition: TopicPartition,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The last one may be open; those before it are full.
    pub(super) batches: VecDeque<Batch>,
    /// Set while the oldest batch is out of the queue, on its way to the broker.
    pub(super) in_flight: Option<Arc<Fate>>,
    /// Whether the sender has this slot in its list.
    pub(super) listed: bool,
    /// Nothing is taken before this, after a failure.
    pub(super) not_before: Option<Instant>,
    /// The pauses between tries of the first batch, once one has failed.
    pub(super) backoff: Option<Backoff>,
    /// Under which id and epoch the next sequence counts; `None` until the first batch.
    pub(super) identity: Option<Identity>,
    pub(super) next_sequence: i32,
    /// The broker and we no longer agree on the sequence: the next batch comes under a higher epoch.
    pub(super) out_of_step: bool,
}

/// A producer as the broker knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
}

/// Records on their way to one partition.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) writer: BatchWriter,
    pub(super) fate: Arc<Fate>,
    pub(super) created: Instant,
    /// No record is added any more.
    pub(super) closed: bool,
    /// As it was sent before. The stamp must not change while its outcome is unknown.
    pub(super) sealed: Option<(Stamp, Bytes)>,
    pub(super) failures: u32,
    pub(super) last_error: Option<cluster::Error>,
    /// Its share of `buffer.memory`.
    _permit: OwnedSemaphorePermit,
}

impl Batch {
    pub(super) fn new(capacity: usize, partition: &TopicPartition, permit: OwnedSemaphorePermit) -> Self {
        Self {
            writer: BatchWriter::new(capacity),
            fate: Arc::new(Fate::new(partition.clone())),
            created: Instant::now(),
            closed: false,
            sealed: None,
            failures: 0,
            last_error: None,
            _permit: permit,
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // Whoever lets a batch go without a result (a producer that is dropped) says so to those who wait.
        self.fate.settle(Err(Error::Closed));
    }
}

impl Slot {
    pub(super) fn new(partition: TopicPartition) -> Self {
        Self { partition, queue: Mutex::default() }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no code panics while it holds this lock")
    }
}

impl Queue {
    /// The batch that takes another record of at most `size` bytes, if there is one.
    pub(super) fn open(&mut self, size: usize, batch_size: usize) -> Option<&mut Batch> {
        // A batch that is in flight is not in the queue.
        let batch = self.batches.back_mut().filter(|batch| !batch.closed)?;
        if batch.writer.len() + size > batch_size {
            batch.closed = true;
            return None;
        }
        Some(batch)
    }

    /// The stamp of the next batch. Only to be asked for when no earlier batch is unsettled. `None` when the epochs of
    /// `current` are used up: then a new producer id is needed.
    pub(super) fn stamp(&mut self, current: &mut Option<Identity>) -> Option<Stamp> {
        if self.out_of_step && self.identity == *current {
            *current = current.and_then(|identity| {
                let epoch = identity.epoch.checked_add(1)?;
                Some(Identity { epoch, ..identity })
            });
        }
        let identity = (*current)?;
        if self.identity != Some(identity) {
            // Sequences count anew under each epoch.
            self.identity = Some(identity);
            self.next_sequence = 0;
        }
        self.out_of_step = false;
        Some(Stamp { producer_id: identity.producer_id, epoch: identity.epoch, sequence: self.next_sequence })
    }

    /// A batch of `count` records that began at `stamp` is written.
    pub(super) fn advance(&mut self, stamp: Stamp, count: i32) {
        // Behind the highest number comes 0 (`DefaultRecordBatch.incrementSequence`).
        let next = (i64::from(stamp.sequence) + i64::from(count)) % (i64::from(i32::MAX) + 1);
        self.next_sequence = next as i32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Identity = Identity { producer_id: 7, epoch: 0 };

    #[test]
    fn sequences_go_on_and_wrap_to_zero() {
        let mut queue = Queue::default();
        let mut current = Some(FIRST);
        let stamp = queue.stamp(&mut current).unwrap();
        assert_eq!(stamp.sequence, 0);
        queue.advance(stamp, 10);
        assert_eq!(queue.stamp(&mut current).unwrap().sequence, 10);
        queue.advance(Stamp { sequence: i32::MAX - 1, ..stamp }, 2);
        assert_eq!(queue.stamp(&mut current).unwrap().sequence, 0);
    }

    #[test]
    fn a_partition_out_of_step_raises_the_epoch_and_the_others_follow_it() {
        let (mut one, mut other) = (Queue::default(), Queue::default());
        let mut current = Some(FIRST);
        let stamp = one.stamp(&mut current).unwrap();
        one.advance(stamp, 10);
        let stamp = other.stamp(&mut current).unwrap();
        other.advance(stamp, 5);
        one.out_of_step = true;
        other.out_of_step = true;
        let stamp = one.stamp(&mut current).unwrap();
        assert_eq!((stamp.epoch, stamp.sequence), (1, 0));
        // The other one is behind the epoch already, and does not raise it again.
        let stamp = other.stamp(&mut current).unwrap();
        assert_eq!((stamp.epoch, stamp.sequence), (1, 0));
    }

    #[test]
    fn used_up_epochs_ask_for_a_new_producer() {
        let mut queue = Queue { out_of_step: true, ..Queue::default() };
        let last = Some(Identity { producer_id: 7, epoch: i16::MAX });
        queue.identity = last;
        let mut current = last;
        assert_eq!(queue.stamp(&mut current), None);
        assert_eq!(current, None);
    }
}
