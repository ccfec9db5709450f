//! The half of a lane that works on a compute thread: records in, parts of objects out.

use std::sync::Arc;

use bytes::Bytes;
use data::{Offset, RecordFault, RecordView, TopicPartition};
use fault::{Blame, Code, Diagnose, Retry};
use format::{Encode, Scratch};

use crate::compute::Workspace;
use crate::dead_letter::{DeadLetter, Tolerance};
use crate::{Assignment, Fetched, GroupIndex, ObjectName, PoisonBatch, Route, Routed};

/// Makes the encoder of each object of a connector.
pub trait Encoders: Send + Sync + 'static {
    /// An encoder for a new object.
    fn open(&self) -> Box<dyn Encode>;
}

/// The groups that a lane has open, and the rule by which records reach them.
pub(crate) struct Core {
    route: Box<dyn Route>,
    groups: Vec<Group>,
    encoders: Arc<dyn Encoders>,
    settings: Settings,
    /// Records from here on are left alone: they are of another cut.
    until: Option<Offset>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) tolerance: Tolerance,
    /// Output of this many bytes leaves as a part.
    pub(crate) part_size: usize,
}

struct Group {
    name: ObjectName,
    encoder: Box<dyn Encode>,
    records: u64,
    /// Whose records have gone into it.
    partitions: Vec<TopicPartition>,
    /// Nothing more comes; it was finished to free its memory.
    closed: bool,
}

/// What a job asks the loop to do, in order.
#[derive(Debug)]
pub(crate) enum Emit {
    /// The next group has this name.
    Open(ObjectName),
    /// The next part of a group's object.
    Part(GroupIndex, Vec<Bytes>),
    /// Forget the parts of a group: it begins anew.
    Restart(GroupIndex),
    /// Whose records a group holds, all in all.
    Holds(GroupIndex, Vec<TopicPartition>),
}

/// What became of records.
#[derive(Debug, Default)]
pub(crate) struct Worked {
    pub(crate) emitted: Vec<Emit>,
    /// Where each partition is now.
    pub(crate) positions: Vec<(TopicPartition, Assignment, Offset)>,
    pub(crate) letters: Vec<DeadLetter>,
    /// A record that is not tolerated: nothing behind it was taken up.
    pub(crate) failure: Option<RecordFailure>,
    pub(crate) records: u64,
    /// Records that could not be used, and were passed over.
    pub(crate) skipped: u64,
    pub(crate) encoded_bytes: u64,
}

/// A record that cannot be used, where `errors.tolerance` is `none`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("record {offset} of {partition} cannot be used: {fault}")]
pub struct RecordFailure {
    /// Whose record.
    pub partition: TopicPartition,
    /// Which.
    pub offset: Offset,
    /// What is wrong with it.
    pub fault: RecordFault,
}

impl Diagnose for RecordFailure {
    fn code(&self) -> Code {
        "record.unusable"
    }
    fn blame(&self) -> Blame {
        Blame::Operator
    }
    fn retry(&self) -> Retry {
        Retry::Never
    }
    fn hint(&self) -> Option<std::borrow::Cow<'static, str>> {
        Some(
            "set errors.tolerance=all (with errors.deadletterqueue.topic.name to keep such records), or correct the \
             converter; everything before this record is stored and committed"
                .into(),
        )
    }
}

impl Group {
    /// Records of `partition` go into it. (Those that a later record replaces count too: it does no harm.)
    fn note(&mut self, partition: &TopicPartition) {
        if !self.partitions.contains(partition) {
            self.partitions.push(partition.clone());
        }
    }
}

impl Core {
    pub(crate) fn new(route: Box<dyn Route>, encoders: Arc<dyn Encoders>, settings: Settings) -> Self {
        Self { route, groups: Vec::new(), encoders, settings, until: None }
    }

    /// Takes up no record from `until` on, from the next job on.
    pub(crate) fn set_until(&mut self, until: Option<Offset>) {
        self.until = until;
    }

    /// Takes up all records of `fetched`, or those before the first one that is not tolerated.
    pub(crate) fn work<F: Fetched>(&mut self, fetched: Vec<F>, now_millis: i64, workspace: &mut Workspace) -> Worked {
        let mut worked = Worked::default();
        for mut batches in fetched {
            let assignment = batches.assignment();
            let position = self.work_one(&mut batches, now_millis, workspace, &mut worked);
            worked.positions.push((batches.partition().clone(), assignment, position));
            if worked.failure.is_some() || self.until.is_some_and(|until| position >= until) {
                break;
            }
        }
        worked
    }

    /// The position after `batches`, or of the record that failed.
    fn work_one<F: Fetched>(
        &mut self,
        batches: &mut F,
        now_millis: i64,
        workspace: &mut Workspace,
        worked: &mut Worked,
    ) -> Offset {
        let partition = batches.partition().clone();
        let Workspace { arena, scratch } = workspace;
        loop {
            match batches.decode(arena) {
                Ok(false) => return self.within(batches.next_offset()),
                Ok(true) => {}
                Err(poison) if self.until.is_some_and(|until| poison.first >= until) => {
                    return self.within(poison.first);
                }
                Err(poison) => {
                    let (letter, failure) = poisoned(&poison);
                    if self.settings.tolerance.report {
                        worked.letters.push(letter);
                    }
                    if !self.settings.tolerance.tolerate {
                        worked.failure = Some(failure);
                        return poison.first;
                    }
                    continue;
                }
            }
            let mut last = None;
            for record in arena.records() {
                if self.until.is_some_and(|until| record.offset >= until) {
                    if let Some(last) = last {
                        self.emit_part(last, worked);
                    }
                    return self.within(record.offset);
                }
                let group = match self.place(&partition, &record, now_millis, scratch, worked) {
                    Ok(group) => group,
                    Err(fault) => {
                        if self.settings.tolerance.report {
                            worked.letters.push(DeadLetter::new(&partition, &record, fault.clone()));
                        }
                        if self.settings.tolerance.tolerate {
                            worked.skipped += 1;
                            continue;
                        }
                        let partition = partition.clone();
                        worked.failure = Some(RecordFailure { partition, offset: record.offset, fault });
                        return record.offset;
                    }
                };
                worked.records += 1;
                if last != Some(group) {
                    if let Some(last) = last {
                        self.emit_part(last, worked);
                    }
                    last = Some(group);
                    self.groups[group.0 as usize].note(&partition);
                }
            }
            if let Some(last) = last {
                self.emit_part(last, worked);
            }
        }
    }

    /// A position, or the end of what may be taken up.
    fn within(&self, position: Offset) -> Offset {
        self.until.map_or(position, |until| position.min(until))
    }

    /// Puts a record where it belongs; on an error it is nowhere.
    fn place(
        &mut self,
        partition: &TopicPartition,
        record: &RecordView<'_>,
        now_millis: i64,
        scratch: &mut Scratch,
        worked: &mut Worked,
    ) -> Result<GroupIndex, RecordFault> {
        match self.route.route(partition, record, now_millis)? {
            Routed::Group(index) => {
                let group = &mut self.groups[index.0 as usize];
                let before = group.encoder.raw_bytes();
                group.encoder.record(record, scratch).inspect_err(|_| self.route.undo())?;
                group.records += 1;
                worked.encoded_bytes += group.encoder.raw_bytes() - before;
                Ok(index)
            }
            Routed::Open { name, closes } => {
                let mut encoder = self.encoders.open();
                encoder.record(record, scratch).inspect_err(|_| self.route.undo())?;
                worked.encoded_bytes += encoder.raw_bytes();
                if let Some(closed) = closes {
                    self.close(closed, scratch, worked);
                }
                let index = GroupIndex(self.groups.len() as u32);
                self.groups.push(Group {
                    name: Arc::clone(&name),
                    encoder,
                    records: 1,
                    partitions: Vec::new(),
                    closed: false,
                });
                worked.emitted.push(Emit::Open(name));
                Ok(index)
            }
            Routed::Replace(index) => {
                let mut encoder = self.encoders.open();
                encoder.record(record, scratch).inspect_err(|_| self.route.undo())?;
                worked.encoded_bytes += encoder.raw_bytes();
                let group = &mut self.groups[index.0 as usize];
                (group.encoder, group.records) = (encoder, 1);
                worked.emitted.push(Emit::Restart(index));
                Ok(index)
            }
        }
    }

    fn emit_part(&mut self, index: GroupIndex, worked: &mut Worked) {
        let output = self.groups[index.0 as usize].encoder.output();
        if output.len() >= self.settings.part_size {
            worked.emitted.push(Emit::Part(index, output.take()));
        }
    }

    fn close(&mut self, index: GroupIndex, scratch: &mut Scratch, worked: &mut Worked) {
        let group = &mut self.groups[index.0 as usize];
        if !group.closed {
            group.closed = true;
            group.encoder.finish(scratch);
        }
        self.emit_part(index, worked);
    }

    /// Finishes every group. What is emitted is the last part of each that has bytes left.
    pub(crate) fn seal(&mut self, workspace: &mut Workspace) -> Vec<Emit> {
        let mut emitted = Vec::new();
        for (index, group) in self.groups.iter_mut().enumerate() {
            // A group that no record reached makes no object, not even brackets or a gzip header.
            if group.records == 0 {
                continue;
            }
            if !group.closed {
                group.encoder.finish(&mut workspace.scratch);
            }
            let output = group.encoder.output();
            if !output.is_empty() {
                emitted.push(Emit::Part(GroupIndex(index as u32), output.take()));
            }
            emitted.push(Emit::Holds(GroupIndex(index as u32), std::mem::take(&mut group.partitions)));
        }
        self.groups.clear();
        self.route.cut();
        emitted
    }

    /// Compresses what is pending in every group.
    pub(crate) fn squeeze(&mut self, workspace: &mut Workspace) {
        for group in &mut self.groups {
            if !group.closed {
                group.encoder.squeeze(&mut workspace.scratch);
            }
        }
    }

    /// Bytes held by the groups.
    pub(crate) fn memory(&self) -> usize {
        self.groups.iter().map(|group| group.encoder.memory() + group.name.len() + size_of::<Group>()).sum()
    }
}

fn poisoned(poison: &PoisonBatch) -> (DeadLetter, RecordFailure) {
    let fault = RecordFault {
        stage: data::Stage::KafkaConsume,
        class: "org.apache.kafka.clients.consumer.KafkaConsumer",
        exception: "org.apache.kafka.common.errors.CorruptRecordException",
        message: format!(
            "its record batch (offsets {} to {}) cannot be read: {}",
            poison.first, poison.last, poison.reason
        ),
        cause: None,
    };
    let letter = DeadLetter {
        partition: poison.partition.clone(),
        offset: poison.first,
        timestamp: -1,
        key: None,
        value: None,
        headers: Vec::new(),
        fault: fault.clone(),
    };
    (letter, RecordFailure { partition: poison.partition.clone(), offset: poison.first, fault })
}
