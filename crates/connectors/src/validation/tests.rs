use serde_json::{Value, json};
use world::Environment;

use super::*;

const CLASS: &str = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

fn worker() -> WorkerConfig {
    let config = [
        ("key.converter", STRING),
        ("value.converter", "StringConverter"),
        ("config.providers", "env"),
        ("config.providers.env.class", "EnvVarConfigProvider"),
    ];
    WorkerConfig::from_config(config.into_iter().collect(), &Environment::of([("BUCKET", "lake")])).unwrap()
}

fn validated(changes: &[(&str, &str)]) -> Validation {
    let mut config: Config = [
        ("name", "v1"),
        ("connector.class", CLASS),
        ("topics", "cf-in"),
        ("aws.s3.bucket.name", "lake"),
        ("format.output.type", "jsonl"),
    ]
    .into_iter()
    .collect();
    for (key, value) in changes {
        config.set(*key, *value);
    }
    validate(&ConnectorFile::from_config("validate", config), &worker())
}

fn key<'a>(validation: &'a Validation, name: &str) -> &'a KeyReport {
    validation.keys.iter().find(|key| key.name == name).unwrap_or_else(|| panic!("{name} is reported"))
}

#[test]
fn a_password_inside_a_url_is_not_shown() {
    let validation = validated(&[("aws.s3.endpoint", "https://user:pw@minio.example.com")]);
    assert_eq!(key(&validation, "aws.s3.endpoint").value.as_deref(), Some("[hidden]"));
    let validation = validated(&[("aws.s3.endpoint", "https://minio.example.com")]);
    assert_eq!(key(&validation, "aws.s3.endpoint").value.as_deref(), Some("https://minio.example.com"));
}

/// A key as the recordings hold it.
fn recorded(text: &KeyText, recommended: &[String]) -> Value {
    json!({
        "name": text.name, "type": text.kind, "required": text.required, "default_value": text.default,
        "importance": text.importance, "group": text.group, "order": text.order, "width": text.width,
        "display_name": text.display_name, "dependents": text.dependents, "recommended": recommended,
    })
}

/// `GET /connector-plugins/../config` and the recommended values of a validation, as Kafka Connect 4.1.0 answers for the
/// real class. The worker of the recording had another converter, and one class of converters more.
#[test]
fn every_key_of_aivens_sink_is_told_as_connect_tells_it() {
    let recording: Value = serde_json::from_str(include_str!("aiven-keys.json")).unwrap();
    let recording: Vec<Value> = recording.as_array().unwrap().clone();
    let validation = validated(&[]);
    let ours: Vec<Value> = validation
        .keys
        .iter()
        .filter(|key| key.definition.as_ref().is_none_or(|text| text.group.as_deref() != Some("Tidegate")))
        .map(|key| recorded(key.definition.as_ref().unwrap(), &key.recommended))
        .collect();
    let names = |keys: &[Value]| keys.iter().map(|key| key["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&recording));
    for (ours, recorded) in ours.iter().zip(&recording) {
        let mut recorded = recorded.clone();
        let is_converter =
            ["key.converter", "value.converter", "header.converter"].contains(&ours["name"].as_str().unwrap());
        if is_converter {
            recorded["default_value"] = ours["default_value"].clone();
            let classes = recorded["recommended"].as_array_mut().unwrap();
            classes.retain(|class| class != "io.confluent.connect.avro.AvroConverter");
        }
        assert_eq!(*ours, recorded);
    }
    assert_eq!(validation.error_count, 0);
    assert_eq!(
        validation.groups,
        [
            "Common",
            "Transforms",
            "Predicates",
            "Error Handling",
            "AWS",
            "AWS STS",
            "S3 retry backoff policy",
            "File",
            "Format",
            "Tidegate"
        ]
    );
    assert_eq!(key(&validation, "value.converter").value.as_deref(), Some(STRING), "the worker's, by its full name");
    assert_eq!(key(&validation, "topics").value.as_deref(), Some("cf-in"));
    assert_eq!(key(&validation, "aws.s3.region").value, None);
}

#[test]
fn errors_stand_beside_their_keys_and_are_counted_one_by_one() {
    let validation = validated(&[("tasks.max", "x"), ("topics", ""), ("aws.s3.region", "e u")]);
    assert_eq!(
        key(&validation, "tasks.max").errors,
        [
            "Invalid value x for configuration tasks.max: Not a number of type INT",
            "Invalid value null for configuration tasks.max: Value must be non-null",
        ]
    );
    assert_eq!(key(&validation, "tasks.max").value, None);
    for name in ["topics", "topics.regex"] {
        assert_eq!(key(&validation, name).errors, ["Must configure one of topics or topics.regex"]);
    }
    assert_eq!(key(&validation, "aws.s3.region").value.as_deref(), Some("e u"), "what can be read is shown");
    assert_eq!(validation.error_count, 5);
}

#[test]
fn secrets_are_hidden_wherever_they_stand() {
    let validation = validated(&[
        ("aws.access.key.id", "AKIA1234567890123456"),
        ("aws.secret.access.key", "hunter2hunter2"),
        ("tasks.max", "hunter2hunter2"),
        ("consumer.override.sasl.jaas.config", "module required password=hunter2hunter2;"),
        ("aws.s3.bucket.name", "${env:BUCKET}"),
    ]);
    assert_eq!(key(&validation, "aws.secret.access.key").value.as_deref(), Some("[hidden]"));
    assert_eq!(key(&validation, "consumer.override.sasl.jaas.config").value.as_deref(), Some("[hidden]"));
    assert_eq!(key(&validation, "aws.s3.bucket.name").value.as_deref(), Some("${env:BUCKET}"));
    assert_eq!(validation.error_count, 2);
    assert!(!format!("{validation:?}").contains("hunter2"), "{validation:?}");
}

#[test]
fn a_converter_of_the_connectors_own_shows_its_settings() {
    let validation = validated(&[
        ("value.converter", "JsonConverter"),
        ("value.converter.schemas.enable", "perhaps"),
        ("key.converter.encoding", "UTF-8"),
    ]);
    assert_eq!(key(&validation, "value.converter.converter.type").value.as_deref(), Some("value"));
    assert_eq!(key(&validation, "value.converter.schemas.cache.size").value.as_deref(), Some("1000"));
    let enable = key(&validation, "value.converter.schemas.enable");
    assert_eq!(
        enable.errors,
        ["Invalid value perhaps for configuration schemas.enable: Expected value to be either true or false"]
    );
    assert_eq!(enable.definition.as_ref().unwrap().group.as_deref(), Some("Schemas"));
    assert_eq!(validation.groups[validation.groups.len() - 2..], ["Schemas", "Serialization"]);
    assert!(
        !validation.keys.iter().any(|key| key.name.starts_with("key.converter.") && !key.name.ends_with("version"))
    );
    assert_eq!(validation.error_count, 1);
}

#[test]
fn what_no_table_has_is_named_only_if_something_is_wrong_with_it() {
    let json =
        format!(r#"{{"name": "v1", "config": {{"connector.class": "{CLASS}", "topics": "t", "x": null, "y": "1"}}}}"#);
    let validation = validate(&ConnectorFile::from_json("validate", &json).unwrap(), &worker());
    let first = &validation.keys[0];
    assert_eq!(first.name, "x");
    assert!(first.definition.is_none());
    assert_eq!(first.errors, ["Null value can not be supplied as the configuration value."]);
    assert!(!validation.keys.iter().any(|key| key.name == "y"));
}

#[test]
fn definitions_are_there_for_every_class_that_is_listed() {
    for plugin in plugins() {
        assert!(definitions(plugin.class).is_some(), "{}", plugin.class);
        let simple = plugin.class.rsplit('.').next().unwrap();
        assert_eq!(definitions(simple), definitions(plugin.class));
    }
    assert_eq!(definitions("com.example.Nope"), None);
    assert_eq!(definitions("org.apache.kafka.connect.storage.SimpleHeaderConverter"), Some(Vec::new()));
    let json = definitions("JsonConverter").unwrap();
    let names: Vec<_> = json.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(
        names,
        ["converter.type", "schemas.enable", "schemas.cache.size", "decimal.format", "replace.null.with.default"]
    );
    let sink = definitions("AivenKafkaConnectS3Sink").unwrap();
    let text = |name: &str| sink.iter().find(|key| key.name == name).unwrap();
    assert_eq!(text("connector.plugin.version").default.as_deref(), Some("3.4.2"));
    assert_eq!(text("key.converter").default, None);
    assert_eq!(sink[0].name, "name");
    assert_eq!(sink.last().unwrap().group.as_deref(), Some("Tidegate"));
}
