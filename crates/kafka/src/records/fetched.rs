use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use transit::{Arena, Assignment, Fetched, Offset, PoisonBatch, TopicPartition};

use super::aborted::{AbortedFilter, AbortedTransaction};
use super::frame::{Frame, Framed};
use super::malformed::Malformed;
use super::{batch, legacy};
use crate::admin::Isolation;

/// The most bytes that one record batch may take once it is decompressed, its index included: 256 MiB.
///
/// Brokers bound the compressed batch (`message.max.bytes`, 1 MiB by default) and not what it becomes. Text compresses 5
/// to 20 times, repeated text a few hundred times, so this leaves honest producers ample room even on brokers set to
/// 8 MiB, and it is the memory that one bad batch can take from a thread.
pub const DEFAULT_BATCH_LIMIT: usize = 256 << 20;

/// Less than any offset.
const BEFORE_ALL: i64 = -1;

/// What a Fetch response says of one partition.
#[derive(Debug)]
pub struct Response {
    /// Whose records.
    pub partition: TopicPartition,
    /// Under which assignment they were asked for.
    pub assignment: Assignment,
    /// The offset that was asked for; records below it are passed over.
    pub from: Offset,
    /// Record batches, the last of which may be cut off.
    pub records: Bytes,
    /// The aborted transactions among them (`read_committed` only).
    pub aborted: Vec<AbortedTransaction>,
    /// Which records count.
    pub isolation: Isolation,
    /// The offset below which all replicas have all records; no record lies at or above it.
    pub high_watermark: Offset,
    /// The most bytes that one batch may take once decompressed; see [`DEFAULT_BATCH_LIMIT`].
    pub batch_limit: usize,
    /// Kept until the records are dropped: a permit of the byte budget, a place in a queue.
    pub held: Held,
}

/// Something that is to be dropped when the last of the records that share it are.
pub type Held = Arc<dyn Any + Send + Sync>;

/// Record batches of one partition, as one Fetch response brought them.
#[derive(Debug)]
pub struct FetchedRecords {
    partition: TopicPartition,
    assignment: Assignment,
    records: Bytes,
    /// Where in `records` the next batch begins.
    at: usize,
    /// The number in front of the batch before.
    previous: i64,
    /// The offset that comes next.
    position: i64,
    next_offset: i64,
    /// Whether all batches end before the offset that was asked for.
    behind: bool,
    leader_epoch: i32,
    isolation: Isolation,
    aborted: AbortedFilter,
    batch_limit: usize,
    held: Held,
}

impl FetchedRecords {
    /// Takes a partition's records over. Looks at the batches' lengths and offsets only.
    pub fn new(response: Response) -> Self {
        let Response { partition, assignment, from, records, aborted, isolation, high_watermark, .. } = response;
        let Measured { end, next_offset, leader_epoch } = measure(&records, from.0, high_watermark.0);
        // Such batches would be asked for for ever.
        let behind = end > 0 && next_offset <= from.0;
        let next_offset = if behind { from.0.saturating_add(1) } else { next_offset };
        Self {
            partition,
            assignment,
            records: records.slice(..end),
            at: 0,
            previous: BEFORE_ALL,
            position: from.0,
            next_offset,
            behind,
            leader_epoch,
            isolation,
            aborted: AbortedFilter::new(aborted),
            batch_limit: response.batch_limit,
            held: response.held,
        }
    }

    /// The offset that decoding goes on from.
    pub fn position(&self) -> Offset {
        Offset(self.position)
    }

    /// The leader epoch of the last batch, -1 if it has none (an old format).
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// Whether it holds no whole batch, so that there is nothing to hand over and reading goes on where it was.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Takes batches of together at least `size` bytes off the front, unless nothing would be left. Both parts together
    /// decode to what the whole would have.
    pub fn split_front(&mut self, size: usize) -> Option<Self> {
        let (mut at, mut previous, mut end) = (self.at, self.previous, self.position);
        let mut aborted = self.aborted.clone();
        while at < self.at + size {
            let Framed::Whole(frame) = Frame::at(&self.records[at..], previous) else { return None };
            if self.isolation == Isolation::ReadCommitted {
                batch::pass_over(&frame, self.batch_limit, &mut aborted);
            }
            (at, previous, end) = (at + frame.bytes.len(), frame.offset, frame.last_offset().saturating_add(1));
        }
        let Framed::Whole(next) = Frame::at(&self.records[at..], previous) else { return None };
        // What lies between two batches counts with the former. Of an old message set only the last offset is known.
        let boundary = if next.magic == 2 { next.offset } else { end.min(next.offset) }.max(self.position);
        let front = Self {
            partition: self.partition.clone(),
            assignment: self.assignment,
            records: self.records.slice(..at),
            at: self.at,
            previous: self.previous,
            position: self.position,
            next_offset: boundary,
            behind: false,
            leader_epoch: self.leader_epoch,
            isolation: self.isolation,
            aborted: std::mem::replace(&mut self.aborted, aborted),
            batch_limit: self.batch_limit,
            held: self.held.clone(),
        };
        (self.records, self.at, self.previous, self.position) = (self.records.slice(at..), 0, previous, boundary);
        Some(front)
    }

    fn poison(&self, first: i64, last: i64, why: &Malformed) -> PoisonBatch {
        PoisonBatch {
            partition: self.partition.clone(),
            first: Offset(first),
            last: Offset(last.max(first)),
            reason: why.to_string(),
        }
    }

    /// The offset at which what lies behind `self.at` begins.
    fn beyond(&self) -> i64 {
        match Frame::at(&self.records[self.at..], self.previous) {
            Framed::Whole(next) => next.offset.min(self.next_offset),
            // The offset that is named for what is lost.
            Framed::Lost(_) => self.next_offset - 1,
            Framed::End => self.next_offset,
        }
    }
}

/// What can be said of a response's bytes from the headers alone.
struct Measured {
    /// How many of the bytes are whole batches.
    end: usize,
    /// The offset after them.
    next_offset: i64,
    leader_epoch: i32,
}

/// Only the last batch's word counts for where it ends: offsets rise from batch to batch.
fn measure(records: &[u8], from: i64, high_watermark: i64) -> Measured {
    let (mut at, mut previous, mut last) = (0, BEFORE_ALL, None);
    loop {
        let framed = Frame::at(&records[at..], previous);
        if let Framed::Whole(frame) = framed {
            at += frame.bytes.len();
            previous = frame.offset;
            last = Some(frame);
            continue;
        }
        let next = last.map_or(from, |frame| {
            let last = frame.last_offset();
            // No record lies at or above the high watermark, so this header lies, and to go on behind what it says
            // could leave records out.
            let lies = high_watermark >= 0 && last >= high_watermark && !sound(&frame);
            from.max(if lies { frame.offset } else { last }.saturating_add(1))
        });
        let leader_epoch = last.map_or(-1, |frame| frame.leader_epoch());
        return match framed {
            // Where the next batch begins, nobody knows; the offset that could not be read is named at least.
            Framed::Lost(_) => Measured { end: records.len(), next_offset: next.saturating_add(1), leader_epoch },
            Framed::End | Framed::Whole(_) => Measured { end: at, next_offset: next, leader_epoch },
        };
    }
}

/// Whether a batch's checksum is right.
fn sound(frame: &Frame<'_>) -> bool {
    frame.magic != 2 || batch::checksum(frame).is_ok()
}

impl Fetched for FetchedRecords {
    fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    fn assignment(&self) -> Assignment {
        self.assignment
    }

    fn next_offset(&self) -> Offset {
        Offset(self.next_offset)
    }

    fn size(&self) -> usize {
        self.records.len() - self.at
    }

    fn decode(&mut self, arena: &mut Arena) -> Result<bool, PoisonBatch> {
        // A second handle, so that the batch can be looked at while what has been read is noted.
        let records = self.records.clone();
        loop {
            arena.clear();
            let frame = match Frame::at(&records[self.at..], self.previous) {
                Framed::End if std::mem::take(&mut self.behind) => {
                    let last = self.next_offset - 1;
                    return Err(self.poison(last, last, &Malformed::Behind));
                }
                Framed::End => return Ok(false),
                Framed::Lost(why) => {
                    let first = std::mem::replace(&mut self.position, self.next_offset);
                    self.at = records.len();
                    return Err(self.poison(first, self.next_offset - 1, &why));
                }
                Framed::Whole(frame) => frame,
            };
            self.at += frame.bytes.len();
            self.previous = frame.offset;
            let (from, room) = (self.position, self.beyond() - 1);
            let last = frame.last_offset().min(room);
            self.position = from.max(last.saturating_add(1));
            let outcome = match frame.magic {
                0 | 1 => legacy::decode(&frame, from, self.batch_limit, arena),
                2 => batch::decode(&frame, from, self.isolation, &mut self.aborted, self.batch_limit, arena),
                magic => Err(Malformed::Magic(magic)),
            };
            // What is named now need not be named again at the end.
            self.behind &= outcome.is_ok();
            match outcome {
                Ok(()) if frame.last_offset() > room => {
                    arena.clear();
                    return Err(self.poison(from, room, &Malformed::Overlap(frame.last_offset(), room)));
                }
                Ok(()) if arena.is_empty() => {}
                Ok(()) => return Ok(true),
                Err(why) => {
                    arena.clear();
                    let first = if frame.magic == 2 { frame.offset.max(from).min(room.max(from)) } else { from };
                    // The header of a damaged batch may say anything, so all up to the next one counts as its.
                    let last = if sound(&frame) { last } else { room };
                    self.position = self.position.max(last.saturating_add(1));
                    return Err(self.poison(first, last, &why));
                }
            }
        }
    }
}
