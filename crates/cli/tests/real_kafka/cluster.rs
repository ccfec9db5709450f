//! Three nodes, of which one fails.

use serde_json::json;

use crate::support::{Kafka, Place, SOON, eventually, shared_local, wanted};

/// Whether every partition is beyond where it was.
fn beyond(now: &[(i64, i64)], then: &[(i64, i64)]) -> bool {
    now.len() == then.len() && now.iter().zip(then).all(|(now, then)| now.1 > then.1)
}

#[test]
fn a_killed_broker_and_leaders_that_move_stop_nothing_and_cost_no_record() {
    if !wanted("a_killed_broker_and_leaders_that_move_stop_nothing_and_cost_no_record") {
        return;
    }
    // A dead node is noticed after three seconds instead of nine.
    let soon = "broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500";
    let kafka = Kafka::start(&[("KAFKA_NODES", "3"), ("KAFKA_HEAP", "256m"), ("KAFKA_PROPS", soon)]);
    let place = Place::new("cluster", kafka.addresses(), shared_local());
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
    eventually("all partitions go on", || beyond(&place.committed(&topic), &then));
    assert!(run.is_running(), "{}", run.log());

    // Back, and given back what it led.
    kafka.script("resume", &[&dead.to_string()]);
    eventually("leaders move back", || {
        place.witness.ask("elect_leaders", json!({"topic": topic}));
        leader(0) == dead
    });
    let then = place.ends();
    eventually("all partitions go on with their old leaders", || beyond(&place.committed(&topic), &then));
    place.witness.ask("end_flow", json!({}));
    run.terminate();
    assert_eq!(run.exit(SOON).code(), Some(0), "{}", run.log());
    place.drain(&[&file]);
    place.each_record_is_in_one_object("");
    place.no_upload_is_left();
}
