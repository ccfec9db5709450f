//! Transactional topics.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Place, shared};
use crate::witness::numbered;

/// How often each number is in the objects below `prefix`.
fn numbers(place: &Place, prefix: &str) -> BTreeMap<u64, usize> {
    let mut numbers = BTreeMap::new();
    for text in place.witness.objects(&place.name, prefix, "none").values() {
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let value: Value = serde_json::from_str(line["value"].as_str().expect("a text")).expect("JSON");
            *numbers.entry(value["n"].as_u64().expect("a number")).or_default() += 1;
        }
    }
    numbers
}

#[test]
fn aborted_records_are_in_no_object_and_open_ones_only_once_committed() {
    let Some(shared) = shared("aborted_records_are_in_no_object_and_open_ones_only_once_committed") else { return };
    let place = shared.place("transactions");
    let topic = place.topic(2);
    let connector = |name: &str, isolation: &str| {
        let config = json!({
            "consumer.override.isolation.level": isolation,
            "file.name.template": format!("{name}/{{{{topic}}}}/{{{{partition}}}}/{{{{start_offset}}}}"),
        });
        place.connector(&format!("{topic}-{name}"), &config)
    };
    let files = [connector("committed", "read_committed"), connector("all", "read_uncommitted")];
    let files = files.each_ref().map(std::path::PathBuf::as_path);

    let (mut kept, mut all, mut next) = (BTreeMap::new(), BTreeMap::new(), 0);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        // Several small batches a transaction, so that some lie wholly inside an aborted one.
        let config = json!({"compression.type": codec, "batch.num.messages": 3});
        for end in ["commit", "abort", "commit"] {
            let range = next..next + 20;
            next += 20;
            let records = numbered(&topic, 2, range.clone());
            let id = format!("{topic}-{codec}-{end}");
            place.witness.ask("transact", json!({"id": id, "records": records, "end": end, "config": config}));
            all.extend(range.clone().map(|n| (u64::from(n), 1)));
            if end == "commit" {
                kept.extend(range.map(|n| (u64::from(n), 1)));
            }
        }
        place.witness.produce(&numbered(&topic, 2, next..next + 5));
        for n in next..next + 5 {
            all.insert(u64::from(n), 1);
            kept.insert(u64::from(n), 1);
        }
        next += 5;
    }
    // One transaction stays open, and plain records lie behind it.
    let open = numbered(&topic, 2, next..next + 10);
    place.witness.ask("transact", json!({"id": topic, "records": open, "end": "open"}));
    place.witness.produce(&numbered(&topic, 2, next + 10..next + 20));
    let late: BTreeMap<u64, usize> = (next..next + 20).map(|n| (u64::from(n), 1)).collect();
    all.extend(late.clone());

    place.drain(&files);
    assert_eq!(numbers(&place, "committed/"), kept, "what lies behind an open transaction is not stable");
    assert_eq!(numbers(&place, "all/"), all);

    place.witness.ask("transact", json!({"id": topic, "records": [], "end": "commit"}));
    kept.extend(late);
    place.drain(&files);
    assert_eq!(numbers(&place, "committed/"), kept);
    assert_eq!(numbers(&place, "all/"), all);
    // The markers are passed over by commits too: nothing is left to read.
    assert_eq!(place.committed(&format!("{topic}-committed")), place.ends());
}
