use std::collections::HashMap;
use std::sync::Arc;

use data::{Converter, ConverterScratch, RecordFault, RecordView, TopicPartition};
use transit::{GroupIndex, ObjectName, Route, Routed};

use crate::naming::ObjectNaming;
use crate::naming::head::{Head, Names};

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
        let bucket;
        let mut head = self.heads.get_mut(self.key.as_str());
        if let Some(group) = head.as_ref().and_then(|head| head.recent(millis)) {
            if self.records[group.0 as usize] < self.names.limit {
                return Ok(self.joined(group));
            }
            bucket = self.names.bucket(millis);
        } else {
            bucket = self.names.bucket(millis);
            if let Some(group) = head.as_mut().and_then(|head| head.find(&bucket))
                && self.records[group.0 as usize] < self.names.limit
            {
                return Ok(self.joined(group));
            }
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
        let closes = replaced.as_ref().filter(|_| self.by_name.is_none()).and_then(Head::newest);
        let known = self.by_name.as_ref().and_then(|groups| groups.get(self.names.name.as_str()).copied());
        let group = known.unwrap_or(GroupIndex(self.names.opened));
        self.heads.entry(self.key.as_str().into()).or_insert_with(|| Head::new(offset)).add(bucket, group);
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
                if self.heads.get_mut(key).is_some_and(|head| head.forget(group)) {
                    self.heads.remove(key);
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
