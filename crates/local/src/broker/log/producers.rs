use std::collections::{HashMap, VecDeque};

use kafka_protocol::ResponseError;

use super::batch::{Header, Refusal};

/// How many batches back a repetition is recognised. Kafka's number: a producer keeps at most five requests in flight.
const REMEMBERED: usize = 5;

/// Most producers remembered for one partition; the one silent for longest is forgotten first. Kafka forgets by time
/// alone (a day); the embedded broker must not grow with the number of processes that ever wrote to it.
const PRODUCERS_MAX: usize = 4096;

/// What a partition remembers of its idempotent producers, so that a batch sent again is not stored again and a gap is
/// noticed.
#[derive(Debug, Default)]
pub(crate) struct Producers(HashMap<i64, Producer>);

#[derive(Debug)]
struct Producer {
    epoch: i16,
    /// The latest batches, oldest first; never empty.
    batches: VecDeque<Batch>,
}

#[derive(Debug, Clone, Copy)]
struct Batch {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    timestamp: i64,
}

/// A batch that is stored already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duplicate {
    pub(crate) base_offset: i64,
    /// Its greatest timestamp, which is the time of append where the topic has that.
    pub(crate) timestamp: i64,
}

impl Producers {
    /// Whether a valid batch may be appended: in order, not yet there, from the newest epoch of its producer.
    pub(crate) fn check(&self, batch: &Header) -> Result<Option<Duplicate>, Refusal> {
        if batch.producer_id < 0 {
            return Ok(None);
        }
        // An unknown producer may begin anywhere: retention may have removed what it wrote before.
        let Some(producer) = self.0.get(&batch.producer_id) else { return Ok(None) };
        if batch.producer_epoch < producer.epoch {
            return Err(Refusal::new(
                ResponseError::InvalidProducerEpoch,
                format!("producer {} has epoch {}, not {}", batch.producer_id, producer.epoch, batch.producer_epoch),
            ));
        }
        let expected = if batch.producer_epoch > producer.epoch {
            0
        } else {
            let same = |known: &&Batch| {
                known.first_sequence == batch.base_sequence && known.last_sequence == batch.last_sequence()
            };
            if let Some(known) = producer.batches.iter().find(same) {
                return Ok(Some(Duplicate { base_offset: known.base_offset, timestamp: known.timestamp }));
            }
            producer.batches.back().map_or(0, |last| last.last_sequence.wrapping_add(1) & i32::MAX)
        };
        if batch.base_sequence != expected {
            return Err(Refusal::new(
                ResponseError::OutOfOrderSequenceNumber,
                format!("producer {} sent sequence {}, not {expected}", batch.producer_id, batch.base_sequence),
            ));
        }
        Ok(None)
    }

    /// Remembers a batch that was stored at `base_offset`, whose greatest timestamp is `timestamp`.
    pub(crate) fn remember(&mut self, batch: &Header, base_offset: i64, timestamp: i64) {
        if batch.producer_id < 0 {
            return;
        }
        if self.0.len() >= PRODUCERS_MAX && !self.0.contains_key(&batch.producer_id) {
            self.forget_oldest();
        }
        let producer = self
            .0
            .entry(batch.producer_id)
            .or_insert_with(|| Producer { epoch: batch.producer_epoch, batches: VecDeque::new() });
        if producer.epoch != batch.producer_epoch {
            producer.epoch = batch.producer_epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Batch {
            first_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            base_offset,
            timestamp,
        });
    }

    fn forget_oldest(&mut self) {
        let last_offset = |producer: &Producer| producer.batches.back().map_or(i64::MIN, |batch| batch.base_offset);
        if let Some(oldest) = self.0.iter().min_by_key(|(_, producer)| last_offset(producer)).map(|(id, _)| *id) {
            self.0.remove(&oldest);
        }
    }

    /// The greatest producer id seen, so that it is not given out again.
    pub(crate) fn greatest_id(&self) -> Option<i64> {
        self.0.keys().copied().max()
    }
}
