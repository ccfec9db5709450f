use data::{RecordFault, RecordView, TopicPartition};
use transit::{GroupIndex, Route, Routed};

use crate::naming::ObjectNaming;
use crate::naming::head::{Head, Names};

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
            && self.count < self.names.limit
            && let Some(group) = head.find(&bucket)
        {
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
        self.head.get_or_insert_with(|| Head::new(offset)).add(bucket, group);
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
        } else if self.head.as_mut().is_some_and(|head| head.forget(GroupIndex(self.names.opened))) {
            self.head = None;
        }
    }

    fn cut(&mut self) {
        self.head = None;
        self.count = 0;
        self.before = None;
        self.names.opened = 0;
    }
}
