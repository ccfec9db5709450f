//! Several processes in one group, while records flow.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Place, Run, SOON, eventually, shared};
use crate::witness::record;

const PARTITIONS: u32 = 6;
const METRICS: [&str; 2] = ["--metrics-addr", "127.0.0.1:0"];

/// How many partitions it holds.
fn held(run: &Run) -> usize {
    run.metrics().iter().filter(|(name, _)| name.starts_with("tidegate_uncommitted_records{")).count()
}

fn begin(place: &Place, rate: u32) {
    place.witness.ask("begin_flow", json!({"topic": place.name, "partitions": PARTITIONS, "rate": rate}));
}

/// Ends the flow, lets the processes end in an orderly way, stores what is left, and counts.
fn settle(place: &Place, file: &std::path::Path, runs: &mut [&mut Run]) {
    let produced = place.witness.ask("end_flow", json!({}));
    for run in runs.iter() {
        run.terminate();
    }
    for run in runs {
        assert_eq!(run.exit(SOON).code(), Some(0), "{}", run.log());
    }
    place.drain(&[file]);
    place.each_record_is_in_one_object("");
    let stored: i64 = place.ends().iter().map(|(_, end)| end).sum();
    assert_eq!(produced, json!(stored));
}

fn processes_share_the_work(test: &str, protocol: &Value) {
    let Some(shared) = shared(test) else { return };
    let place = shared.place("group");
    place.topic(PARTITIONS);
    let mut config = json!({"tidegate.rotate.interval.ms": "300"});
    for (key, value) in protocol.as_object().expect("an object") {
        config[format!("consumer.override.{key}")] = value.clone();
    }
    let file = place.connector(&place.name, &config);
    begin(&place, 500);
    let mut first = place.run(&[&file], &METRICS);
    eventually("the first has all partitions", || {
        held(&first) == 6 && first.metric("tidegate_objects_total", "") > 0.0
    });
    let mut second = place.run(&[&file], &METRICS);
    eventually("both have half of them", || held(&first) == 3 && held(&second) == 3);
    eventually("the second writes", || second.metric("tidegate_objects_total", "") > 3.0);
    first.kill();
    eventually("the second has taken over", || held(&second) == 6);
    let objects = second.metric("tidegate_objects_total", "");
    eventually("the second goes on", || second.metric("tidegate_objects_total", "") > objects + 6.0);
    let mut first = place.run(&[&file], &METRICS);
    eventually("both have half of them again", || held(&first) == 3 && held(&second) == 3);
    eventually("the first writes again", || first.metric("tidegate_objects_total", "") > 3.0);
    assert!(second.is_running(), "{}", second.log());
    settle(&place, &file, &mut [&mut first, &mut second]);
}

#[test]
fn a_killed_process_of_a_classic_group_loses_and_doubles_nothing() {
    let test = "a_killed_process_of_a_classic_group_loses_and_doubles_nothing";
    processes_share_the_work(test, &json!({"session.timeout.ms": "3000", "heartbeat.interval.ms": "300"}));
}

#[test]
fn a_killed_process_of_a_group_that_rebalances_cooperatively_loses_and_doubles_nothing() {
    let test = "a_killed_process_of_a_group_that_rebalances_cooperatively_loses_and_doubles_nothing";
    let assignor = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    let protocol = json!({"session.timeout.ms": "3000", "heartbeat.interval.ms": "300", "partition.assignment.strategy": assignor});
    processes_share_the_work(test, &protocol);
}

#[test]
fn a_killed_process_of_a_group_of_the_new_protocol_loses_and_doubles_nothing() {
    let test = "a_killed_process_of_a_group_of_the_new_protocol_loses_and_doubles_nothing";
    processes_share_the_work(test, &json!({"group.protocol": "consumer"}));
}

#[test]
fn a_stop_commits_what_is_held_and_the_next_process_goes_on_from_there() {
    let Some(shared) = shared("a_stop_commits_what_is_held_and_the_next_process_goes_on_from_there") else { return };
    let place = shared.place("stop");
    place.topic(PARTITIONS);
    let file = place.connector(&place.name, &json!({"tidegate.rotate.interval.ms": "3600000"}));
    begin(&place, 300);
    let mut run = place.run(&[&file], &METRICS);
    eventually("records are held", || run.metric("tidegate_uncommitted_records", "") > 200.0);
    assert_eq!(place.committed(&place.name), [], "nothing is due for an hour");
    run.terminate();
    assert_eq!(run.exit(SOON).code(), Some(0), "{}", run.log());
    let committed = place.committed(&place.name);
    assert!(committed.iter().map(|(_, offset)| offset).sum::<i64>() > 200, "{committed:?}");
    settle(&place, &file, &mut []);
    place.no_upload_is_left();
}

/// Names that hold no offset come back: what a former owner wrote last must never win.
fn the_last_record_of_a_key_stays_the_last(test: &str, template: &str) {
    let Some(shared) = shared(test) else { return };
    let place = shared.place("keys");
    place.topic(PARTITIONS);
    let config = json!({
        "tidegate.rotate.interval.ms": "200",
        "file.name.template": template,
        "consumer.override.session.timeout.ms": "3000",
        "consumer.override.heartbeat.interval.ms": "300",
    });
    let file = place.connector(&place.name, &config);
    begin(&place, 300);
    let mut first = place.run(&[&file], &METRICS);
    eventually("the first has all partitions", || {
        held(&first) == 6 && first.metric("tidegate_objects_total", "") > 0.0
    });
    let mut second = place.run(&[&file], &METRICS);
    eventually("both have half of them", || held(&first) == 3 && held(&second) == 3);
    eventually("the second writes", || second.metric("tidegate_objects_total", "") > 30.0);
    first.kill();
    eventually("the second has taken over", || held(&second) == 6);
    let mut first = place.run(&[&file], &METRICS);
    eventually("both have half of them again", || held(&first) == 3 && held(&second) == 3);
    place.witness.ask("end_flow", json!({}));
    for run in [&mut first, &mut second] {
        run.terminate();
        assert_eq!(run.exit(SOON).code(), Some(0), "{}", run.log());
    }
    place.drain(&[&file]);
    assert_eq!(place.committed(&place.name), place.ends());

    // Name of the object to those records of it that are the last of their key in their partition.
    let mut last: BTreeMap<String, BTreeMap<u64, u64>> = BTreeMap::new();
    let records = place.witness.ask("records", json!({"topic": place.name}));
    for record in records.as_array().expect("a list") {
        let partition = record["partition"].as_u64().expect("a number");
        let name = template
            .replace("{{topic}}", &place.name)
            .replace("{{partition}}", &partition.to_string())
            .replace("{{key}}", record["key"].as_str().expect("a key"));
        let offset = record["offset"].as_u64().expect("an offset");
        let known = last.entry(name).or_default().entry(partition).or_insert(offset);
        *known = offset.max(*known);
    }
    let mut objects = place.witness.objects(&place.name, "", "none");
    // So many objects make an intent too large for an offset's metadata; a kill may leave its manifest behind.
    objects.retain(|name, _| !name.contains(".tidegate/"));
    assert_eq!(objects.keys().collect::<Vec<_>>(), last.keys().collect::<Vec<_>>());
    for (name, text) in objects {
        let record: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
        let value: Value = serde_json::from_str(record["value"].as_str().expect("a text")).expect("JSON");
        let partition = value["n"].as_u64().expect("a number") % u64::from(PARTITIONS);
        assert_eq!(record["offset"].as_u64(), last[&name].get(&partition).copied(), "{name}: {text}");
    }
}

#[test]
fn the_last_record_of_each_key_of_a_partition_stays_the_last_while_partitions_change_hands() {
    let test = "the_last_record_of_each_key_of_a_partition_stays_the_last_while_partitions_change_hands";
    the_last_record_of_a_key_stays_the_last(test, "{{topic}}/{{partition}}/{{key}}");
}

/// Objects of several partitions: none can be given up alone.
#[test]
fn the_last_record_of_each_key_stays_the_last_while_partitions_change_hands() {
    let test = "the_last_record_of_each_key_stays_the_last_while_partitions_change_hands";
    the_last_record_of_a_key_stays_the_last(test, "by-key/{{key}}");
}

/// A name that several owners write to: when a cut is finished for a dead owner, one of its objects may have been replaced
/// since by another owner's.
#[test]
fn a_half_published_cut_is_finished_although_another_process_has_replaced_what_it_published() {
    let test = "a_half_published_cut_is_finished_although_another_process_has_replaced_what_it_published";
    let Some(shared) = shared(test) else { return };
    let place = shared.place("replaced");
    let topic = place.topic(2);
    let config = json!({
        "tidegate.rotate.interval.ms": "200",
        "file.name.template": "{{key}}",
        "consumer.override.session.timeout.ms": "3000",
        "consumer.override.heartbeat.interval.ms": "300",
    });
    let file = place.connector(&topic, &config);
    let mut runs = [place.run(&[&file], &METRICS), place.run(&[&file], &METRICS)];
    eventually("each has one partition", || runs.iter().all(|run| held(run) == 1));
    let holds_first = |run: &Run| {
        let label = "partition=\"0\"";
        run.metrics().iter().any(|(name, _)| name.starts_with("tidegate_uncommitted") && name.contains(label))
    };
    if holds_first(&runs[1]) {
        runs.swap(0, 1);
    }
    let [mut dead, survivor] = runs;

    // Of a cut with a and b, a becomes visible and b waits for longer than its owner lives.
    let wait = json!({"operation": "CompleteMultipartUpload", "bucket": place.name, "key": "b", "count": 1,
                      "effect": {"delay": {"millis": 60_000}}});
    shared.local.add_fault(&wait);
    place.witness.produce(&[record(&topic, 0, "a", "of the dead"), record(&topic, 0, "b", "of the dead")]);
    let value = |key: &str| {
        let objects = place.witness.objects(&place.name, "", "none");
        let record: Value = serde_json::from_str(objects.get(key)?).expect("JSON");
        Some(record["value"].as_str().expect("a text").to_owned())
    };
    eventually("a is visible", || value("a").is_some());
    assert_eq!(value("b"), None);
    place.witness.produce(&[record(&topic, 1, "a", "of the survivor")]);
    eventually("a is replaced", || value("a").as_deref() == Some("of the survivor"));
    dead.kill();
    eventually("the survivor goes on with both", || place.committed(&topic) == [(0, 2), (1, 1)]);
    assert_eq!(value("b").as_deref(), Some("of the dead"));
    assert!(value("a").is_some());
    survivor.terminate();
}
