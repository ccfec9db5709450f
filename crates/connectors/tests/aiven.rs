//! Aiven's S3 sink 3.4.2, as recorded on Kafka Connect 4.1.0: names and groups of objects, refusals, the list of keys.
//!
//! The fixtures hold what the real connector did with a configuration and records; the proptest beside them compares
//! with a model of it that makes the name of every record anew and looks it up, as it does.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use connectors::{Config, ConnectorFile, ConnectorPlan, WorkerConfig, check, classes};
use data::{Arena, TopicPartition};
use proptest::prelude::*;
use serde_json::Value;
use transit::{Lanes, Route, Routed, Router};
use world::Environment;

const NAMES: &str = include_str!("fixtures/names.json");
const REFUSALS: &str = include_str!("fixtures/refusals.json");
const KEYS: &str = include_str!("fixtures/keys.json");

/// 2026-11-22T00:00:00Z, a day of the year in which the fixtures were recorded.
const NOW: i64 = 1_795_305_600_000;

fn cases(text: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(cases.len() > 25, "the fixture is there");
    cases
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} of {case}"))
}

fn worker() -> WorkerConfig {
    let converter = "org.apache.kafka.connect.converters.ByteArrayConverter";
    let config = ["key.converter", "value.converter", "header.converter"].map(|key| (key, converter));
    WorkerConfig::from_config(config.into_iter().collect(), &Environment::of([("", "")])).unwrap()
}

fn connector(case: &Value) -> Config {
    let mut config: Config =
        case["config"].as_object().unwrap().iter().map(|(k, v)| (k, v.as_str().unwrap())).collect();
    config.set("name", text(case, "name"));
    config.set("connector.class", "AivenKafkaConnectS3SinkConnector");
    config
}

fn planned(name: &str, config: Config) -> ConnectorPlan {
    connectors::plan(&ConnectorFile::from_config(name, config), &worker())
        .unwrap_or_else(|faults| panic!("{name}: {faults}"))
}

/// A record as naming sees it.
#[derive(Debug, Clone)]
struct Record {
    topic: String,
    partition: i32,
    offset: i64,
    key: Option<String>,
    timestamp: i64,
    /// Whether it turns out, after it was routed, that it cannot be stored.
    bad: bool,
}

/// Topic, partition and offset.
type Place = (String, i32, i64);

/// A lane's route, and of each group that it opened the name, the content, and whether it is closed.
type Lane = (Box<dyn Route>, Vec<(String, Vec<Place>, bool)>);

/// What each object holds after all records went through the plan's routes in one cut.
fn grouped(plan: &ConnectorPlan, records: &[Record], now: i64) -> BTreeMap<String, Vec<Place>> {
    let router = plan.router();
    let mut lanes: HashMap<(String, i32), Lane> = HashMap::new();
    let mut arena = Arena::new();
    for record in records {
        let lane = match router.lanes() {
            Lanes::PerPartition => (record.topic.clone(), record.partition),
            Lanes::Shared => (String::new(), 0),
        };
        let (route, groups) = lanes.entry(lane).or_insert_with(|| (router.route(), Vec::new()));
        arena.clear();
        let key = record.key.as_ref().map(|key| {
            arena.bytes_mut().extend_from_slice(key.as_bytes());
            (0, key.len())
        });
        arena.push(data::Offset(record.offset), record.timestamp, key, None, 0);
        let view = arena.records().next().unwrap();
        let partition = TopicPartition::new(record.topic.as_str(), record.partition);
        let place = (record.topic.clone(), record.partition, record.offset);
        let target = route.route(&partition, &view, now).unwrap();
        if record.bad {
            route.undo();
            continue;
        }
        match target {
            Routed::Group(group) => {
                assert!(!groups[group.0 as usize].2, "{} is closed", groups[group.0 as usize].0);
                groups[group.0 as usize].1.push(place);
            }
            Routed::Replace(group) => groups[group.0 as usize].1 = vec![place],
            Routed::Open { name, closes } => {
                if let Some(closed) = closes {
                    let group = &mut groups[closed.0 as usize];
                    assert!(!group.2, "{} is closed twice", group.0);
                    group.2 = true;
                }
                groups.push((name.to_string(), vec![place], false));
            }
        }
    }
    let mut objects = BTreeMap::new();
    for (name, places, _) in lanes.into_values().flat_map(|(_, groups)| groups) {
        assert!(objects.insert(name.clone(), places).is_none(), "two groups are called {name}");
    }
    objects
}

#[test]
fn objects_are_called_as_the_real_connector_calls_them() {
    for case in cases(NAMES) {
        let name = text(&case, "name");
        let mut config = connector(&case);
        if text(&case, "key_converter").ends_with(".StringConverter") {
            config.set("key.converter", "StringConverter");
        }
        let plan = planned(name, config);
        let mut next: HashMap<(String, i32), i64> = HashMap::new();
        let records: Vec<_> = case["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| {
                let (topic, partition) = (record[0].as_str().unwrap().to_owned(), record[1].as_i64().unwrap() as i32);
                let offset = next.entry((topic.clone(), partition)).or_default();
                *offset += 1;
                let key = record[2].as_str().map(|key| String::from_utf8_lossy(&base64(key)).into_owned());
                Record {
                    topic,
                    partition,
                    offset: *offset - 1,
                    key,
                    timestamp: record[3].as_i64().unwrap(),
                    bad: false,
                }
            })
            .collect();
        // Upstream writes no object of no bytes: one record whose value is null or empty, written plainly and alone.
        let bare = ["format.output.fields.value.encoding", "file.compression.type"]
            .iter()
            .all(|key| case["config"][key] == "none");
        let empty: BTreeSet<_> = records
            .iter()
            .zip(case["records"].as_array().unwrap())
            .filter(|(_, row)| bare && row[4] == true)
            .map(|(record, _)| (record.topic.clone(), record.partition, record.offset))
            .collect();
        let read: Vec<_> = records.into_iter().filter(|record| plan.topics().holds(&record.topic)).collect();
        let found: BTreeSet<String> = grouped(&plan, &read, NOW)
            .into_iter()
            .filter(|(_, places)| !matches!(places.as_slice(), [place] if empty.contains(place)))
            .map(|(name, _)| name)
            .collect();
        let expected: BTreeSet<String> =
            case["objects"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect();
        assert_eq!(found, expected, "{name}");
    }
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |c| "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".find(c);
    let (mut out, mut bits, mut have) = (Vec::new(), 0usize, 0);
    for value in text.chars().filter_map(digit) {
        (bits, have) = (bits << 6 | value, have + 6);
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
        }
    }
    out
}

/// Faults that upstream finds at once keep their texts; those that it finds in a dead task are found here at once, and
/// hold its text where it has one for users.
#[test]
fn what_the_real_connector_refuses_is_refused_in_its_words() {
    for case in cases(REFUSALS) {
        let name = text(&case, "name");
        let report = check(&ConnectorFile::from_config(name, connector(&case)), &worker());
        let json = report.to_json();
        assert!(json["plan"].is_null(), "{name}");
        if let Some(errors) = case.get("errors") {
            assert_eq!(&json["errors"], errors, "{name}");
        } else {
            let error = match text(&case, "error") {
                "integer overflow" => "Value must be no more than 2147483647",
                error => error,
            };
            assert!(report.faults().iter().any(|fault| fault.text.contains(error)), "{name}: {json}");
        }
    }
}

#[test]
fn the_keys_are_those_that_the_real_connector_lists() {
    // Values of the worker that was asked, not of the connector.
    let of_the_worker = |name: &str| name.contains("plugin.version") || name.ends_with(".converter");
    for key in cases(KEYS) {
        let name = text(&key, "name");
        let def = classes()[0].keys().find(|def| def.name == name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(def.kind.name(), text(&key, "type"), "{name}");
        assert_eq!(def.required, key["required"].as_bool().unwrap(), "{name}");
        assert_eq!(def.importance.name(), text(&key, "importance"), "{name}");
        assert_eq!(def.group, key["group"].as_str(), "{name}");
        assert_eq!(i64::from(def.order), key["order"].as_i64().unwrap(), "{name}");
        assert_eq!(def.width.name(), text(&key, "width"), "{name}");
        assert_eq!(def.display, text(&key, "display_name"), "{name}");
        if !of_the_worker(name) {
            assert_eq!(def.default, key["default_value"].as_str(), "{name}");
            let recommended: Vec<_> =
                key["recommended"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
            assert_eq!(def.recommended, recommended, "{name}");
        }
    }
}

/// Upstream's way: the head of a group, the name of each record made anew, buffers by name.
#[derive(Default)]
struct Model {
    heads: HashMap<(String, i32, String), i64>,
    buffers: BTreeMap<String, Vec<Place>>,
}

impl Model {
    fn put(&mut self, template: &str, limit: usize, zone: &jiff::tz::TimeZone, record: &Record) {
        let place = (record.topic.clone(), record.partition, record.offset);
        let key = record.key.clone().unwrap_or_else(|| "null".to_owned());
        let render = |head: i64| {
            let time = jiff::Timestamp::from_millisecond(record.timestamp).unwrap().to_zoned(zone.clone());
            template
                .replace("{{topic}}", &record.topic)
                .replace("{{partition}}", &record.partition.to_string())
                .replace("{{partition:padding=true}}", &format!("{:010}", record.partition))
                .replace("{{start_offset}}", &head.to_string())
                .replace("{{start_offset:padding=true}}", &format!("{head:020}"))
                .replace("{{timestamp:unit=yyyy}}", &time.strftime("%Y").to_string())
                .replace("{{timestamp:unit=MM}}", &time.strftime("%m").to_string())
                .replace("{{timestamp:unit=dd}}", &time.strftime("%d").to_string())
                .replace("{{timestamp:unit=HH}}", &time.strftime("%H").to_string())
                .replace("{{key}}", &key)
        };
        if !template.contains("{{start_offset") {
            self.buffers.insert(render(0), vec![place]);
            return;
        }
        let group = if template.contains("{{key}}") { key.clone() } else { String::new() };
        let head = self.heads.entry((record.topic.clone(), record.partition, group)).or_insert(record.offset);
        let mut name = render(*head);
        if limit > 0 && self.buffers.get(&name).is_none_or(|buffer| buffer.len() >= limit) {
            *head = record.offset;
            name = render(record.offset);
        }
        self.buffers.entry(name).or_default().push(place);
    }
}

const TEMPLATES: [&str; 11] = [
    "{{topic}}-{{partition}}-{{start_offset}}",
    "{{topic}}/{{partition:padding=true}}/{{start_offset:padding=true}}.gz",
    "{{topic}}/{{timestamp:unit=yyyy}}{{timestamp:unit=MM}}{{timestamp:unit=dd}}/{{timestamp:unit=HH}}/{{partition}}-{{start_offset}}",
    "{{timestamp:unit=HH}}/{{topic}}-{{partition}}-{{start_offset}}",
    "{{timestamp:unit=yyyy}}/{{timestamp:unit=MM}}/{{topic}}-{{partition}}-{{start_offset}}",
    "{{topic}}-{{partition}}-{{key}}-{{start_offset}}",
    "{{topic}}-{{partition}}-{{key}}{{start_offset}}",
    "{{key}}-{{topic}}-{{partition}}-{{start_offset}}-{{key}}",
    "{{topic}}-{{partition}}-{{key}}-{{start_offset}}-{{timestamp:unit=HH}}",
    "{{key}}",
    "{{key}}-{{partition:padding=true}}-{{topic}}",
];

fn records() -> impl Strategy<Value = Vec<Record>> {
    // Around the two changes of Berlin's clocks in 2023, and steps of a quarter of an hour to many days.
    let time = prop::sample::select(vec![1_679_792_400_000i64, 1_698_541_200_000, 1_672_527_600_000]);
    let step = prop::sample::select(vec![0i64, 1, 900_000, 3_600_000, 86_400_000]);
    let key = prop::sample::select(vec![None, Some("a"), Some("a1"), Some("b"), Some("c/\u{e9}")]);
    let record = (time, step, -3i64..4, 0..2i32, key, prop::sample::select(vec!["t", "u"]), 0..5u8);
    prop::collection::vec(record, 1..60).prop_map(|rows| {
        let mut next: HashMap<(String, i32), i64> = HashMap::new();
        rows.into_iter()
            .map(|(time, step, times, partition, key, topic, fate)| {
                let offset = next.entry((topic.to_owned(), partition)).or_insert(7);
                *offset += 1;
                Record {
                    topic: topic.to_owned(),
                    partition,
                    offset: *offset,
                    key: key.map(str::to_owned),
                    timestamp: time + step * times,
                    bad: fate == 0,
                }
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn every_record_goes_where_upstreams_bookkeeping_would_put_it(
        records in records(),
        template in prop::sample::select(TEMPLATES.to_vec()),
        limit in 0usize..4,
        zone in prop::sample::select(vec!["Europe/Berlin", "Asia/Kathmandu", "America/New_York"]),
    ) {
        let keeps_last = !template.contains("start_offset");
        let limit = if keeps_last { 0 } else { limit };
        let config = [
            ("name", "c"),
            ("connector.class", "AivenKafkaConnectS3Sink"),
            ("topics", "t,u"),
            ("aws.s3.bucket.name", "bucket"),
            ("key.converter", "StringConverter"),
            ("file.name.template", template),
            ("file.name.timestamp.source", "event"),
            ("file.name.timestamp.timezone", zone),
            ("file.max.records", &limit.to_string()),
        ];
        let plan = planned("c", config.into_iter().collect());
        let found = grouped(&plan, &records, NOW);
        let names = plan.names();
        prop_assert!(found.keys().all(|name| name.starts_with(names.prefix()) && names.matches(name)));
        let mut model = Model::default();
        let zone = jiff::tz::TimeZone::get(zone).unwrap();
        for record in records.iter().filter(|record| !record.bad) {
            model.put(template, limit, &zone, record);
        }
        prop_assert_eq!(&found, &model.buffers);
        let mut places: Vec<_> = found.into_values().flatten().collect();
        let count = places.len();
        places.sort();
        places.dedup();
        prop_assert_eq!(places.len(), count, "a record is in two objects");
        if !keeps_last {
            let good = records.iter().filter(|record| !record.bad).count();
            prop_assert_eq!(count, good, "a record is in no object");
        }
    }
}

#[test]
fn a_record_that_s3_has_no_name_for_is_refused_alone() {
    let config = [
        ("name", "c"),
        ("connector.class", "AivenKafkaConnectS3Sink"),
        ("topics", "t"),
        ("aws.s3.bucket.name", "bucket"),
        ("key.converter", "StringConverter"),
        ("file.name.template", "{{key}}"),
    ];
    let plan = planned("c", config.into_iter().collect());
    let mut route = plan.router().route();
    let mut routed = |key: &str| {
        let mut arena = Arena::new();
        arena.bytes_mut().extend_from_slice(key.as_bytes());
        arena.push(data::Offset(0), 0, Some((0, key.len())), None, 0);
        let view = arena.records().next().unwrap();
        route.route(&TopicPartition::new("t", 0), &view, NOW)
    };
    assert!(routed("").unwrap_err().message.contains("0 bytes"));
    assert!(routed(&"k".repeat(1025)).unwrap_err().message.contains("1025 bytes"));
    assert!(matches!(routed(&"k".repeat(1024)).unwrap(), Routed::Open { .. }));
}

#[test]
fn a_record_without_a_time_is_refused_where_its_name_needs_one() {
    let config = [
        ("name", "c"),
        ("connector.class", "AivenKafkaConnectS3Sink"),
        ("topics", "t"),
        ("aws.s3.bucket.name", "bucket"),
        ("file.name.template", "{{topic}}-{{partition}}-{{start_offset}}-{{timestamp:unit=HH}}"),
        ("file.name.timestamp.source", "EVENT"),
    ];
    let plan = planned("c", config.into_iter().collect());
    let mut route = plan.router().route();
    let mut routed = |timestamp: i64| {
        let mut arena = Arena::new();
        arena.push(data::Offset(5), timestamp, None, None, 0);
        let view = arena.records().next().unwrap();
        route.route(&TopicPartition::new("t", 0), &view, NOW)
    };
    assert!(routed(-1).unwrap_err().message.starts_with("record has no timestamp"));
    let Routed::Open { name, .. } = routed(0).unwrap() else { panic!("the first record opens an object") };
    assert_eq!(&*name, "t-0-5-00");
}
