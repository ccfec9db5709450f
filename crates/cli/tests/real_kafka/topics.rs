//! Topics that come, grow and lose records while connectors run.

use serde_json::{Value, json};

use crate::support::{SOON, eventually, shared};
use crate::witness::numbered;

#[test]
fn new_topics_that_match_and_new_partitions_are_taken_up_while_it_runs() {
    let Some(shared) = shared("new_topics_that_match_and_new_partitions_are_taken_up_while_it_runs") else { return };
    let place = shared.place("regex");
    let name = |which: &str| format!("{}-{which}", place.name);
    let create = |which: &str| {
        place.witness.ask("create_topics", json!({"topics": {name(which): {"partitions": 1}}}));
        place.witness.produce(&numbered(&name(which), 1, 0..10));
    };
    create("a");
    let config = json!({
        "topics": null,
        // Java's syntax: a look-ahead.
        "topics.regex": format!("{}-(?!no).*", place.name),
        "tidegate.rotate.interval.ms": "200",
        "consumer.override.metadata.max.age.ms": "500",
    });
    let file = place.connector(&place.name, &config);
    let mut run = place.run(&[&file], &[]);
    let count = |prefix: &str| -> usize {
        place.witness.objects(&place.name, prefix, "none").values().map(|text| text.lines().count()).sum()
    };
    eventually("the topic that was there is stored", || count(&format!("{}/0/", name("a"))) == 10);
    create("not-wanted");
    create("b");
    eventually("a new topic is stored", || count(&format!("{}/0/", name("b"))) == 10);
    place.witness.ask("create_partitions", json!({"topic": name("a"), "total": 2}));
    let records: Vec<Value> = numbered(&name("a"), 1, 10..20)
        .into_iter()
        .map(|mut record| {
            record["partition"] = 1.into();
            record
        })
        .collect();
    // With settings of its own, the producer is new, and knows the partition.
    place.witness.ask("produce", json!({"records": records, "config": {"linger.ms": 0}}));
    eventually("a new partition is stored", || count(&format!("{}/1/", name("a"))) == 10);
    run.terminate();
    assert_eq!(run.exit(SOON).code(), Some(0), "{}", run.log());
    assert_eq!(count(""), 30, "nothing else");
}

#[test]
fn records_that_retention_took_are_passed_over_and_the_others_stored() {
    let Some(shared) = shared("records_that_retention_took_are_passed_over_and_the_others_stored") else { return };
    let place = shared.place("retention");
    let topic = place.topic(1);
    place.witness.produce(&numbered(&topic, 1, 0..30));
    place.witness.ask("commit", json!({"group": format!("connect-{topic}"), "topic": topic, "offsets": {"0": 5}}));
    place.witness.ask("delete_records", json!({"topic": topic, "before": {"0": 12}}));
    place.drain(&[&place.connector(&topic, &json!({}))]);
    let objects = place.witness.objects(&place.name, "", "none");
    assert_eq!(objects.keys().collect::<Vec<_>>(), [&format!("{topic}/0/12")]);
    let offsets: Vec<i64> = objects[&format!("{topic}/0/12")]
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["offset"].as_i64().expect("an offset"))
        .collect();
    assert_eq!(offsets, (12..30).collect::<Vec<_>>());
    assert_eq!(place.committed(&topic), [(0, 30)]);
}
