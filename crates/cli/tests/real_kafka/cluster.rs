//! Three nodes, of which one fails.

use serde_json::json;

use crate::support::{Kafka, Place, SOON, eventually, shared};

#[test]
fn a_killed_broker_stops_nothing_and_costs_no_record() {
    let Some(shared) = shared("a_killed_broker_stops_nothing_and_costs_no_record") else { return };
    let kafka = Kafka::start(&[("KAFKA_NODES", "3"), ("KAFKA_HEAP", "256m")]);
    let place = Place::new("cluster", kafka.addresses(), &shared.local);
    let topic = place.replicated_topic(6, 3);
    let file = place.connector(&topic, &json!({"tidegate.rotate.interval.ms": "300"}));
    place.witness.ask("begin_flow", json!({"topic": topic, "partitions": 6, "rate": 300}));
    let mut run = place.run(&[&file], &["--metrics-addr", "127.0.0.1:0"]);
    eventually("objects are written", || run.metric("tidegate_objects_total", "") > 6.0);

    let leader = |partition: u32| place.witness.ask("leader", json!({"topic": topic, "partition": partition}));
    let dead = leader(0);
    kafka.script("kill", &[&dead.to_string()]);
    eventually("another node leads", || (0..6).all(|partition| ![&dead, &json!(-1)].contains(&&leader(partition))));
    // Every partition goes on, those of the dead node too.
    let then = place.ends();
    let beyond =
        |offsets: Vec<(i64, i64)>| offsets.len() == 6 && offsets.iter().zip(&then).all(|(now, then)| now.1 > then.1);
    eventually("all partitions go on", || beyond(place.committed(&topic)));
    assert!(run.is_running(), "{}", run.log());

    kafka.script("resume", &[&dead.to_string()]);
    let then = place.ends();
    let beyond = |offsets: Vec<(i64, i64)>| offsets.iter().zip(&then).all(|(now, then)| now.1 > then.1);
    eventually("all partitions go on with the node back", || beyond(place.committed(&topic)));
    place.witness.ask("end_flow", json!({}));
    run.terminate();
    assert_eq!(run.exit(SOON).code(), Some(0), "{}", run.log());
    place.drain(&[&file]);
    place.each_record_is_in_one_object("");
    place.no_upload_is_left();
}
