use std::collections::BTreeMap;

use super::log;

/// What a value of a topic's configuration must be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Boolean,
    Int {
        least: i64,
    },
    Long {
        least: i64,
    },
    /// Between 0 and 1.
    Ratio,
    /// Any of these, comma-separated.
    List(&'static [&'static str]),
    /// Exactly one of these.
    OneOf(&'static [&'static str]),
    /// Replicas to throttle: kept, there is nothing to throttle.
    Replicas,
}

/// One key of a topic's configuration, as Kafka 4.1 has it.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    kind: Kind,
}

/// Types of values in DescribeConfigs.
const BOOLEAN: i8 = 1;
const STRING: i8 = 2;
const INT: i8 = 3;
const LONG: i8 = 5;
const DOUBLE: i8 = 6;
const LIST: i8 = 7;

impl Key {
    /// The type of its values, by DescribeConfigs' number.
    pub(crate) fn type_number(&self) -> i8 {
        match self.kind {
            Kind::Boolean => BOOLEAN,
            Kind::Int { .. } => INT,
            Kind::Long { .. } => LONG,
            Kind::Ratio => DOUBLE,
            Kind::List(_) | Kind::Replicas => LIST,
            Kind::OneOf(_) => STRING,
        }
    }

    fn check(&self, value: &str) -> Result<(), String> {
        let name = self.name;
        let number = |least: i64, most: i64| match value.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(()),
            Ok(_) | Err(_) => Err(format!("{name} must be a whole number from {least} to {most}, not \"{value}\"")),
        };
        let one_of = |value: &str, known: &[&str]| {
            let known_list = known.join(", ");
            known
                .contains(&value)
                .then_some(())
                .ok_or_else(|| format!("{name} must be of {known_list}, not \"{value}\""))
        };
        match self.kind {
            Kind::Boolean => one_of(value, &["true", "false"]),
            Kind::Int { least } => number(least, i32::MAX.into()),
            Kind::Long { least } => number(least, i64::MAX),
            Kind::Ratio => match value.parse::<f64>() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(()),
                Ok(_) | Err(_) => Err(format!("{name} must be a number from 0 to 1, not \"{value}\"")),
            },
            Kind::List(known) => value.split(',').try_for_each(|item| one_of(item.trim(), known)),
            Kind::OneOf(known) => one_of(value, known),
            Kind::Replicas => Ok(()),
        }
    }
}

const fn key(name: &'static str, default: &'static str, kind: Kind) -> Key {
    Key { name, default, kind }
}

const NO_LIMIT: &str = "9223372036854775807";

/// Every key of a topic's configuration in Kafka 4.1 with its default, by name. Obeyed are `cleanup.policy` (as far as
/// `delete` goes: nothing is compacted), `max.message.bytes`, `message.timestamp.*`, `min.insync.replicas`,
/// `retention.*` and `segment.bytes`; the rest tunes what the embedded broker does not have, and is kept and shown.
pub(crate) const KEYS: &[Key] = &[
    key("cleanup.policy", "delete", Kind::List(&["delete", "compact"])),
    key("compression.gzip.level", "-1", Kind::Int { least: -1 }),
    key("compression.lz4.level", "9", Kind::Int { least: 1 }),
    // The broker stores batches as they come and compresses nothing again.
    key("compression.type", "producer", Kind::OneOf(&["producer"])),
    key("compression.zstd.level", "3", Kind::Int { least: i32::MIN as i64 }),
    key("delete.retention.ms", "86400000", Kind::Long { least: 0 }),
    key("file.delete.delay.ms", "60000", Kind::Long { least: 0 }),
    key("flush.messages", NO_LIMIT, Kind::Long { least: 1 }),
    key("flush.ms", NO_LIMIT, Kind::Long { least: 0 }),
    key("follower.replication.throttled.replicas", "", Kind::Replicas),
    key("index.interval.bytes", "4096", Kind::Int { least: 0 }),
    key("leader.replication.throttled.replicas", "", Kind::Replicas),
    key("local.retention.bytes", "-2", Kind::Long { least: -2 }),
    key("local.retention.ms", "-2", Kind::Long { least: -2 }),
    key("max.compaction.lag.ms", NO_LIMIT, Kind::Long { least: 1 }),
    key("max.message.bytes", "1048588", Kind::Int { least: 0 }),
    key("message.timestamp.after.max.ms", "3600000", Kind::Long { least: 0 }),
    key("message.timestamp.before.max.ms", NO_LIMIT, Kind::Long { least: 0 }),
    key("message.timestamp.type", "CreateTime", Kind::OneOf(&["CreateTime", "LogAppendTime"])),
    key("min.cleanable.dirty.ratio", "0.5", Kind::Ratio),
    key("min.compaction.lag.ms", "0", Kind::Long { least: 0 }),
    key("min.insync.replicas", "1", Kind::Int { least: 1 }),
    key("preallocate", "false", Kind::Boolean),
    key("remote.log.copy.disable", "false", Kind::Boolean),
    key("remote.log.delete.on.disable", "false", Kind::Boolean),
    // There is no remote storage.
    key("remote.storage.enable", "false", Kind::OneOf(&["false"])),
    key("retention.bytes", "-1", Kind::Long { least: -1 }),
    key("retention.ms", "604800000", Kind::Long { least: -1 }),
    key("segment.bytes", "1073741824", Kind::Int { least: 1 << 20 }),
    key("segment.index.bytes", "10485760", Kind::Int { least: 4 }),
    key("segment.jitter.ms", "0", Kind::Long { least: 0 }),
    key("segment.ms", "604800000", Kind::Long { least: 1 }),
    key("unclean.leader.election.enable", "false", Kind::Boolean),
];

/// The configuration of a topic: what was set, over Kafka's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TopicConfig(BTreeMap<String, String>);

impl TopicConfig {
    /// Checks and takes what a client set. The error is for the client.
    pub(crate) fn new(set: impl IntoIterator<Item = (String, Option<String>)>) -> Result<Self, String> {
        let mut config = Self::default();
        for (name, value) in set {
            config.set(&name, &value.ok_or_else(|| format!("{name} has no value"))?)?;
        }
        Ok(config)
    }

    /// Sets one key.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        find(name)?.check(value)?;
        self.0.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Returns one key to its default.
    pub(crate) fn unset(&mut self, name: &str) -> Result<(), String> {
        find(name)?;
        self.0.remove(name);
        Ok(())
    }

    /// Adds items to a key that is a list, or takes them away.
    pub(crate) fn change_list(&mut self, name: &str, items: &str, add: bool) -> Result<(), String> {
        let key = find(name)?;
        if key.type_number() != LIST {
            return Err(format!("{name} is not a list"));
        }
        let current = self.get(key).to_owned();
        let mut list: Vec<&str> = current.split(',').filter(|item| !item.is_empty()).collect();
        for item in items.split(',') {
            list.retain(|known| *known != item);
            if add {
                list.push(item);
            }
        }
        let joined = list.join(",");
        self.set(name, &joined)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &Key) -> &str {
        self.0.get(key.name).map_or(key.default, String::as_str)
    }

    /// Whether a key was set.
    pub(crate) fn is_set(&self, key: &Key) -> bool {
        self.0.contains_key(key.name)
    }

    /// What was set, for writing it down.
    pub(crate) fn overrides(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    fn number(&self, name: &str) -> i64 {
        // Values were checked when they were set, and defaults are numbers.
        find(name).ok().and_then(|key| self.get(key).parse().ok()).unwrap_or_default()
    }

    fn text(&self, name: &str) -> &str {
        find(name).map_or("", |key| self.get(key))
    }

    /// What the topic's logs obey.
    pub(crate) fn log_settings(&self) -> log::Settings {
        // A topic that is only compacted keeps every key's last record for ever.
        let deletes = self.text("cleanup.policy").split(',').any(|policy| policy.trim() == "delete");
        log::Settings {
            segment_bytes: self.number("segment.bytes") as u64,
            retention_bytes: u64::try_from(self.number("retention.bytes")).ok().filter(|_| deletes),
            retention_millis: Some(self.number("retention.ms")).filter(|millis| deletes && *millis >= 0),
            append_time: self.text("message.timestamp.type") == "LogAppendTime",
        }
    }

    /// What a batch must obey.
    pub(crate) fn limits(&self) -> BatchLimits {
        BatchLimits {
            max_message_bytes: self.number("max.message.bytes") as usize,
            after_max_millis: self.number("message.timestamp.after.max.ms"),
            before_max_millis: self.number("message.timestamp.before.max.ms"),
            min_insync_replicas: self.number("min.insync.replicas"),
            append_time: self.text("message.timestamp.type") == "LogAppendTime",
        }
    }
}

/// The topic's configuration as far as a batch must obey it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchLimits {
    pub(crate) max_message_bytes: usize,
    pub(crate) after_max_millis: i64,
    pub(crate) before_max_millis: i64,
    pub(crate) min_insync_replicas: i64,
    pub(crate) append_time: bool,
}

fn find(name: &str) -> Result<&'static Key, String> {
    KEYS.iter().find(|key| key.name == name).ok_or_else(|| format!("unknown topic configuration {name}"))
}
