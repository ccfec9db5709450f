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

    /// Forgets a group that was opened for a record that could not be stored.
    fn forget(&mut self, opened: GroupIndex) {
        self.groups.retain(|_, group| *group != opened);
        self.recent.retain(|(_, group)| *group != opened);
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
    /// If the last record opened a group, what it put aside.
    before: Option<Before>,
}

/// What held before a group was opened.
#[derive(Debug)]
struct Before {
    head: Option<Head>,
    count: u32,
}

impl PartitionRoute {
    pub(super) fn new(naming: ObjectNaming) -> Self {
        Self { names: Names::new(naming), head: None, count: 0, before: None }
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
            self.before = None;
            return Ok(Routed::Group(group));
        }
        let offset = match &self.head {
            Some(head) if !limited => head.offset,
            _ => record.offset,
        };
        self.names.write(partition, offset, "", &bucket, record, now_millis)?;
        let closes = if limited && self.head.is_some() { Some(GroupIndex(self.names.opened - 1)) } else { None };
        let (name, group) = self.names.open();
        let aside = if limited { self.head.take() } else { None };
        self.before = Some(Before { head: aside, count: self.count });
        self.count = u32::from(limited);
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
            self.before = None;
            return Ok(Routed::Group(group));
        }
        self.miss(partition, record, millis, now_millis)
    }

    fn undo(&mut self) {
        let Some(before) = self.before.take() else {
            self.count -= u32::from(self.names.is_limited());
            return;
        };
        self.names.opened -= 1;
        self.count = before.count;
        if self.names.is_limited() {
            self.head = before.head;
        } else if let Some(head) = &mut self.head {
            head.forget(GroupIndex(self.names.opened));
            if head.groups.is_empty() {
                self.head = None;
            }
        }
    }

    fn cut(&mut self) {
        self.head = None;
        self.count = 0;
        self.before = None;
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
    /// How many records each group has.
    records: Vec<u32>,
    /// The groups by name; only where two keys can share one.
    by_name: Option<HashMap<ObjectName, GroupIndex>>,
    last: Last,
}

/// What the last record did.
#[derive(Debug)]
enum Last {
    /// It went to a group that its key led to before.
    Joined(GroupIndex),
    /// Its key leads to a group that it did not lead to before.
    Led {
        group: GroupIndex,
        /// Whether the group is new; if not, another key led there before.
        opened: bool,
        /// The key's head before, if the record became the head in its place.
        replaced: Option<Head>,
    },
}

impl PartitionKeyRoute {
    pub(super) fn new(naming: ObjectNaming, keys: Converter) -> Self {
        let by_name = naming.may_share_names().then(HashMap::new);
        Self {
            names: Names::new(naming),
            keys,
            scratch: ConverterScratch::default(),
            key: String::new(),
            heads: HashMap::new(),
            records: Vec::new(),
            by_name,
            last: Last::Joined(GroupIndex(0)),
        }
    }

    fn joined(&mut self, group: GroupIndex) -> Routed {
        let records = &mut self.records[group.0 as usize];
        *records = records.saturating_add(1);
        self.last = Last::Joined(group);
        Routed::Group(group)
    }

    fn is_full(&self, group: GroupIndex) -> bool {
        self.records[group.0 as usize] >= self.names.limit
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
        let replaced = if limited { self.heads.remove(self.key.as_str()) } else { None };
        // Under a limit the old head's group gets no record any more, unless another key shares it.
        let closes = replaced
            .as_ref()
            .filter(|_| self.by_name.is_none())
            .and_then(|head| head.recent.first().map(|(_, group)| *group));
        let known = self.by_name.as_ref().and_then(|groups| groups.get(self.names.name.as_str()).copied());
        let group = known.unwrap_or(GroupIndex(self.names.opened));
        self.heads.entry(self.key.as_str().into()).or_insert_with(|| Head::new(offset)).remember(bucket, group);
        let led = Last::Led { group, opened: known.is_none(), replaced };
        if let Some(group) = known {
            let routed = self.joined(group);
            self.last = led;
            return Ok(routed);
        }
        self.last = led;
        let (name, group) = self.names.open();
        if let Some(groups) = &mut self.by_name {
            groups.insert(Arc::clone(&name), group);
        }
        self.records.push(1);
        Ok(Routed::Open { name, closes })
    }

    fn undo(&mut self) {
        match std::mem::replace(&mut self.last, Last::Joined(GroupIndex(0))) {
            Last::Joined(group) => self.records[group.0 as usize] -= 1,
            Last::Led { group, opened, replaced } => {
                if opened {
                    self.names.opened -= 1;
                    self.records.pop();
                    if let Some(groups) = &mut self.by_name {
                        groups.remove(self.names.name.as_str());
                    }
                } else {
                    self.records[group.0 as usize] -= 1;
                }
                // `key` is still that of the last record.
                let key = self.key.as_str();
                if let Some(head) = self.heads.get_mut(key) {
                    head.forget(group);
                    if head.groups.is_empty() {
                        self.heads.remove(key);
                    }
                }
                if let Some(head) = replaced {
                    self.heads.insert(key.into(), head);
                }
            }
        }
    }

    fn cut(&mut self) {
        self.names.opened = 0;
        // Not `clear`: one cut with a million keys would hold its tables for ever.
        self.records = Vec::new();
        self.heads = HashMap::with_capacity(self.heads.len().min(1024));
        if let Some(groups) = &mut self.by_name {
            *groups = HashMap::new();
        }
    }
}
