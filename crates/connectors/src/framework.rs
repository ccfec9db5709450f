//! The keys that Kafka Connect itself defines for every sink connector.

use std::time::Duration;

use crate::config::Config;
use crate::converter::{CONVERTERS, HEADER_CONVERTERS};
use crate::define::{Check, Complaint, Importance, KeyDef, Kind, Value, Values, Width};
use crate::faults::{ConfigFault, Findings};
use crate::pattern::Pattern;
use crate::plan::{DeadLetterQueue, ErrorPolicy, TopicSelection};

const COMMON: &str = "Common";
const ERRORS: &str = "Error Handling";

/// Names, types, defaults, order and checks are those of `SinkConnectorConfig` of Kafka 4.1.
pub(crate) const FRAMEWORK_KEYS: &[KeyDef] = &[
    KeyDef::new("name", Kind::String, "Name of the connector; its consumer group is connect-NAME.")
        .required()
        .check(Check::Rule(name))
        .group(COMMON, 1)
        .importance(Importance::High)
        .shown("Connector name", Width::Medium),
    KeyDef::new("connector.class", Kind::String, "Class of the connector: its full name, the part after the last full stop, or that without Connector.")
        .required()
        .group(COMMON, 2)
        .importance(Importance::High)
        .shown("Connector class", Width::Long),
    KeyDef::new("connector.plugin.version", Kind::String, "Accepted; there is one version of each class.")
        .group(COMMON, 3)
        .shown("Connector version", Width::Medium),
    KeyDef::new("tasks.max", Kind::Int, "How many tasks share the connector's partitions, at most.")
        .default("1")
        .check(Check::Range(Some(1), None))
        .group(COMMON, 4)
        .importance(Importance::High)
        .shown("Tasks max", Width::Short),
    KeyDef::new("tasks.max.enforce", Kind::Boolean, "Accepted; there are never more tasks than tasks.max.")
        .default("true")
        .group(COMMON, 5)
        .importance(Importance::Low)
        .shown("Enforce tasks max", Width::Short),
    KeyDef::new("key.converter", Kind::Class, "Reads keys; its own keys follow the prefix key.converter. If it is set here, the worker's key.converter.* do not apply.")
        .group(COMMON, 6)
        .importance(Importance::Low)
        .shown("Key converter class", Width::Short)
        .recommended(CONVERTERS),
    KeyDef::new("key.converter.plugin.version", Kind::String, "Accepted; there is one version of each class.")
        .group(COMMON, 7)
        .importance(Importance::Low)
        .shown("Key converter version", Width::Short),
    KeyDef::new("value.converter", Kind::Class, "Reads values; its own keys follow the prefix value.converter. If it is set here, the worker's value.converter.* do not apply.")
        .group(COMMON, 8)
        .importance(Importance::Low)
        .shown("Value converter class", Width::Short)
        .recommended(CONVERTERS),
    KeyDef::new("value.converter.plugin.version", Kind::String, "Accepted; there is one version of each class.")
        .group(COMMON, 9)
        .importance(Importance::Low)
        .shown("Value converter version", Width::Short),
    KeyDef::new("header.converter", Kind::Class, "Reads the values of headers; its own keys follow the prefix header.converter. If it is set here, the worker's header.converter.* do not apply.")
        .group(COMMON, 10)
        .importance(Importance::Low)
        .shown("Header converter class", Width::Short)
        .recommended(HEADER_CONVERTERS),
    KeyDef::new("header.converter.plugin.version", Kind::String, "Accepted; there is one version of each class.")
        .group(COMMON, 11)
        .importance(Importance::Low)
        .shown("Header converter version", Width::Short),
    KeyDef::new("transforms", Kind::List, "Not supported by this release: must be empty.")
        .default("")
        .check(Check::Rule(no_transforms))
        .group("Transforms", 12)
        .importance(Importance::Low)
        .shown("Transforms", Width::Long),
    KeyDef::new("predicates", Kind::List, "Not supported by this release: must be empty.")
        .default("")
        .check(Check::Rule(no_predicates))
        .group("Predicates", 13)
        .importance(Importance::Low)
        .shown("Predicates", Width::Long),
    KeyDef::new("config.action.reload", Kind::String, "Accepted; config providers are read once, at the start.")
        .default("restart")
        .check(Check::OneOf(&["none", "restart"]))
        .group(COMMON, 14)
        .importance(Importance::Low)
        .shown("Reload Action", Width::Medium),
    KeyDef::new("errors.retry.timeout", Kind::Long, "How long, in milliseconds, a record whose conversion failed for a passing reason is tried again; -1 for ever. None of the converters of today fails for one.")
        .default("0")
        .group(ERRORS, 1)
        .shown("Retry Timeout for Errors", Width::Medium),
    KeyDef::new("errors.retry.delay.max.ms", Kind::Long, "The longest pause between two such tries, in milliseconds.")
        .default("60000")
        .group(ERRORS, 2)
        .shown("Maximum Delay Between Retries for Errors", Width::Medium),
    KeyDef::new("errors.tolerance", Kind::String, "What a record does that cannot be used: none stops the connector before it, all goes on behind it.")
        .default("none")
        .check(Check::OneOf(&["none", "all"]))
        .group(ERRORS, 3)
        .shown("Error Tolerance", Width::Short),
    KeyDef::new("errors.log.enable", Kind::Boolean, "Whether each record that cannot be used is logged.")
        .default("false")
        .group(ERRORS, 4)
        .shown("Log Errors", Width::Short),
    KeyDef::new("errors.log.include.messages", Kind::Boolean, "Whether such a line says topic, partition, offset and timestamp.")
        .default("false")
        .group(ERRORS, 5)
        .shown("Log Error Details", Width::Short),
    KeyDef::new("topics", Kind::List, "The topics to read. Either this or topics.regex.")
        .default("")
        .group(COMMON, 4)
        .importance(Importance::High)
        .shown("Topics", Width::Long),
    KeyDef::new("topics.regex", Kind::String, "A Java regular expression: topics whose whole name matches are read, new ones too.")
        .default("")
        .check(Check::Rule(regex))
        .group(COMMON, 4)
        .importance(Importance::High)
        .shown("Topics regex", Width::Long),
    KeyDef::new("errors.deadletterqueue.topic.name", Kind::String, "The topic that records go to which cannot be used. Empty: none.")
        .default("")
        .check(Check::Rule(topic_name))
        .group(ERRORS, 6)
        .shown("Dead Letter Queue Topic Name", Width::Medium),
    KeyDef::new("errors.deadletterqueue.topic.replication.factor", Kind::Short, "Replicas of that topic if it has to be created; -1 for the broker's default.")
        .default("3")
        .check(Check::Rule(replication_factor))
        .group(ERRORS, 7)
        .shown("Dead Letter Queue Topic Replication Factor", Width::Medium),
    KeyDef::new("errors.deadletterqueue.context.headers.enable", Kind::Boolean, "Whether records there carry headers __connect.errors.* that say where and why.")
        .default("false")
        .group(ERRORS, 8)
        .shown("Enable Error Context Headers", Width::Medium),
];

/// Prefixes of keys that Connect reads for every sink connector.
pub(crate) const FRAMEWORK_PREFIXES: &[&str] = &[
    "key.converter.",
    "value.converter.",
    "header.converter.",
    "transforms.",
    "predicates.",
    "consumer.override.",
    "producer.override.",
    "admin.override.",
];

fn name(value: Option<&Value>) -> Result<(), Complaint> {
    let Some(Value::Text(text)) = value else { return Ok(()) };
    if text.is_empty() {
        return Err(Complaint::why("String may not be empty"));
    }
    let controls: Vec<_> = text.chars().filter(|c| c.is_control()).map(|c| (c as u32).to_string()).collect();
    if controls.is_empty() {
        return Ok(());
    }
    let why = "String may not contain control sequences but had the following ASCII chars:";
    Err(Complaint::why(format!("{why} {}", controls.join(", "))))
}

fn no_transforms(value: Option<&Value>) -> Result<(), Complaint> {
    none_of("transforms", value)
}

fn no_predicates(value: Option<&Value>) -> Result<(), Complaint> {
    none_of("predicates", value)
}

fn none_of(what: &str, value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::List(items)) if !items.is_empty() => {
            Err(Complaint::why(format!("{what} are not supported by this release; records would pass unchanged")))
        }
        _ => Ok(()),
    }
}

fn regex(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Text(text)) => match Pattern::parse(text) {
            Ok(_) => Ok(()),
            Err(why) => Err(Complaint::why(format!("Invalid regex: {why}"))),
        },
        _ => Ok(()),
    }
}

fn topic_name(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Text(text)) if !text.is_empty() => match illegal_topic(text) {
            Some(why) => Err(Complaint::why(why)),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn replication_factor(value: Option<&Value>) -> Result<(), Complaint> {
    match value {
        Some(Value::Number(factor)) if *factor == 0 || *factor < -1 => {
            Err(Complaint::why("Value must be at least 1, or -1 for the broker's default"))
        }
        _ => Ok(()),
    }
}

/// Why no topic can be called so, in the words of Kafka's `Topic.validate`.
fn illegal_topic(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("Topic name is invalid: the empty string is not allowed".to_owned());
    }
    if name == "." || name == ".." {
        return Some("Topic name is invalid: '.' or '..' is not allowed".to_owned());
    }
    if name.len() > 249 {
        return Some(format!(
            "Topic name is invalid: the length of '{name}' is longer than the max allowed length 249"
        ));
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        let rule = "contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'";
        return Some(format!("Topic name is invalid: '{name}' {rule}"));
    }
    None
}

/// Which topics to read. `None` if that cannot be told, which is a fault.
pub(crate) fn topics(values: &Values, config: &Config, found: &mut Findings) -> Option<TopicSelection> {
    let mut names: Vec<String> = Vec::new();
    for name in values.list("topics").unwrap_or_default() {
        if !name.is_empty() && !names.contains(name) {
            names.push(name.clone());
        }
    }
    let regex = values.text("topics.regex").unwrap_or_default();
    let shown = |key: &str| config.get(key).map(str::to_owned);
    let both = |found: &mut Findings, text: &str| {
        for key in ["topics", "topics.regex"] {
            found.fault(ConfigFault::new(key, shown(key), text));
        }
    };
    // A bad expression is a fault of its own; that nothing else is set would be a second one for the same slip.
    let has_regex = config.get("topics.regex").is_some_and(|text| !text.trim().is_empty());
    match (names.is_empty(), has_regex) {
        (true, false) => {
            both(found, "Must configure one of topics or topics.regex");
            return None;
        }
        (false, true) => {
            both(found, "topics and topics.regex are mutually exclusive options, but both are set.");
            return None;
        }
        (false, false) | (true, true) => {}
    }
    for name in &names {
        if let Some(why) = illegal_topic(name) {
            found.fault(ConfigFault::new("topics", shown("topics"), why));
        }
    }
    let dead_letters = values.text("errors.deadletterqueue.topic.name").filter(|topic| !topic.is_empty());
    if has_regex {
        let pattern = Pattern::parse(regex).ok().filter(|_| values.text("topics.regex").is_some())?;
        if let Some(topic) = dead_letters.filter(|topic| pattern.matches(topic)) {
            let text = format!(
                "The DLQ topic '{topic}' may not be matched by the regex for the topics ('topics.regex={regex}') consumed by the connector"
            );
            found.fault(ConfigFault::new("topics.regex", shown("topics.regex"), text));
        }
        return Some(TopicSelection::Matching(pattern));
    }
    if let Some(topic) = dead_letters.filter(|topic| names.iter().any(|name| name == topic)) {
        let text = format!(
            "The DLQ topic '{topic}' may not be included in the list of topics ('topics=[{}]') consumed by the connector",
            names.join(", ")
        );
        found.fault(ConfigFault::new("topics", shown("topics"), text));
    }
    Some(TopicSelection::Named(names))
}

/// What happens to records that cannot be used.
pub(crate) fn error_policy(values: &Values) -> ErrorPolicy {
    let millis = |key: &str| values.number(key).unwrap_or_default();
    let flag = |key: &str| values.flag(key).unwrap_or_default();
    let topic = values.text("errors.deadletterqueue.topic.name").filter(|topic| !topic.is_empty());
    ErrorPolicy {
        tolerate: values.text("errors.tolerance") == Some("all"),
        retry_timeout: match millis("errors.retry.timeout") {
            -1 => None,
            millis => Some(Duration::from_millis(millis.max(0).unsigned_abs())),
        },
        retry_delay_max: Duration::from_millis(millis("errors.retry.delay.max.ms").max(0).unsigned_abs()),
        log: flag("errors.log.enable"),
        log_records: flag("errors.log.include.messages"),
        dead_letters: topic.map(|topic| DeadLetterQueue {
            topic: topic.to_owned(),
            replication_factor: values.number("errors.deadletterqueue.topic.replication.factor").unwrap_or(3) as i16,
            context_headers: flag("errors.deadletterqueue.context.headers.enable"),
        }),
    }
}
