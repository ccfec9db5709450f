use std::collections::HashMap;
use std::sync::Arc;

use data::{Converter, ConverterScratch, Offset, RecordFault, RecordView, TopicPartition};
use transit::{GroupIndex, ObjectName, Route, Routed};

use crate::naming::calendar::Bucket;
use crate::naming::{CalendarTime, ObjectNaming};

/// How many time buckets of one head are remembered by their bounds; more are found by what they show. Records of one
/// partition alternate between the hour that ends and the one that begins, rarely between more.
const BUCKETS: usize = 4;

/// The groups of one head record: a single one, or one a time bucket.
///
/// Upstream makes the name anew for every record, from the head's offset and the record's time, and looks the name up.
/// Here equal names are found by comparing integers: the head is the same, so the name differs by its time alone.
#[derive(Debug)]
struct Head {
    offset: Offset,
    recent: Vec<(Bucket, GroupIndex)>,
    groups: HashMap<CalendarTime, GroupIndex>,
}

impl Head {
    fn new(offset: Offset) -> Self {
        Self { offset, recent: Vec::new(), groups: HashMap::new() }
    }

    /// The group whose bucket surely holds an instant. `None` says nothing.
    #[inline]
    fn recent(&self, millis: i64) -> Option<GroupIndex> {
        self.recent.iter().find(|(bucket, _)| bucket.holds(millis)).map(|(_, group)| *group)
    }

    fn remember(&mut self, bucket: Bucket, group: GroupIndex) {
        self.groups.insert(bucket.shown, group);
        if self.recent.len() == BUCKETS {
            self.recent.pop();
        }
        self.recent.insert(0, (bucket, group));
    }
}

/// What is common to the two groupings by partition.
#[derive(Debug)]
struct Names {
    naming: ObjectNaming,
    timed: bool,
    limit: u32,
    opened: u32,
    name: String,
}

impl Names {
    fn new(naming: ObjectNaming) -> Self {
        let (timed, limit) = (naming.has_time(), naming.max_records().unwrap_or(u32::MAX));
        Self { naming, timed, limit, opened: 0, name: String::new() }
    }

    fn is_limited(&self) -> bool {
        self.limit != u32::MAX
    }

    /// The time that tells buckets apart; always the same one if no bucket is told apart.
    fn time(&self, record: &RecordView<'_>, now_millis: i64) -> Result<i64, RecordFault> {
        if self.timed { self.naming.time_of(record, now_millis) } else { Ok(0) }
    }

    fn bucket(&self, millis: i64) -> Bucket {
        let spec = &self.naming.0;
        if self.timed { Bucket::around(&spec.zone, spec.name.units(), millis) } else { Bucket::always() }
    }

    /// Prints the name of a group of `head` that begins with `record`, into `self.name`.
    fn write(
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

    fn open(&mut self) -> (ObjectName, GroupIndex) {
        let group = GroupIndex(self.opened);
        self.opened += 1;
        (ObjectName::from(self.name.as_str()), group)
    }
}

/// Groups all records of a partition, by time if the name shows one.
///
/// Without a limit the head is the first record of the cut, and each bucket of time is a group beside the others. With
/// a limit a record that finds no group, or a full one, becomes the head itself: then there is one group at a time.
#[derive(Debug)]
pub(super) struct PartitionRoute {
    names: Names,
    head: Option<Head>,
    /// Records in the newest group; counted only under a limit.
    count: u32,
}

impl PartitionRoute {
    pub(super) fn new(naming: ObjectNaming) -> Self {
        Self { names: Names::new(naming), head: None, count: 0 }
    }

    #[cold]
    fn miss(
        &mut self,
        partition: &TopicPartition,
        record: &RecordView<'_>,
        millis: i64,
        now_millis: i64,
    ) -> Result<Routed, RecordFault> {
        let bucket = self.names.bucket(millis);
        let limited = self.names.is_limited();
        if let Some(head) = &mut self.head
            && let Some(&group) = head.groups.get(&bucket.shown)
            && self.count < self.names.limit
        {
            head.remember(bucket, group);
            self.count += u32::from(limited);
            return Ok(Routed::Group(group));
        }
        let offset = match &self.head {
            Some(head) if !limited => head.offset,
            _ => record.offset,
        };
        self.names.write(partition, offset, "", &bucket, record, now_millis)?;
        let closes = if limited && self.head.is_some() { Some(GroupIndex(self.names.opened - 1)) } else { None };
        let (name, group) = self.names.open();
        if limited {
            self.head = None;
            self.count = 1;
        }
        self.head.get_or_insert_with(|| Head::new(offset)).remember(bucket, group);
        Ok(Routed::Open { name, closes })
    }
}

impl Route for PartitionRoute {
    #[inline]
    fn route(
        &mut self,
        partition: &TopicPartition,
        record: &RecordView<'_>,
        now_millis: i64,
    ) -> Result<Routed, RecordFault> {
        let millis = self.names.time(record, now_millis)?;
        if let Some(head) = &self.head
            && let Some(group) = head.recent(millis)
            && self.count < self.names.limit
        {
            self.count += u32::from(self.names.is_limited());
            return Ok(Routed::Group(group));
        }
        self.miss(partition, record, millis, now_millis)
    }

    fn cut(&mut self) {
        self.head = None;
        self.count = 0;
        self.names.opened = 0;
    }
}

/// Groups the records of a partition by key, and by time if the name shows one.
#[derive(Debug)]
pub(super) struct PartitionKeyRoute {
    names: Names,
    keys: Converter,
    scratch: ConverterScratch,
    key: String,
    heads: HashMap<Box<str>, Head>,
    groups: Vec<Group>,
    by_name: HashMap<ObjectName, GroupIndex>,
}

/// What is known of a group that keys lead to.
#[derive(Debug)]
struct Group {
    records: u32,
    /// Keys that print alike beside a neighbouring number ("a1" + "2", "a" + "12") share a name and so a group.
    shared: bool,
}

impl PartitionKeyRoute {
    pub(super) fn new(naming: ObjectNaming, keys: Converter) -> Self {
        Self {
            names: Names::new(naming),
            keys,
            scratch: ConverterScratch::default(),
            key: String::new(),
            heads: HashMap::new(),
            groups: Vec::new(),
            by_name: HashMap::new(),
        }
    }

    fn joined(&mut self, group: GroupIndex) -> Routed {
        let records = &mut self.groups[group.0 as usize].records;
        *records = records.saturating_add(1);
        Routed::Group(group)
    }

    fn is_full(&self, group: GroupIndex) -> bool {
        self.groups[group.0 as usize].records >= self.names.limit
    }
}

impl Route for PartitionKeyRoute {
    fn route(
        &mut self,
        partition: &TopicPartition,
        record: &RecordView<'_>,
        now_millis: i64,
    ) -> Result<Routed, RecordFault> {
        let millis = self.names.time(record, now_millis)?;
        self.key.clear();
        self.keys.key_text_with(record.key, &mut self.key, &mut self.scratch)?;
        let head = self.heads.get(self.key.as_str());
        if let Some(group) = head.and_then(|head| head.recent(millis))
            && !self.is_full(group)
        {
            return Ok(self.joined(group));
        }
        let bucket = self.names.bucket(millis);
        if let Some(&group) = head.and_then(|head| head.groups.get(&bucket.shown))
            && !self.is_full(group)
        {
            if let Some(head) = self.heads.get_mut(self.key.as_str()) {
                head.remember(bucket, group);
            }
            return Ok(self.joined(group));
        }
        let limited = self.names.is_limited();
        let offset = match head {
            Some(head) if !limited => head.offset,
            _ => record.offset,
        };
        let key = std::mem::take(&mut self.key);
        let written = self.names.write(partition, offset, &key, &bucket, record, now_millis);
        self.key = key;
        written?;
        // Under a limit the groups of the old head get no record any more, unless another key shares them.
        let replaced = if limited { self.heads.remove(self.key.as_str()) } else { None };
        let closes = replaced
            .and_then(|head| head.recent.first().map(|(_, group)| *group))
            .filter(|group| !self.groups[group.0 as usize].shared);
        let known = self.by_name.get(self.names.name.as_str()).copied();
        let group = known.unwrap_or(GroupIndex(self.names.opened));
        self.heads.entry(self.key.as_str().into()).or_insert_with(|| Head::new(offset)).remember(bucket, group);
        if let Some(group) = known {
            self.groups[group.0 as usize].shared = true;
            return Ok(self.joined(group));
        }
        let (name, group) = self.names.open();
        self.by_name.insert(Arc::clone(&name), group);
        self.groups.push(Group { records: 1, shared: false });
        Ok(Routed::Open { name, closes })
    }

    fn cut(&mut self) {
        self.names.opened = 0;
        self.groups.clear();
        // Not `clear`: one cut with a million keys would hold its tables for ever.
        self.heads = HashMap::with_capacity(self.heads.len().min(1024));
        self.by_name = HashMap::with_capacity(self.by_name.len().min(1024));
    }
}
