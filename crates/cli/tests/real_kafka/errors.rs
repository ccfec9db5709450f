//! Records that cannot be used.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Place, SOON, shared};

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// Good records, but for one of partition 0 whose value is no JSON, and one of partition 1 whose key is none.
fn produce(place: &Place) -> String {
    let topic = place.topic(2);
    let records: Vec<Value> = (0..20)
        .map(|n| {
            let (partition, offset) = (n % 2, n / 2);
            let key = if (partition, offset) == (1, 7) { "[no key".to_owned() } else { format!("{{\"k\":{n}}}") };
            let value = if (partition, offset) == (0, 5) { "{no value".to_owned() } else { format!("{{\"n\":{n}}}") };
            json!({"topic": topic, "partition": partition, "key": key, "value": value, "headers": [["own", "header"]],
                   "timestamp": 1_700_000_000_000_i64 + n})
        })
        .collect();
    place.witness.produce(&records);
    topic
}

fn config(more: &Value) -> Value {
    let mut config = json!({
        "key.converter": JSON, "key.converter.schemas.enable": "false",
        "value.converter": JSON, "value.converter.schemas.enable": "false",
    });
    for (key, value) in more.as_object().expect("an object") {
        config[key] = value.clone();
    }
    config
}

/// Partition and offset of what is stored, each once.
fn stored(place: &Place) -> BTreeSet<(i64, i64)> {
    let mut places = BTreeSet::new();
    for (key, text) in place.witness.objects(&place.name, "", "none") {
        let partition = key.split('/').nth(1).and_then(|text| text.parse().ok()).expect("a partition");
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let offset = line["offset"].as_i64().expect("an offset");
            assert!(places.insert((partition, offset)), "{offset} of {partition} is stored twice");
        }
    }
    places
}

#[test]
fn a_connector_that_cannot_go_on_does_not_keep_the_others_from_draining() {
    let Some(shared) = shared("a_connector_that_cannot_go_on_does_not_keep_the_others_from_draining") else { return };
    let place = shared.place("neighbours");
    produce(&place);
    let under = |folder: &str, tolerance: &str| {
        let template = format!("{folder}/{{{{topic}}}}/{{{{partition}}}}/{{{{start_offset}}}}");
        config(&json!({"errors.tolerance": tolerance, "file.name.template": template}))
    };
    let strict = place.connector("neighbour-strict", &under("strict", "none"));
    let lenient = place.connector("neighbour-lenient", &under("lenient", "all"));
    let mut run = place.run(&[&strict, &lenient], &["--drain"]);
    assert_eq!(run.exit(SOON).code(), Some(3), "{}", run.log());
    assert_eq!(place.committed("neighbour-lenient"), [(0, 10), (1, 10)], "{}", run.log());
}

#[test]
fn a_bad_record_stops_the_connector_by_name_and_nothing_is_lost_once_that_is_mended() {
    let Some(shared) = shared("a_bad_record_stops_the_connector_by_name_and_nothing_is_lost_once_that_is_mended")
    else {
        return;
    };
    let place = shared.place("stops");
    let topic = produce(&place);
    let strict = place.connector(&topic, &config(&json!({})));
    // Whichever is met first; the connector ends there.
    let mut run = place.run(&[&strict], &["--drain"]);
    assert_eq!(run.exit(SOON).code(), Some(3), "{}", run.log());
    let said = run.says(&["cannot be used", "connector="]);
    let bad = if said.contains(&format!("record 5 of {topic}-0 ")) {
        assert!(said.contains("VALUE_CONVERTER"), "{said}");
        (0, 5)
    } else {
        assert!(said.contains(&format!("record 7 of {topic}-1 ")) && said.contains("KEY_CONVERTER"), "{said}");
        (1, 7)
    };
    assert!(said.contains("errors.tolerance=all"), "the hint is there: {said}");
    // What was before it is stored and committed; what comes behind it is not.
    let before = stored(&place);
    let committed: std::collections::BTreeMap<i64, i64> = place.committed(&topic).into_iter().collect();
    assert_eq!(committed.get(&bad.0), Some(&bad.1), "{committed:?}");
    let below = |place: &(i64, i64)| committed.get(&place.0).is_some_and(|end| place.1 < *end);
    assert!(before.iter().all(below), "{before:?} of {committed:?}");
    assert_eq!(before.len() as i64, committed.values().sum::<i64>());

    // Mended: tolerated, and reported.
    let letters = format!("{topic}-letters");
    let lenient = place.connector(
        &topic,
        &config(&json!({
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": letters,
            "errors.deadletterqueue.topic.replication.factor": "1",
            "errors.deadletterqueue.context.headers.enable": "true",
        })),
    );
    place.drain(&[&lenient]);
    let good: BTreeSet<(i64, i64)> = (0..2)
        .flat_map(|partition| (0..10).map(move |offset| (partition, offset)))
        .filter(|place| ![(0, 5), (1, 7)].contains(place))
        .collect();
    assert_eq!(stored(&place), good);
    assert_eq!(place.committed(&topic), [(0, 10), (1, 10)]);
    let letters = place.witness.ask("records", json!({"topic": letters}));
    let letters = letters.as_array().expect("a list");
    assert_eq!(letters.len(), 2);
    for letter in letters {
        as_connect_sends_it(letter, &topic);
    }
}

/// The record as it was, with the ten headers of Connect's reporter behind its own.
fn as_connect_sends_it(letter: &Value, topic: &str) {
    let (partition, offset, number, stage) =
        if letter["value"] == "{no value" { (0, 5, 10, "VALUE_CONVERTER") } else { (1, 7, 15, "KEY_CONVERTER") };
    if stage == "VALUE_CONVERTER" {
        assert_eq!(letter["key"], format!("{{\"k\":{number}}}"));
    } else {
        assert_eq!((&letter["key"], &letter["value"]), (&"[no key".into(), &format!("{{\"n\":{number}}}").into()));
    }
    assert_eq!(letter["timestamp"], 1_700_000_000_000_i64 + number);
    let message = "Converting byte[] to Kafka Connect data failed due to serialization error: ";
    let exception = "org.apache.kafka.connect.errors.DataException";
    let headers = letter["headers"].as_array().expect("a list");
    let expected = [
        ("own", "header".to_owned()),
        ("__connect.errors.topic", topic.to_owned()),
        ("__connect.errors.partition", partition.to_string()),
        ("__connect.errors.offset", offset.to_string()),
        ("__connect.errors.connector.name", topic.to_owned()),
        ("__connect.errors.task.id", "0".to_owned()),
        ("__connect.errors.stage", stage.to_owned()),
        ("__connect.errors.class.name", JSON.to_owned()),
        ("__connect.errors.exception.class.name", exception.to_owned()),
        ("__connect.errors.exception.message", message.to_owned()),
    ];
    let (stacktrace, others) = headers.split_last().expect("eleven");
    let found: Vec<(&str, String)> = others
        .iter()
        .map(|header| (header[0].as_str().expect("a name"), header[1].as_str().expect("a text").to_owned()))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(stacktrace[0], "__connect.errors.exception.stacktrace");
    let stacktrace = stacktrace[1].as_str().expect("a text");
    assert!(stacktrace.starts_with(&format!("{exception}: {message}")), "{stacktrace}");
}

#[test]
fn a_dead_letters_topic_with_more_replicas_than_brokers_is_refused_with_what_to_do() {
    let test = "a_dead_letters_topic_with_more_replicas_than_brokers_is_refused_with_what_to_do";
    let Some(shared) = shared(test) else { return };
    let place = shared.place("replicas");
    let topic = produce(&place);
    let queue = json!({"errors.tolerance": "all", "errors.deadletterqueue.topic.name": format!("{topic}-letters")});
    let mut run = place.run(&[&place.connector(&topic, &config(&queue))], &["--exit-on-failure"]);
    assert_eq!(run.exit(SOON).code(), Some(3), "{}", run.log());
    run.says(&[
        "could not create the dead letters' topic",
        "set errors.deadletterqueue.topic.replication.factor to at most",
    ]);
    assert_eq!(place.committed(&topic), []);
}
