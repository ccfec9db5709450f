//! Lines of the contract with the answers that AWS's documentation gives; most were written before the evaluator was looked
//! at. Each bears its verdict (`want`) and the page or section that it rests on (`rests`). What is refused at save is on some
//! lines known from IAM's own messages, where the pages are silent. Lines on which no source could be found were left out.

use serde_json::Value;

use crate::line::answer;

#[test]
fn every_line_is_answered_as_the_documentation_says() {
    let table = include_str!("documented.jsonl");
    let wrong: Vec<String> = table
        .lines()
        .filter_map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let (decision, reason) = answer(line);
            (row["want"] != decision.as_str())
                .then(|| format!("{}: {decision} ({reason}), but {} by: {}", row["id"], row["want"], row["rests"]))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
