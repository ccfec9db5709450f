use std::collections::BTreeSet;

use control::{ConnectorView, Doing, Explanation, Status};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// A connector's parts in a list.
pub(super) fn expanded(view: &ConnectorView, wanted: &BTreeSet<&str>, now: Timestamp) -> Value {
    let mut parts = Map::new();
    if wanted.contains("id") {
        parts.insert("id".into(), json!({ "id": view.id, "id_type": "ID" }));
    }
    if wanted.contains("info") {
        parts.insert("info".into(), connector(view));
    }
    if wanted.contains("status") {
        parts.insert("status".into(), status(view, now));
    }
    Value::Object(parts)
}

/// A connector. Its configuration has the keys that were sent, and no other: Terraform takes each other one for drift.
pub(super) fn connector(view: &ConnectorView) -> Value {
    let tasks = view.status.tasks.iter().enumerate();
    json!({
        "name": view.name,
        "type": view.kind,
        "config": view.config,
        "tasks": tasks.map(|(number, _)| json!({ "connector": view.name, "task": number })).collect::<Vec<_>>(),
    })
}

/// Its tasks; all have its configuration.
pub(super) fn tasks(view: &ConnectorView) -> Value {
    let task = |(number, _)| json!({ "id": { "connector": view.name, "task": number }, "config": view.config });
    view.status.tasks.iter().enumerate().map(task).collect()
}

/// What it does.
pub(super) fn status(view: &ConnectorView, now: Timestamp) -> Value {
    let Status { connector, tasks, worker_id, explanation } = &view.status;
    let explanation = explanation.as_ref();
    let trace = explanation.map(trace).unwrap_or_default();
    let task = |(number, doing): (usize, &Doing)| {
        let state = state(*doing, explanation, now);
        let msg = if *doing == Doing::Failed { trace.as_str() } else { "" };
        json!({ "id": number, "state": state, "worker_id": worker_id, "msg": msg })
    };
    json!({
        "name": view.name,
        "type": view.kind,
        "connector": { "state": state(*connector, explanation, now), "worker_id": worker_id, "trace": trace },
        "tasks": tasks.iter().enumerate().map(task).collect::<Vec<_>>(),
    })
}

/// How long a failure that is tried again by itself may be a passing one: a new trust policy takes up to a minute to hold.
const PASSING: SignedDuration = SignedDuration::from_mins(1);

/// Confluent's word for what is being done. Terraform waits through PROVISIONING and DEGRADED and gives up at once on
/// FAILED: that is not said of what may yet mend itself.
fn state(doing: Doing, explanation: Option<&Explanation>, now: Timestamp) -> &'static str {
    let passes = |failure: &Explanation| failure.retry_in.is_some() && now.duration_since(failure.since) < PASSING;
    match doing {
        Doing::Unassigned | Doing::Restarting => "PROVISIONING",
        Doing::Running => "RUNNING",
        // Confluent's connectors cannot be stopped; ours can, by Kafka Connect's API.
        Doing::Paused | Doing::Stopped => "PAUSED",
        Doing::Failed if explanation.is_some_and(passes) => "DEGRADED",
        Doing::Failed => "FAILED",
    }
}

/// Why it has failed, and what to do about it.
fn trace(failure: &Explanation) -> String {
    let mut text = failure.text.clone();
    if let Some(hint) = &failure.hint {
        text.push_str("\nhint: ");
        text.push_str(hint);
    }
    for cause in &failure.causes {
        text.push_str("\nmay be: ");
        text.push_str(cause);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn failure(retry_in: Option<Duration>) -> Explanation {
        Explanation {
            code: "s3.access-denied",
            text: "could not write".into(),
            hint: Some("allow it".into()),
            causes: vec!["a policy".into()],
            since: Timestamp::UNIX_EPOCH,
            attempts: 1,
            retry_in,
        }
    }

    #[test]
    fn failed_is_said_only_of_what_stays_so() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let tried_again = failure(Some(Duration::from_secs(5)));
        assert_eq!(state(Doing::Failed, Some(&tried_again), at(59)), "DEGRADED");
        assert_eq!(state(Doing::Failed, Some(&tried_again), at(60)), "FAILED", "whoever waits is told in the end");
        assert_eq!(state(Doing::Failed, Some(&failure(None)), at(0)), "FAILED");
        assert_eq!(state(Doing::Unassigned, None, at(0)), "PROVISIONING");
    }

    #[test]
    fn a_trace_says_what_to_do() {
        assert_eq!(trace(&failure(None)), "could not write\nhint: allow it\nmay be: a policy");
    }
}
