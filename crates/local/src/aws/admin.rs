//! `/_local/..`: the fault plane and the counters over HTTP, for those who run the embedded AWS as a process. Answers
//! only those who come from this machine, and no web page (whose requests name their origin).

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};

use super::faults::FaultRule;
use super::reply::Reply;
use super::server::Shared;

/// Where the paths begin. No bucket's name begins with an underscore.
pub(super) const PREFIX: &str = "/_local/";

pub(super) fn handle(shared: &Shared, parts: &Parts, from_here: bool, body: &Bytes) -> Reply {
    if !from_here || parts.headers.contains_key("origin") {
        return say(StatusCode::FORBIDDEN, &json!({"error": "only this machine may ask, and no web page"}));
    }
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let (what, rest) = path.split_once('/').unwrap_or((path, ""));
    match (parts.method.as_str(), what, rest) {
        ("GET", "faults", "") => {
            let rules = shared.faults.rules();
            let rules: Vec<Value> = rules
                .into_iter()
                .map(|(number, rule, struck)| json!({"number": number, "rule": rule, "struck": struck}))
                .collect();
            say(StatusCode::OK, &json!(rules))
        }
        ("POST", "faults", "") => match serde_json::from_slice::<FaultRule>(body) {
            Ok(rule) => match shared.faults.add(rule) {
                Ok(number) => say(StatusCode::CREATED, &json!({"number": number})),
                Err(error) => say(StatusCode::BAD_REQUEST, &json!({"error": error.to_string()})),
            },
            Err(error) => say(StatusCode::BAD_REQUEST, &json!({"error": error.to_string()})),
        },
        ("DELETE", "faults", "") => {
            shared.faults.clear();
            Reply::no_content()
        }
        ("DELETE", "faults", number) => match number.parse() {
            Ok(number) => {
                shared.faults.remove(number);
                Reply::no_content()
            }
            Err(_) => say(StatusCode::BAD_REQUEST, &json!({"error": "a rule is named by its number"})),
        },
        ("GET", "requests", "") => {
            let mut operations = serde_json::Map::new();
            for ((operation, outcome), count) in shared.requests.counts() {
                operations.entry(operation).or_insert_with(|| json!({}))[outcome] = json!(count);
            }
            say(StatusCode::OK, &Value::Object(operations))
        }
        ("DELETE", "requests", "") => {
            shared.requests.reset();
            Reply::no_content()
        }
        ("GET", "tally", "") => say(StatusCode::OK, &json!(shared.store.tally())),
        _ => say(StatusCode::NOT_FOUND, &json!({"error": "there are faults, requests and tally"})),
    }
}

fn say(status: StatusCode, value: &Value) -> Reply {
    Reply::new(status, format!("{value}\n")).with("content-type", "application/json")
}
