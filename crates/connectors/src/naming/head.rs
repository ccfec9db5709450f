use std::collections::HashMap;

use data::{Offset, RecordFault, RecordView, TopicPartition};
use transit::{GroupIndex, ObjectName};

use crate::naming::calendar::Bucket;
use crate::naming::zone::Stretch;
use crate::naming::{CalendarTime, ObjectNaming};

/// The groups of one head record: a single one, or one a time bucket.
///
/// Upstream makes the name anew for every record, from the head's offset and the record's time, and looks the name up.
/// Here equal names are found by comparing integers: the head is the same, so the name differs by its time alone.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) offset: Offset,
    /// Where the last record went, and the instants that certainly go there too.
    last: Option<(Bucket, GroupIndex)>,
    /// Every bucket's group; empty if buckets are not told apart.
    groups: HashMap<CalendarTime, GroupIndex>,
}

impl Head {
    pub(super) fn new(offset: Offset) -> Self {
        Self { offset, last: None, groups: HashMap::new() }
    }

    /// The group of the last record, if an instant certainly belongs there. `None` says nothing.
    #[inline]
    pub(super) fn recent(&self, millis: i64) -> Option<GroupIndex> {
        self.last.filter(|(bucket, _)| bucket.holds(millis)).map(|(_, group)| group)
    }

    /// The group of a bucket.
    pub(super) fn find(&mut self, bucket: &Bucket) -> Option<GroupIndex> {
        let group = *self.groups.get(&bucket.shown)?;
        self.last = Some((*bucket, group));
        Some(group)
    }

    pub(super) fn add(&mut self, bucket: Bucket, group: GroupIndex) {
        if bucket != Bucket::always() {
            self.groups.insert(bucket.shown, group);
        }
        self.last = Some((bucket, group));
    }

    /// Forgets a group that was opened for a record that could not be stored. Whether none is left.
    pub(super) fn forget(&mut self, opened: GroupIndex) -> bool {
        self.groups.retain(|_, group| *group != opened);
        self.last = self.last.filter(|(_, group)| *group != opened);
        self.groups.is_empty() && self.last.is_none()
    }

    /// The group that was added or found last. Under a limit there is no other.
    pub(super) fn newest(&self) -> Option<GroupIndex> {
        self.last.map(|(_, group)| group)
    }
}

/// What is common to the two groupings by partition.
#[derive(Debug)]
pub(super) struct Names {
    naming: ObjectNaming,
    timed: bool,
    /// The stretch of the zone's time that the last bucket was in: asking the zone costs more than all the rest.
    stretch: Stretch,
    pub(super) limit: u32,
    pub(super) opened: u32,
    pub(super) name: String,
}

impl Names {
    pub(super) fn new(naming: ObjectNaming) -> Self {
        let (timed, limit) = (naming.has_time(), naming.max_records().unwrap_or(u32::MAX));
        let stretch = Stretch { from: 0, to: 0, offset_seconds: 0 };
        Self { naming, timed, stretch, limit, opened: 0, name: String::new() }
    }

    pub(super) fn is_limited(&self) -> bool {
        self.limit != u32::MAX
    }

    /// The time that tells buckets apart; always the same one if no bucket is told apart.
    pub(super) fn time(&self, record: &RecordView<'_>, now_millis: i64) -> Result<i64, RecordFault> {
        if self.timed { self.naming.time_of(record, now_millis) } else { Ok(0) }
    }

    pub(super) fn bucket(&mut self, millis: i64) -> Bucket {
        if !self.timed {
            return Bucket::always();
        }
        let spec = &self.naming.0;
        if !self.stretch.holds(millis) {
            self.stretch = spec.zone.stretch(millis);
        }
        Bucket::within(&self.stretch, spec.name.units(), millis)
    }

    /// Prints the name of a group of `head` that begins with `record`, into `self.name`.
    pub(super) fn write(
        &mut self,
        partition: &TopicPartition,
        head: Offset,
        key: &str,
        bucket: &Bucket,
        record: &RecordView<'_>,
        now_millis: i64,
    ) -> Result<(), RecordFault> {
        self.name.clear();
        let first_time = self.naming.first_record_time(record, now_millis)?;
        // An object named by its first record begins with this one, whoever the head is.
        let start = if self.naming.0.first_record_name.is_some() { record.offset } else { head };
        self.naming.write_name(partition, start, key, bucket.shown, first_time, now_millis, &mut self.name);
        ObjectNaming::check_name(&self.name)
    }

    pub(super) fn open(&mut self) -> (ObjectName, GroupIndex) {
        let group = GroupIndex(self.opened);
        self.opened += 1;
        (ObjectName::from(self.name.as_str()), group)
    }
}
