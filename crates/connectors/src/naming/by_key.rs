use std::collections::HashMap;
use std::sync::Arc;

use data::{Converter, ConverterScratch, RecordFault, RecordView, TopicPartition};
use transit::{GroupIndex, ObjectName, Route, Routed};

use crate::naming::{CalendarTime, ObjectNaming};

/// Groups by key: one object a name, of which the last record stays.
#[derive(Debug)]
pub(super) struct KeyRoute {
    naming: ObjectNaming,
    keys: Converter,
    scratch: ConverterScratch,
    groups: HashMap<ObjectName, GroupIndex>,
    key: String,
    name: String,
    /// Whether the last record opened the group called `name`.
    opened: bool,
}

impl KeyRoute {
    pub(super) fn new(naming: ObjectNaming, keys: Converter) -> Self {
        Self {
            naming,
            keys,
            scratch: ConverterScratch::default(),
            groups: HashMap::new(),
            key: String::new(),
            name: String::new(),
            opened: false,
        }
    }
}

impl Route for KeyRoute {
    fn route(
        &mut self,
        partition: &TopicPartition,
        record: &RecordView<'_>,
        now_millis: i64,
    ) -> Result<Routed, RecordFault> {
        self.key.clear();
        self.keys.key_text_with(record.key, &mut self.key, &mut self.scratch)?;
        self.name.clear();
        let no_time = CalendarTime::default();
        self.naming.write_name(partition, record.offset, &self.key, no_time, 0, now_millis, &mut self.name);
        if let Some(group) = self.groups.get(self.name.as_str()) {
            self.opened = false;
            return Ok(Routed::Replace(*group));
        }
        ObjectNaming::check_name(&self.name)?;
        let name = ObjectName::from(self.name.as_str());
        self.groups.insert(Arc::clone(&name), GroupIndex(self.groups.len() as u32));
        self.opened = true;
        Ok(Routed::Open { name, closes: None })
    }

    fn undo(&mut self) {
        if std::mem::take(&mut self.opened) {
            self.groups.remove(self.name.as_str());
        }
    }

    fn cut(&mut self) {
        self.opened = false;
        // Not `clear`: one cut with a million keys would hold its table for ever.
        self.groups = HashMap::with_capacity(self.groups.len().min(1024));
    }
}
