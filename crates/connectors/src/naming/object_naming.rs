use std::sync::Arc;

use data::{Converter, Offset, RecordFault, RecordView, Stage, TopicPartition};
use transit::{Lanes, Route, Router};

use crate::naming::by_key::KeyRoute;
use crate::naming::by_partition::PartitionRoute;
use crate::naming::by_partition_key::PartitionKeyRoute;
use crate::naming::name::NameParts;
use crate::naming::{CalendarTime, Grouping, NamePattern, NameTemplate, Zone};
use crate::plan::TopicSelection;

/// Where the time in a name comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimestampSource {
    /// The time of day at which the record was taken up.
    #[default]
    Wallclock,
    /// The record's own timestamp.
    Event,
}

impl TimestampSource {
    /// Reads a configured value, in any case.
    pub fn of(text: &str) -> Option<Self> {
        [Self::Wallclock, Self::Event].into_iter().find(|source| source.name().eq_ignore_ascii_case(text))
    }

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wallclock => "WALLCLOCK",
            Self::Event => "EVENT",
        }
    }
}

/// How records are grouped and objects are named: plain data, from a connector's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamingSpec {
    /// By what records are grouped.
    pub grouping: Grouping,
    /// The name of an object by its group.
    pub name: NameTemplate,
    /// Where the time in `name` comes from.
    pub source: TimestampSource,
    /// The zone whose clocks it is read from.
    pub zone: Zone,
    /// An object holds at most so many records; the next one goes to a new object.
    pub max_records: Option<u32>,
    /// If set, an object is called by this instead of `name`, bound to its first record (`aws.s3.prefix`).
    pub first_record_name: Option<FirstRecordName>,
}

/// A name made from the first record of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstRecordName {
    /// The name.
    pub name: NameTemplate,
    /// Where its time comes from.
    pub source: TimestampSource,
    /// The zone whose clocks it is read from.
    pub zone: Zone,
    /// The zone of `{{local_date}}`.
    pub local_zone: Zone,
}

/// How records are grouped and objects are named. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectNaming(pub(super) Arc<NamingSpec>);

impl ObjectNaming {
    /// Names by `spec`.
    pub fn new(spec: NamingSpec) -> Self {
        Self(Arc::new(spec))
    }

    /// By what records are grouped.
    pub fn grouping(&self) -> Grouping {
        self.0.grouping
    }

    /// How many records an object holds at most.
    pub fn max_records(&self) -> Option<u32> {
        self.0.max_records
    }

    /// Whether objects are told apart by a time too.
    pub fn has_time(&self) -> bool {
        !self.0.name.units().is_empty()
    }

    /// Which partitions are cut together.
    pub fn lanes(&self) -> Lanes {
        if self.0.grouping.keeps_last_only() { Lanes::Shared } else { Lanes::PerPartition }
    }

    /// Whether records of a partition that are read again, from the same one on, go to objects of the same names: no time
    /// of day is in a name, and no other partition's records are in an object.
    pub fn is_repeatable(&self) -> bool {
        let by_clock = |name: &NameTemplate, source| !name.units().is_empty() && source == TimestampSource::Wallclock;
        let NamingSpec { name, source, first_record_name, .. } = &*self.0;
        let first_by_clock = |first: &FirstRecordName| first.name.uses_dates() || by_clock(&first.name, first.source);
        self.lanes() == Lanes::PerPartition
            && !by_clock(name, *source)
            && !first_record_name.as_ref().is_some_and(first_by_clock)
    }

    /// The template that objects are called by in the end.
    fn object_name(&self) -> &NameTemplate {
        self.0.first_record_name.as_ref().map_or(&self.0.name, |first| &first.name)
    }

    /// Whether groups of different keys of a partition can have one name.
    pub(super) fn may_share_names(&self) -> bool {
        self.object_name().may_be_shared()
    }

    /// Which names objects of these topics can have.
    pub(crate) fn names(&self, topics: &TopicSelection) -> NamePattern {
        NamePattern::of(self.object_name(), topics)
    }

    /// The folder that all objects lie in, with its slash at the end; empty if there is none.
    pub fn folder(&self) -> &str {
        let text = self.object_name().leading_text();
        text.rfind('/').map_or("", |slash| &text[..=slash])
    }

    /// Makes the routes. `keys` gives the text of keys; it is not asked unless the grouping uses them.
    pub fn router(&self, keys: Converter) -> ObjectRouter {
        ObjectRouter { naming: self.clone(), keys }
    }

    /// The name of an object that begins with record `start` of a partition, whose key prints as `key`, at an instant
    /// (milliseconds since 1970).
    pub fn example(&self, partition: &TopicPartition, start: Offset, key: &str, millis: i64) -> String {
        let mut out = String::new();
        let time = CalendarTime::at(&self.0.zone, millis);
        self.write_name(partition, start, key, time, millis, millis, &mut out);
        out
    }

    /// Whether S3 takes the shortest of names: if not, it takes none.
    ///
    /// # Errors
    /// What S3 has against it, as one clause.
    pub(crate) fn check(&self) -> Result<(), String> {
        let shortest = self.example(&TopicPartition::new("t", 0), Offset(0), "k", 0);
        Self::check_name(&shortest).map_err(|fault| fault.message)
    }

    /// The time that counts for grouping a record. An error if the record should have one and has none.
    pub(super) fn time_of(&self, record: &RecordView<'_>, now_millis: i64) -> Result<i64, RecordFault> {
        time_of(self.0.source, record, now_millis, "file.name.timestamp.source")
    }

    /// The same for [`FirstRecordName`]; 0 if there is none.
    pub(super) fn first_record_time(&self, record: &RecordView<'_>, now_millis: i64) -> Result<i64, RecordFault> {
        match &self.0.first_record_name {
            Some(first) if !first.name.units().is_empty() => {
                time_of(first.source, record, now_millis, "timestamp.source")
            }
            _ => Ok(0),
        }
    }

    /// Whether S3 takes a name: 1 to 1,024 bytes (S3 user guide, "Naming Amazon S3 objects"). A name may be longer only
    /// by its key; upstream fails at such a record in every flush, for ever. Nor may it hold NUL, which the XML of S3's
    /// answers cannot say: a store that takes such a name gives an answer that no client can read.
    pub(super) fn check_name(name: &str) -> Result<(), RecordFault> {
        const LONGEST: usize = 1024;
        if name.contains('\0') {
            return Err(fault("the object's name would hold the character NUL, which S3's answers cannot".to_owned()));
        }
        if (1..=LONGEST).contains(&name.len()) {
            return Ok(());
        }
        let shown: String = name.chars().take(40).collect();
        let message =
            format!("the object's name would have {} bytes, and S3 takes 1 to {LONGEST}: {shown}", name.len());
        Err(fault(message))
    }

    /// Appends the name of an object: `start` is its first record, `time` what its bucket shows.
    #[expect(clippy::too_many_arguments, reason = "each is one variable of a name; a struct would name them once more")]
    pub(super) fn write_name(
        &self,
        partition: &TopicPartition,
        start: Offset,
        key: &str,
        time: CalendarTime,
        first_record_millis: i64,
        now_millis: i64,
        out: &mut String,
    ) {
        let (topic, partition) = (&*partition.topic, partition.partition);
        let none = CalendarTime::default();
        let mut parts = NameParts { topic, partition, start, key, time, utc_day: none, local_day: none };
        match &self.0.first_record_name {
            None => self.0.name.write(&parts, out),
            Some(first) => {
                parts.time = CalendarTime::at(&first.zone, first_record_millis);
                if first.name.uses_dates() {
                    parts.utc_day = CalendarTime::at(&Zone::utc(), now_millis);
                    parts.local_day = CalendarTime::at(&first.local_zone, now_millis);
                }
                first.name.write(&parts, out);
            }
        }
    }
}

fn time_of(source: TimestampSource, record: &RecordView<'_>, now_millis: i64, key: &str) -> Result<i64, RecordFault> {
    match source {
        TimestampSource::Wallclock => Ok(now_millis),
        TimestampSource::Event if record.timestamp == -1 => {
            Err(fault(format!("record has no timestamp, which {key}=EVENT puts into the object's name")))
        }
        TimestampSource::Event => Ok(record.timestamp),
    }
}

fn fault(message: String) -> RecordFault {
    RecordFault {
        stage: Stage::TaskPut,
        class: "io.aiven.kafka.connect.s3.S3SinkTask",
        exception: "org.apache.kafka.connect.errors.DataException",
        message,
        cause: None,
    }
}

/// Makes the routes of a connector's lanes.
#[derive(Debug, Clone)]
pub struct ObjectRouter {
    naming: ObjectNaming,
    keys: Converter,
}

impl Router for ObjectRouter {
    fn lanes(&self) -> Lanes {
        self.naming.lanes()
    }

    fn route(&self) -> Box<dyn Route> {
        let (naming, keys) = (self.naming.clone(), self.keys.clone());
        match self.naming.grouping() {
            Grouping::TopicPartition => Box::new(PartitionRoute::new(naming)),
            Grouping::TopicPartitionKey => Box::new(PartitionKeyRoute::new(naming, keys)),
            Grouping::Key | Grouping::KeyAndTopicPartition => Box::new(KeyRoute::new(naming, keys)),
        }
    }
}
