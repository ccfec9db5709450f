//! Objects against those that the real connector wrote: a few recorded cases in `aiven.json`, and all that the directory
//! `TIDEGATE_CONFORMANCE` holds.
//!
//! Only what this crate decides is compared: the bytes of each object of a topic's partition in the default naming.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64_simd::STANDARD;
use data::{Converter, Role};
use format::text::{Converters, Field, Format, Kind, Layout, ValueEncoding};
use format::{Codec, Compression};
use serde_json::Value;

use crate::{Sample, object, unpack};

/// One recorded run of the connector.
struct Case {
    name: String,
    /// Its configuration over the worker's.
    config: BTreeMap<String, String>,
    records: Vec<Value>,
    objects: Vec<Value>,
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

impl Case {
    fn new(case: &Value, objects: Vec<Value>) -> Self {
        let mut config = BTreeMap::new();
        for part in ["worker", "config"] {
            for (key, value) in case[part].as_object().into_iter().flatten() {
                config.insert(key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
        }
        let records = case["records"].as_array().cloned().unwrap_or_default();
        Self { name: case["name"].as_str().unwrap_or_default().to_owned(), config, records, objects }
    }

    fn get<'a>(&'a self, keys: [&str; 2], default: &'a str) -> &'a str {
        keys.iter().find_map(|key| self.config.get(*key)).map_or(default, String::as_str)
    }

    /// Whether its objects are decided here: a text format, names by topic, partition and offset, nothing between the
    /// converters and the format.
    fn concerns_us(&self) -> bool {
        const OTHERS: [&str; 6] =
            ["file.name.template", "file.max.records", "transforms", "aws.s3.prefix", "aws_s3_prefix", "predicates"];
        let plain = |bytes: &Value| bytes.is_null() || bytes.is_string();
        ["csv", "json", "jsonl"].contains(&self.get(["format.output.type"; 2], "csv").to_lowercase().as_str())
            && !self.objects.is_empty()
            && OTHERS.iter().all(|key| !self.config.contains_key(*key))
            && !self.config.values().any(|value| value.contains("io.confluent"))
            && self.records.iter().all(|record| plain(&record["key"]) && plain(&record["value"]))
            && self.records.iter().all(|record| record.get("phase").is_none())
    }

    fn format(&self) -> (std::sync::Arc<Format>, Codec, bool) {
        let kind = match self.get(["format.output.type"; 2], "csv").to_lowercase().as_str() {
            "csv" => Kind::Csv,
            "json" => Kind::Json,
            _ => Kind::Jsonl,
        };
        let fields = self.get(["format.output.fields", "output_fields"], "value").to_lowercase();
        let fields: Vec<Field> = fields.split(',').map(|name| crate::field(name.trim())).collect();
        let value_encoding = match self.get(["format.output.fields.value.encoding"; 2], "base64") {
            "none" => ValueEncoding::None,
            _ => ValueEncoding::Base64,
        };
        let envelope = self.get(["format.output.envelope"; 2], "true") != "false";
        let codec: Codec = self.get(["file.compression.type", "output_compression"], "gzip").parse().unwrap();
        let converter = |role: Role, default: &str| {
            let class = self.get([role.config_key(); 2], default);
            Converter::new(role, class, &self.config).unwrap()
        };
        let converters = Converters {
            key: converter(Role::Key, "ByteArrayConverter"),
            value: converter(Role::Value, "ByteArrayConverter"),
            header: converter(Role::Header, "SimpleHeaderConverter"),
        };
        let exact = kind == Kind::Csv || !self.config.values().any(|value| value.ends_with("JsonConverter"));
        let layout = Layout { kind, fields, value_encoding, envelope };
        (Format::new(layout, converters, Compression::new(codec, None, "").unwrap()), codec, exact)
    }

    /// The records of each partition, by the start of its object's name.
    fn partitions(&self) -> BTreeMap<String, Vec<Sample>> {
        let mut partitions: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
        for record in &self.records {
            let decode = |bytes: &Value| bytes.as_str().map(|bytes| STANDARD.decode_to_vec(bytes).unwrap());
            let place = format!("{}-{}-", text(record, "topic").unwrap(), record["partition"].as_i64().unwrap_or(0));
            let samples = partitions.entry(place).or_default();
            let headers = record["headers"].as_array().into_iter().flatten();
            samples.push(Sample {
                offset: samples.len() as i64,
                timestamp: record["timestamp"].as_i64().unwrap_or(-1),
                key: decode(&record["key"]),
                value: decode(&record["value"]),
                headers: headers
                    .map(|header| (header[0].as_str().unwrap_or_default().into(), decode(&header[1])))
                    .collect(),
            });
        }
        partitions
    }

    /// What differs, and how many objects were compared.
    fn differences(&self) -> (Vec<String>, usize) {
        let (format, codec, exact) = self.format();
        let mut differences = Vec::new();
        let mut compared = 0;
        for (place, samples) in self.partitions() {
            let Some(theirs) = self.objects.iter().find(|object| object["key"].as_str().unwrap().starts_with(&place))
            else {
                continue;
            };
            let Some(stored) = text(theirs, "bytes") else { continue };
            let theirs = unpack(codec, &STANDARD.decode_to_vec(stored).unwrap());
            let (packed, faults) = object(&format, &samples);
            let ours = unpack(codec, &packed);
            if !faults.is_empty() && self.config.get("errors.tolerance").is_none_or(|tolerance| tolerance != "all") {
                // What upstream leaves behind when it fails is no example.
                continue;
            }
            compared += 1;
            let equal = if exact {
                ours == theirs
            } else {
                let lines =
                    |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>();
                let (ours, theirs) = (lines(&ours), lines(&theirs));
                let line = |text: &str| text.trim_end_matches(',').to_owned();
                ours.len() == theirs.len()
                    && ours
                        .iter()
                        .zip(&theirs)
                        .all(|(ours, theirs)| ours == theirs || crate::connect::same_json(&line(ours), &line(theirs)))
            };
            if !equal {
                let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(600).collect::<String>();
                differences.push(format!("{} {place}: {:?}, theirs {:?}", self.name, shown(&ours), shown(&theirs)));
            }
        }
        (differences, compared)
    }
}

#[track_caller]
fn agree(cases: &[Case], least: usize) {
    let (mut differences, mut compared) = (Vec::new(), 0);
    for case in cases.iter().filter(|case| case.concerns_us()) {
        let (found, count) = case.differences();
        differences.extend(found);
        compared += count;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(compared >= least, "only {compared} objects were compared");
}

#[test]
fn objects_agree_with_those_of_aivens_sink() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("aiven.json")).unwrap();
    let cases: Vec<Case> =
        cases.iter().map(|case| Case::new(case, case["objects"].as_array().cloned().unwrap_or_default())).collect();
    agree(&cases, 20);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own switch")]
fn objects_agree_with_all_recorded_ones() {
    let Ok(directory) = std::env::var("TIDEGATE_CONFORMANCE") else {
        #[expect(clippy::print_stderr, reason = "says that it was not run")]
        {
            eprintln!("not run: TIDEGATE_CONFORMANCE names no directory");
        }
        return;
    };
    let aiven = Path::new(&directory).join("aiven");
    let read = |path: &Path| fs::read(path).ok().map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap());
    let mut cases = Vec::new();
    for entry in fs::read_dir(aiven.join("cases")).unwrap() {
        let path = entry.unwrap().path();
        let golden = aiven.join("golden").join(path.file_stem().unwrap()).join("objects.json");
        if let (Some(case), Some(Value::Array(objects))) = (read(&path), read(&golden)) {
            cases.push(Case::new(&case, objects));
        }
    }
    agree(&cases, 60);
}
