//! Every output format under every compression, with records of every producer.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::shared;
use crate::witness::Witness;

const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const PARTITIONS: usize = 3;
const PRODUCER_CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// What a record is made of; its number decides.
struct Sample {
    number: usize,
}

impl Sample {
    fn key(&self) -> Option<String> {
        match self.number {
            n if n % 5 == 0 => None,
            n if n % 7 == 0 => Some(String::new()),
            n => Some(format!("key, \"{}\" é", n % 9)),
        }
    }

    /// Tombstones, empty texts, and what each format has to escape.
    fn value(&self) -> Option<String> {
        match self.number {
            n if n % 6 == 0 => None,
            n if n % 11 == 0 => Some(String::new()),
            n => Some(format!("{n} a,b\n\"c\"\t\\ {{}} \u{1f980} {}", "pad ".repeat(n % 40))),
        }
    }

    fn headers(&self) -> Vec<(String, String)> {
        (0..self.number % 4).map(|n| (format!("h{}", n % 2), format!("v{n}\""))).collect()
    }

    fn partition(&self) -> usize {
        self.number % PARTITIONS
    }

    /// Numbers are 1 to 999: the milliseconds of one second.
    fn timestamp(&self) -> i64 {
        1_700_000_000_000 + self.number as i64
    }

    fn time(&self) -> String {
        format!("2023-11-14T22:13:20.{:03}Z", self.number)
    }

    fn to_produce(&self, topic: &str) -> Value {
        json!({"topic": topic, "partition": self.partition(), "key": self.key(), "value": self.value(),
               "timestamp": self.timestamp(), "headers": self.headers()})
    }

    fn as_json(&self, offset: usize) -> Value {
        let headers: Vec<Value> =
            self.headers().into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        json!({"key": self.key(), "value": self.value(), "offset": offset, "timestamp": self.time(), "headers": headers})
    }

    fn as_csv(&self, offset: usize) -> String {
        let encoded = |text: Option<String>| base64(text.unwrap_or_default().as_bytes());
        let mut headers = String::new();
        for (key, value) in self.headers() {
            write!(headers, "{}:{};", base64(key.as_bytes()), base64(value.as_bytes())).expect("a string");
        }
        format!("{},{},{offset},{},{headers}", encoded(self.key()), encoded(self.value()), self.timestamp())
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let sextet = bits >> (18 - 6 * digit) & 63;
            out.push(if digit <= chunk.len() { char::from(DIGITS[sextet as usize]) } else { '=' });
        }
    }
    out
}

/// What an object of this format is to hold, as documents or lines.
fn documents(format: &str, text: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    match format {
        "csv" => text.split('\n').map(Value::from).collect(),
        "jsonl" => text.split('\n').map(parse).collect(),
        _ => match parse(text) {
            Value::Array(documents) => documents,
            other => panic!("no array: {other}"),
        },
    }
}

#[test]
fn every_format_and_compression_holds_the_records_of_every_producer_codec() {
    let Some(shared) = shared("every_format_and_compression_holds_the_records_of_every_producer_codec") else { return };
    let place = shared.place("contents");
    let topic = place.topic(PARTITIONS as u32);
    let samples: Vec<Sample> = (1..=400).map(|number| Sample { number }).collect();
    for (codec, some) in PRODUCER_CODECS.iter().zip(samples.chunks(80)) {
        let records: Vec<Value> = some.iter().map(|sample| sample.to_produce(&topic)).collect();
        let config = json!({"compression.type": codec, "linger.ms": 100});
        place.witness.ask("produce", json!({"records": records, "config": config}));
    }
    let cases: Vec<(&str, &str)> = ["csv", "json", "jsonl"]
        .into_iter()
        .flat_map(|format| ["none", "gzip", "snappy", "zstd"].map(|codec| (format, codec)))
        .collect();
    // All of them in one process.
    let files: Vec<PathBuf> = cases
        .iter()
        .map(|(format, codec)| {
            let converter = if *format == "csv" { BYTES } else { STRING };
            let config = json!({
                "format.output.type": format,
                "format.output.fields": "key,value,offset,timestamp,headers",
                "file.compression.type": codec,
                "file.name.template": format!("{format}-{codec}/{{{{topic}}}}/{{{{partition}}}}/{{{{start_offset}}}}"),
                "key.converter": converter, "value.converter": converter, "header.converter": converter,
            });
            place.connector(&format!("{topic}-{format}-{codec}"), &config)
        })
        .collect();
    place.drain(&files.iter().map(PathBuf::as_path).collect::<Vec<&Path>>());
    for (format, codec) in cases {
        let objects = place.witness.objects(&place.name, &format!("{format}-{codec}/"), codec);
        assert_eq!(objects.len(), PARTITIONS, "{format} {codec}: {:?}", objects.keys());
        for partition in 0..PARTITIONS {
            let found = documents(format, &objects[&format!("{format}-{codec}/{topic}/{partition}/0")]);
            let of_partition = samples.iter().filter(|sample| sample.partition() == partition).enumerate();
            let expected: Vec<Value> = of_partition
                .map(|(offset, sample)| match format {
                    "csv" => sample.as_csv(offset).into(),
                    _ => sample.as_json(offset),
                })
                .collect();
            assert_eq!(found.len(), expected.len(), "{format} {codec} {partition}");
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found, expected, "{format} {codec} {partition}");
            }
        }
    }
}

/// Java's producer frames snappy and lz4 unlike librdkafka.
#[test]
fn records_of_javas_producer_arrive_under_each_of_its_codecs() {
    let Some(shared) = shared("records_of_javas_producer_arrive_under_each_of_its_codecs") else { return };
    let place = shared.place("java");
    let topic = place.topic(1);
    let known: Vec<String> = (0..50).map(|n| format!("payload {n} {}", "xy".repeat(n))).collect();
    let payloads = place.write(
        "payloads",
        &known.join(
            "
",
        ),
    );
    let payloads = payloads.to_str().expect("plain");
    let bootstrap = format!("bootstrap.servers={}", place.bootstrap);

    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let compression = format!("compression.type={codec}");
        let class = "org.apache.kafka.tools.ProducerPerformance";
        let arguments =
            [class, "--topic", &topic, "--num-records", "500", "--payload-file", payloads, "--throughput", "-1"];
        let props = ["--producer-props", &bootstrap, &compression, "linger.ms=20"];
        shared.kafka.script("tool", &[&arguments[..], &props[..]].concat());
    }
    place.drain(&[&place.connector(&topic, &json!({}))]);
    place.each_record_is_in_one_object("");
    place.no_upload_is_left();
    assert_eq!(place.ends(), [(0, 2000)]);
    for text in place.witness.objects(&place.name, "", "none").values() {
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let value = line["value"].as_str().expect("a text");
            assert!(known.iter().any(|payload| payload == value), "{value:?} was never produced");
        }
    }
}

/// The witness is to notice what is missing: were it blind, every test here would pass.
#[test]
fn the_witness_sees_an_object_and_its_absence() {
    let Some(shared) = shared("the_witness_sees_an_object_and_its_absence") else { return };
    let place = shared.place("witness");
    let seen = |witness: &Witness| witness.objects(&place.name, "", "none").len();
    let topic = place.topic(1);
    assert_eq!(seen(&place.witness), 0);
    place.witness.produce(&[json!({"topic": topic, "value": "v"})]);
    place.drain(&[&place.connector(&topic, &json!({}))]);
    assert_eq!(seen(&place.witness), 1);
}
