//! A plan as `tidegate check` shows it, for people and for programs. Secrets are hidden in both.

use std::fmt;
use std::time::Duration;

use data::{Offset, TopicPartition};
use format::text::{Kind, ValueEncoding};
use identity::{Base, Connection, Lifetime, Purpose};
use serde_json::{Value, json};
use transit::{Lanes, WriteMode};

use crate::plan::{ConnectorPlan, ExistingObject, TopicSelection};

/// The instant of example names: 2026-01-31T22:15:00Z.
const EXAMPLE_MILLIS: i64 = 1_769_897_700_000;

impl ConnectorPlan {
    /// The name of an object that begins with record 1000 of partition 0 of the first topic.
    pub fn example_object(&self) -> String {
        let topic = match self.topics() {
            TopicSelection::Named(names) => names.first().map_or("topic", String::as_str),
            TopicSelection::Matching(_) => "topic",
        };
        self.naming().example(&TopicPartition::new(topic, 0), Offset(1000), "some-key", EXAMPLE_MILLIS)
    }

    /// The plan as JSON.
    pub fn to_json(&self) -> Value {
        let s3 = self.s3();
        let rotation = self.rotation();
        let errors = self.errors();
        let topics = match self.topics() {
            TopicSelection::Named(names) => json!({ "names": names }),
            TopicSelection::Matching(pattern) => json!({ "regex": pattern.as_str() }),
        };
        let letters = errors.dead_letters.as_ref().map(|queue| {
            json!({
                "topic": queue.topic,
                "replication_factor": queue.replication_factor,
                "context_headers": queue.context_headers,
            })
        });
        let level = self.compression().codec().levels().map(|_| self.compression().level());
        json!({
            "class": self.class(),
            "topics": topics,
            "tasks_max": self.tasks_max(),
            "group": self.group(),
            "converters": {
                "key": self.converters().key.class(),
                "value": self.converters().value.class(),
                "header": self.converters().header.class(),
            },
            "output": {
                "type": kind(self.layout().kind),
                "fields": self.layout().fields.iter().map(|field| field.name()).collect::<Vec<_>>(),
                "value_encoding": encoding(self.layout().value_encoding),
                "envelope": self.layout().envelope,
                "compression": self.compression().codec().name(),
                "compression_level": level,
            },
            "naming": {
                "groups": self.naming().grouping().describe(),
                "max_records": self.naming().max_records(),
                "example": self.example_object(),
            },
            "rotation": {
                "interval_ms": millis(rotation.interval),
                "bytes": rotation.bytes,
                "records": rotation.records,
            },
            "write_mode": mode(self.write_mode()),
            "errors": {
                "tolerance": if errors.tolerate { "all" } else { "none" },
                "retry_timeout_ms": errors.retry_timeout.map(millis),
                "log": errors.log,
                "dead_letters": letters,
            },
            "s3": {
                "bucket": s3.bucket,
                "region": s3.region,
                "endpoint": s3.endpoint,
                "path_style": s3.path_style,
                "fips": s3.fips,
                "dual_stack": s3.dual_stack,
                "bucket_owner": s3.owner.map(|owner| owner.to_string()),
                "server_side_encryption": s3.server_side_encryption,
                "part_size": s3.part_size,
                "existing_object": existing(s3.existing),
            },
            "session": {
                "connection": self.connection_spec().map(|spec| spec.name.as_str()),
                "hops": hops(self.connection()),
                "sts": {
                    "region": self.connection().sts.region,
                    "endpoint": self.connection().sts.endpoint,
                },
            },
            "kafka_session": self.kafka_connection().map(|spec| {
                json!({ "connection": spec.name, "hops": hops(&spec.bind(self.name(), Purpose::Kafka)) })
            }),
            "memory": {
                "open_objects": self.open_objects(),
                "bytes_per_open_object": s3.part_size,
            },
            "clients": {
                "consumer": shown(self.consumer()),
                "producer": shown(self.producer()),
                "admin": shown(self.admin()),
            },
        })
    }

    /// How many objects may be open at a time: what memory grows with.
    fn open_objects(&self) -> String {
        let naming = self.naming();
        let time = if naming.has_time() { " and hour, day, month or year in its name" } else { "" };
        match naming.lanes() {
            Lanes::Shared => "one a key".to_owned(),
            Lanes::PerPartition if naming.grouping().uses_key() => format!("one a partition and key{time}"),
            Lanes::PerPartition => format!("one a partition{time}"),
        }
    }
}

/// How one becomes who signs at last: the base and each role in turn.
fn hops(connection: &Connection) -> Vec<Value> {
    let base = match &connection.base {
        Base::Anonymous => json!({ "kind": "anonymous" }),
        Base::Keys(keys) => json!({ "kind": "keys", "access_key_id": keys.access_key_id.as_str() }),
        Base::Environment => json!({ "kind": "environment" }),
        Base::DefaultChain => json!({ "kind": "default-chain" }),
        Base::WebIdentity(web) => json!({
            "kind": "web-identity",
            "role_arn": web.role_arn,
            "session_name": web.session_name,
            "session_policy": web.policy,
        }),
        Base::AmbientWebIdentity => json!({ "kind": "web-identity" }),
        Base::Container => json!({ "kind": "container" }),
        Base::Instance => json!({ "kind": "instance-role" }),
        Base::RolesAnywhere(anywhere) => json!({
            "kind": "roles-anywhere",
            "role_arn": anywhere.role_arn,
            "profile_arn": anywhere.profile_arn,
            "trust_anchor_arn": anywhere.trust_anchor_arn,
        }),
        Base::Profile(profile) => json!({ "kind": "profile", "profile": profile.name }),
    };
    let roles = connection.hops.iter().map(|hop| {
        json!({
            "kind": "assume-role",
            "role_arn": hop.role_arn,
            "session_name": hop.session_name,
            "external_id": hop.external_id,
            "duration_seconds": match hop.duration {
                Lifetime::Longest => Value::from("auto"),
                duration => duration.asked().map(|duration| duration.as_secs()).into(),
            },
            "session_policy": hop.policy,
        })
    });
    std::iter::once(base).chain(roles).collect()
}

fn shown(client: &crate::clients::ClientProperties) -> Value {
    client.shown().map(|(key, value)| (key.to_owned(), Value::from(value))).collect::<serde_json::Map<_, _>>().into()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Csv => "csv",
        Kind::Json => "json",
        Kind::Jsonl => "jsonl",
    }
}

fn encoding(encoding: ValueEncoding) -> &'static str {
    match encoding {
        ValueEncoding::None => "none",
        ValueEncoding::Base64 => "base64",
    }
}

fn mode(mode: WriteMode) -> &'static str {
    match mode {
        WriteMode::ExactlyOnce => "exactly-once",
        WriteMode::AtLeastOnce => "at-least-once",
    }
}

fn existing(existing: ExistingObject) -> &'static str {
    match existing {
        ExistingObject::Overwrite => "overwrite",
        ExistingObject::Fail => "fail",
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whole mebibytes as such, for that is how part sizes are chosen; else bytes.
fn size(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}

impl fmt::Display for ConnectorPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s3 = self.s3();
        let layout = self.layout();
        let rotation = self.rotation();
        let fields: Vec<_> = layout.fields.iter().map(|field| field.name()).collect();
        let mut line = |name: &str, text: &str| writeln!(f, "  {name:<12}{text}");
        line("topics", &self.topics().to_string())?;
        let signed = self.kafka_connection().map_or_else(String::new, |spec| {
            format!(", signed for by connection {}: {}", spec.name, spec.bind(self.name(), Purpose::Kafka))
        });
        line("kafka", &format!("{}{signed}", self.consumer().get("bootstrap.servers").unwrap_or_default()))?;
        let tasks =
            if self.tasks_max() == 1 { "1 task".to_owned() } else { format!("at most {} tasks", self.tasks_max()) };
        line("group", &format!("{} ({tasks})", self.group()))?;
        let bare = if layout.envelope || layout.kind == Kind::Csv { "" } else { ", without envelope" };
        line(
            "output",
            &format!("{} of {}{bare}, {}", kind(layout.kind), fields.join(", "), self.compression().codec()),
        )?;
        let limit = self.naming().max_records().map_or_else(String::new, |max| format!(", at most {max} records"));
        line("objects", &format!("{}{limit}", self.naming().grouping().describe()))?;
        let endpoint = s3.endpoint.as_deref().map_or_else(String::new, |endpoint| format!(" at {endpoint}"));
        line("example", &format!("s3://{}/{} ({}{endpoint})", s3.bucket, self.example_object(), s3.region))?;
        let or = |limit: Option<u64>, what| limit.map_or_else(String::new, |limit| format!(", or {limit} {what}"));
        let (bytes, records) = (or(rotation.bytes, "bytes"), or(rotation.records, "records"));
        let when = format!("every {:?}{bytes}{records}", rotation.interval);
        line(
            "published",
            &format!("{when}; {}; existing objects: {}", mode(self.write_mode()), existing(s3.existing)),
        )?;
        let fenced = self.connection_spec().filter(|spec| spec.fence.is_up()).map_or_else(String::new, |spec| {
            let places: Vec<_> = spec.fence.places.iter().map(ToString::to_string).collect();
            format!("; may touch {}", places.join(", "))
        });
        line("session", &format!("{}{fenced}", self.connection()))?;
        line(
            "memory",
            &format!("open objects: {}; up to {} of each before they go up", self.open_objects(), size(s3.part_size)),
        )?;
        let errors = self.errors();
        let letters =
            errors.dead_letters.as_ref().map_or_else(String::new, |queue| format!(", to topic {}", queue.topic));
        let tolerance = if errors.tolerate { "skipped" } else { "stop the connector" };
        line("bad records", &format!("{tolerance}{letters}"))
    }
}
