use std::collections::{HashMap, VecDeque};

use data::{Offset, TopicPartition};
use fault::Fault;

use super::TaskError;
use crate::dead_letter::DeadLetter;
use crate::lane::Core;
use crate::mend::Mend;
use crate::upload::Upload;
use crate::{Assignment, ObjectName, Permit, Sink, Span};

/// The half of a lane that the loop owns: what it has read, and what is under way.
pub(super) struct Lane<F, K: Sink> {
    /// Not here while a job runs.
    pub(super) core: Option<Core>,
    pub(super) members: HashMap<TopicPartition, Member>,
    pub(super) queue: VecDeque<F>,
    pub(super) uploads: Vec<OpenObject<K>>,
    pub(super) letters: Vec<DeadLetter>,
    pub(super) memory: Permit,
    pub(super) records: u64,
    pub(super) encoded_bytes: u64,
    pub(super) cut_wanted: bool,
    pub(super) sealing: bool,
    pub(super) cutting: Option<Vec<Span>>,
    /// How many records that cut holds.
    pub(super) cut_records: u64,
    pub(super) squeezed: bool,
    /// A torn cut to be mended before anything else: until its end is reached nothing is cut, and behind it nothing read.
    pub(super) mend: Option<Box<Mend>>,
}

/// A partition of a lane.
pub(super) struct Member {
    pub(super) assignment: Assignment,
    /// The committed offset: where the open objects' records begin.
    pub(super) from: Offset,
    pub(super) position: Offset,
    /// Whether records of it are with the job that runs.
    pub(super) at_work: bool,
    pub(super) leaving: bool,
}

/// An object that its records go to.
pub(super) struct OpenObject<K: Sink> {
    pub(super) name: ObjectName,
    /// It is visible already, and only made again to find out what belongs into the others.
    pub(super) stands: bool,
    pub(super) upload: Option<Upload<K>>,
}

impl<F, K: Sink> Lane<F, K> {
    /// Whether there is anything to cut.
    pub(super) fn has_progress(&self) -> bool {
        !self.letters.is_empty() || self.members.values().any(|member| member.position > member.from)
    }

    /// Whether nothing is open, queued or under way.
    pub(super) fn is_settled(&self) -> bool {
        self.core.is_some() && self.cutting.is_none() && !self.sealing && !self.has_progress()
    }

    /// Whether what was read again is what the torn cut was made of.
    pub(super) fn may_mend(&self, mend: &Mend) -> Result<(), TaskError> {
        let names = self.uploads.iter().map(|open| &open.name);
        mend.check(names, self.records).map_err(|why| {
            let (partition, _) = self.members.iter().next().expect("a lane has members");
            Fault::new(mend.torn(partition, why)).into()
        })
    }

    pub(super) fn take_back(&mut self, core: Core) {
        let letters: usize = self.letters.iter().map(DeadLetter::size).sum();
        self.memory.resize(core.memory() + letters);
        self.core = Some(core);
    }
}
