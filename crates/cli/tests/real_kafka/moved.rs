//! Connectors that come from Kafka Connect, and go back.

use serde_json::json;

use crate::support::shared;
use crate::witness::numbered;

#[test]
fn a_connector_from_connect_goes_on_at_its_committed_offset_and_goes_back_the_same_way() {
    let Some(shared) = shared("a_connector_from_connect_goes_on_at_its_committed_offset_and_goes_back_the_same_way")
    else {
        return;
    };
    let place = shared.place("moved");
    let topic = place.topic(2);
    place.witness.produce(&numbered(&topic, 2, 0..40));
    // As Connect's consumer leaves them: partition 1 has none yet.
    let group = format!("connect-{topic}");
    place.witness.ask("commit", json!({"group": group, "topic": topic, "offsets": {"0": 7}}));
    let file = place.connector(&topic, &json!({}));
    place.drain(&[&file]);
    let offsets = |key: &str| -> Vec<i64> {
        let objects = place.witness.objects(&place.name, "", "none");
        let lines = objects[key].lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        lines.map(|line| line["offset"].as_i64().expect("an offset")).collect()
    };
    assert_eq!(place.witness.objects(&place.name, "", "none").len(), 2);
    assert_eq!(offsets(&format!("{topic}/0/7")), (7..20).collect::<Vec<_>>());
    assert_eq!(offsets(&format!("{topic}/1/0")), (0..20).collect::<Vec<_>>());
    assert_eq!(place.committed(&topic), [(0, 20), (1, 20)]);

    // Back: a plain consumer of the group finds just what is new.
    place.witness.produce(&numbered(&topic, 2, 40..50));
    let records = place.witness.ask("consume_in_group", json!({"group": group, "topic": topic, "wanted": 10}));
    let mut places: Vec<(i64, i64)> = records
        .as_array()
        .expect("a list")
        .iter()
        .map(|record| (record["partition"].as_i64().expect("a number"), record["offset"].as_i64().expect("an offset")))
        .collect();
    places.sort_unstable();
    let expected: Vec<(i64, i64)> =
        (0..2).flat_map(|partition| (20..25).map(move |offset| (partition, offset))).collect();
    assert_eq!(places, expected);

    // And here again: what the consumer has read is not stored.
    place.witness.produce(&numbered(&topic, 2, 50..52));
    place.drain(&[&file]);
    assert_eq!(offsets(&format!("{topic}/0/25")), [25]);
    assert_eq!(place.witness.objects(&place.name, "", "none").len(), 4);
}
