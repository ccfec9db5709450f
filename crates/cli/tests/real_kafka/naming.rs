//! Names of objects and what is gathered under each, in every mode.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::shared;

const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";

/// Names to lines, `T` standing for the topic.
type Objects = &'static [(&'static str, &'static [&'static str])];

/// Records 0 to 5 of each of two partitions: every other one has key aP or bP; 0 to 2 are of the hour that begins at 22
/// (UTC), the others of the next. (A start offset is that of the group as it was first opened, whatever the hour: upstream
/// keeps one head for each partition, or for each key of it.)
const MODES: &[(&str, Objects)] = &[
    (
        "{}",
        &[
            ("T-0-0", &["p0-0", "p0-1", "p0-2", "p0-3", "p0-4", "p0-5"]),
            ("T-1-0", &["p1-0", "p1-1", "p1-2", "p1-3", "p1-4", "p1-5"]),
        ],
    ),
    (
        r#"{"file.name.template": "m1/{{topic}}/{{partition:padding=true}}-{{start_offset:padding=true}}", "file.max.records": "4"}"#,
        &[
            ("m1/T/0000000000-00000000000000000000", &["p0-0", "p0-1", "p0-2", "p0-3"]),
            ("m1/T/0000000000-00000000000000000004", &["p0-4", "p0-5"]),
            ("m1/T/0000000001-00000000000000000000", &["p1-0", "p1-1", "p1-2", "p1-3"]),
            ("m1/T/0000000001-00000000000000000004", &["p1-4", "p1-5"]),
        ],
    ),
    (
        r#"{"file.name.template":
            "m2/{{timestamp:unit=yyyy}}/{{timestamp:unit=MM}}/{{timestamp:unit=dd}}/{{timestamp:unit=HH}}/{{topic}}-{{partition}}-{{start_offset}}",
            "file.name.timestamp.source": "EVENT"}"#,
        &[
            ("m2/2023/11/14/22/T-0-0", &["p0-0", "p0-1", "p0-2"]),
            ("m2/2023/11/14/22/T-1-0", &["p1-0", "p1-1", "p1-2"]),
            ("m2/2023/11/14/23/T-0-0", &["p0-3", "p0-4", "p0-5"]),
            ("m2/2023/11/14/23/T-1-0", &["p1-3", "p1-4", "p1-5"]),
        ],
    ),
    (
        r#"{"file.name.template": "m3/{{timestamp:unit=dd}}.{{timestamp:unit=HH}}-{{topic}}-{{partition}}-{{start_offset}}",
            "file.name.timestamp.source": "event", "file.name.timestamp.timezone": "Asia/Tokyo"}"#,
        &[
            ("m3/15.07-T-0-0", &["p0-0", "p0-1", "p0-2"]),
            ("m3/15.07-T-1-0", &["p1-0", "p1-1", "p1-2"]),
            ("m3/15.08-T-0-0", &["p0-3", "p0-4", "p0-5"]),
            ("m3/15.08-T-1-0", &["p1-3", "p1-4", "p1-5"]),
        ],
    ),
    (
        r#"{"file.name.template": "m4/{{topic}}-{{partition}}-{{key}}-{{start_offset}}"}"#,
        &[
            ("m4/T-0-a0-0", &["p0-0", "p0-2", "p0-4"]),
            ("m4/T-0-b0-1", &["p0-1", "p0-3", "p0-5"]),
            ("m4/T-1-a1-0", &["p1-0", "p1-2", "p1-4"]),
            ("m4/T-1-b1-1", &["p1-1", "p1-3", "p1-5"]),
        ],
    ),
    (
        r#"{"file.name.template": "m5/{{key}}"}"#,
        &[("m5/a0", &["p0-4"]), ("m5/a1", &["p1-4"]), ("m5/b0", &["p0-5"]), ("m5/b1", &["p1-5"])],
    ),
    (
        r#"{"file.name.template": "m6/{{key}}-{{topic}}"}"#,
        &[("m6/a0-T", &["p0-4"]), ("m6/a1-T", &["p1-4"]), ("m6/b0-T", &["p0-5"]), ("m6/b1-T", &["p1-5"])],
    ),
    (
        r#"{"file.name.template": "m7/{{key}}-{{topic}}-{{partition}}"}"#,
        &[("m7/a0-T-0", &["p0-4"]), ("m7/a1-T-1", &["p1-4"]), ("m7/b0-T-0", &["p0-5"]), ("m7/b1-T-1", &["p1-5"])],
    ),
    (
        r#"{"file.name.template": null, "aws.s3.prefix": "m8/{{topic}}/p{{partition}}/", "file.max.records": "5"}"#,
        &[
            ("m8/T/p0/T-0-00000000000000000000", &["p0-0", "p0-1", "p0-2", "p0-3", "p0-4"]),
            ("m8/T/p0/T-0-00000000000000000005", &["p0-5"]),
            ("m8/T/p1/T-1-00000000000000000000", &["p1-0", "p1-1", "p1-2", "p1-3", "p1-4"]),
            ("m8/T/p1/T-1-00000000000000000005", &["p1-5"]),
        ],
    ),
];

#[test]
fn every_mode_of_naming_and_grouping_gives_the_names_and_contents_that_it_promises() {
    let Some(shared) = shared("every_mode_of_naming_and_grouping_gives_the_names_and_contents_that_it_promises") else {
        return;
    };
    let place = shared.place("naming");
    let topic = place.topic(2);
    let records: Vec<Value> = (0..12)
        .map(|n| {
            let (partition, number) = (n / 6, n % 6);
            let letter = ["a", "b"][number % 2];
            // 2023-11-14T22:59:57Z and on.
            json!({"topic": topic, "partition": partition, "key": format!("{letter}{partition}"),
                   "value": format!("p{partition}-{number}"), "timestamp": 1_700_002_797_000 + 1000 * number as i64})
        })
        .collect();
    place.witness.produce(&records);
    let files: Vec<PathBuf> = MODES
        .iter()
        .enumerate()
        .map(|(number, (config, _))| {
            let mut config: Value = serde_json::from_str(config).expect("JSON");
            if number == 0 {
                config["file.name.template"] = Value::Null;
            }
            config["value.converter"] = BYTES.into();
            config["format.output.type"] = "csv".into();
            config["format.output.fields"] = "value".into();
            config["format.output.fields.value.encoding"] = "none".into();
            place.connector(&format!("{topic}-{number}"), &config)
        })
        .collect();
    place.drain(&files.iter().map(PathBuf::as_path).collect::<Vec<&Path>>());
    let found = place.witness.objects(&place.name, "", "none");
    let expected: BTreeMap<String, String> = MODES
        .iter()
        .flat_map(|(_, objects)| *objects)
        .map(|(name, lines)| (name.replace('T', &topic), lines.join("\n")))
        .collect();
    assert_eq!(found, expected);
}
