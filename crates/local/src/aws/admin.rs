//! `/_local/..`: the fault plane, the counters and what time does to IAM over HTTP, for those who run the embedded AWS as a process. Answers
//! only those who come from this machine, and no web page (whose requests name their origin).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use iam::Arn;
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::Account;
use super::error::AwsError;
use super::faults::FaultRule;
use super::reply::Reply;
use super::server::Shared;

/// How long edits of IAM take to have effect.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Propagation {
    seconds: u64,
}

/// Whose sessions end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    role: String,
}

/// Where the paths begin. No bucket's name begins with an underscore.
pub(super) const PREFIX: &str = "/_local/";

pub(super) async fn handle(shared: &Arc<Shared>, parts: &Parts, from_here: bool, body: &Bytes) -> Reply {
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
            Ok(number) if shared.faults.remove(number) => Reply::no_content(),
            Ok(number) => say(StatusCode::NOT_FOUND, &json!({"error": format!("there is no fault {number}")})),
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
        ("GET", "propagation", "") => say(StatusCode::OK, &json!({"seconds": shared.propagation().as_secs()})),
        ("PUT", "propagation", "") => match serde_json::from_slice::<Propagation>(body) {
            Ok(Propagation { seconds }) => {
                shared.set_propagation(Duration::from_secs(seconds));
                Reply::no_content()
            }
            Err(error) => say(StatusCode::BAD_REQUEST, &json!({"error": error.to_string()})),
        },
        ("POST", "revoke", "") => match serde_json::from_slice::<Revoke>(body) {
            Ok(Revoke { role }) => match revoke(shared, &role).await {
                Ok(()) => Reply::no_content(),
                Err(error) => say(StatusCode::BAD_REQUEST, &json!({"error": fault::Chain(&error).to_string()})),
            },
            Err(error) => say(StatusCode::BAD_REQUEST, &json!({"error": error.to_string()})),
        },
        ("GET", "tally", "") => say(StatusCode::OK, &json!(shared.store.tally())),
        _ => say(StatusCode::NOT_FOUND, &json!({"error": "there are faults, requests, tally, propagation and revoke"})),
    }
}

/// Ends the sessions of a role, named by its ARN.
async fn revoke(shared: &Arc<Shared>, role: &str) -> Result<(), AwsError> {
    let missing = || AwsError::Missing { what: format!("role {role}") };
    let arn: Arn = role.parse().map_err(|_| missing())?;
    let (account, name) = arn.account().zip(arn.role_name()).ok_or_else(missing)?;
    Account::new(shared.clone(), account).revoke_sessions(name).await
}

fn say(status: StatusCode, value: &Value) -> Reply {
    Reply::new(status, format!("{value}\n")).with("content-type", "application/json")
}
