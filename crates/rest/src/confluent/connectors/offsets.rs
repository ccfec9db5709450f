use control::{OffsetRequest, OffsetRequestState, PartitionOffset};
use serde_json::{Value, json};

use super::{cluster, view};
use crate::confluent::answer::{Answer, Outcome};
use crate::confluent::ask::Ask;
use crate::confluent::body::Body;
use crate::confluent::problem::Problem;

/// Where the connector is.
pub(super) async fn read(ask: Ask) -> Outcome {
    let cluster = cluster(&ask).await?;
    let view = ask.plane.connector(&ask.caller, &cluster, ask.param("name")).await?;
    let offsets = ask.plane.offsets(&ask.caller, &cluster, ask.param("name")).await?;
    Ok(Answer::ok(json!({
        "id": view.id,
        "name": view.name,
        "offsets": shown(&offsets),
        "metadata": { "observed_at": ask.now() },
    })))
}

/// Asks for other offsets, or for none.
pub(super) async fn request(ask: Ask) -> Outcome {
    let cluster = cluster(&ask).await?;
    let body = ask.body()?;
    let given = from_body(&body)?;
    let offsets = match body.at("/type").and_then(Value::as_str) {
        Some("PATCH") if given.is_empty() => return Err(Problem::bad_request("a PATCH needs offsets")),
        Some("PATCH") => Some(given),
        Some("DELETE") if given.is_empty() => None,
        Some("DELETE") => return Err(Problem::bad_request("a DELETE takes all offsets away: it has none of its own")),
        _ => return Err(Problem::bad_request("type must be PATCH or DELETE")),
    };
    let asked = ask.plane.request_offsets(&ask.caller, &cluster, ask.param("name"), offsets).await?;
    let view = view(&ask).await?;
    Ok(Answer::accepted(Some(info(view.id.as_str(), &view.name, &asked))))
}

/// How far that is.
pub(super) async fn progress(ask: Ask) -> Outcome {
    let cluster = cluster(&ask).await?;
    let view = ask.plane.connector(&ask.caller, &cluster, ask.param("name")).await?;
    let asked = ask.plane.offsets_request(&ask.caller, &cluster, ask.param("name")).await?;
    let asked = asked.ok_or_else(|| {
        let text = format!("no change of offsets has been asked for of connector {}", view.name);
        Problem::new(axum::http::StatusCode::NOT_FOUND, "not_found", text)
    })?;
    let (phase, message) = match &asked.state {
        OffsetRequestState::Pending => ("PENDING", "the connector is being stopped for it"),
        OffsetRequestState::Applied => ("APPLIED", "the offsets were changed, and the connector goes on from them"),
        OffsetRequestState::Failed(why) => ("FAILED", why.as_str()),
    };
    Ok(Answer::ok(json!({
        "request": info(view.id.as_str(), &view.name, &asked),
        "status": { "phase": phase, "message": message },
        // The CLI does not survive null here.
        "previous_offsets": shown(&asked.previous),
        "applied_at": asked.applied_at,
    })))
}

fn info(id: &str, name: &str, asked: &OffsetRequest) -> Value {
    json!({
        "id": id,
        "name": name,
        "offsets": shown(asked.offsets.as_deref().unwrap_or_default()),
        "requested_at": asked.requested_at,
        "type": if asked.offsets.is_some() { "PATCH" } else { "DELETE" },
    })
}

/// As Kafka Connect writes a sink's offsets (KIP-875).
pub(super) fn shown(offsets: &[PartitionOffset]) -> Value {
    let one = |at: &PartitionOffset| {
        json!({
            "partition": { "kafka_topic": at.topic, "kafka_partition": at.partition },
            "offset": at.offset.map(|offset| json!({ "kafka_offset": offset })),
        })
    };
    offsets.iter().map(one).collect()
}

/// The offsets of a body: none if there are none, or null as the CLI sends it.
pub(super) fn from_body(body: &Body) -> Result<Vec<PartitionOffset>, Problem> {
    match body.at("/offsets") {
        None => Ok(Vec::new()),
        Some(Value::Array(all)) => all.iter().enumerate().map(|(at, one)| read_one(at, one)).collect(),
        Some(_) => Err(Problem::bad_request("offsets must be a list")),
    }
}

fn read_one(at: usize, one: &Value) -> Result<PartitionOffset, Problem> {
    let wrong = |what: &str| Problem::bad_request(format!("offsets[{at}].{what}"));
    let partition = one.get("partition").ok_or_else(|| wrong("partition must be given"))?;
    let topic = partition.get("kafka_topic").and_then(Value::as_str).filter(|topic| !topic.is_empty());
    let topic = topic.ok_or_else(|| wrong("partition.kafka_topic must be a topic's name"))?;
    let number = partition.get("kafka_partition").and_then(whole).and_then(|n| i32::try_from(n).ok());
    let number =
        number.filter(|n| *n >= 0).ok_or_else(|| wrong("partition.kafka_partition must be a number from 0 on"))?;
    let offset = match one.get("offset") {
        None | Some(Value::Null) => None,
        Some(offset) => {
            let offset = offset.get("kafka_offset").and_then(whole).filter(|n| *n >= 0);
            Some(offset.ok_or_else(|| wrong("offset.kafka_offset must be a number from 0 on"))?)
        }
    };
    Ok(PartitionOffset { topic: topic.to_owned(), partition: number, offset })
}

/// Terraform sends numbers as texts.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<PartitionOffset>, Problem> {
        from_body(&Body::read(text.as_bytes()).unwrap())
    }

    #[test]
    fn numbers_come_as_numbers_and_as_texts() {
        let number = r#"{"partition":{"kafka_topic":"t","kafka_partition":0},"offset":{"kafka_offset":50}}"#;
        let text = r#"{"partition":{"kafka_topic":"t","kafka_partition":"0"},"offset":{"kafka_offset":"50"}}"#;
        let both = read(&format!(r#"{{"offsets":[{number},{text}]}}"#)).unwrap();
        assert_eq!(both[0], PartitionOffset { topic: "t".into(), partition: 0, offset: Some(50) });
        assert_eq!(both[0], both[1]);
        assert_eq!(shown(&both[..1]), json!([serde_json::from_str::<Value>(number).unwrap()]));
    }

    #[test]
    fn null_is_no_offsets() {
        assert_eq!(read(r#"{"offsets":null}"#).unwrap(), []);
        assert_eq!(read("{}").unwrap(), []);
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for one in [
            "1",
            "{}",
            r#"{"partition":{"kafka_topic":"t"}}"#,
            r#"{"partition":{"kafka_topic":"","kafka_partition":0}}"#,
            r#"{"partition":{"kafka_topic":"t","kafka_partition":-1}}"#,
            r#"{"partition":{"kafka_topic":"t","kafka_partition":4294967296}}"#,
            r#"{"partition":{"kafka_topic":"t","kafka_partition":0},"offset":{}}"#,
            r#"{"partition":{"kafka_topic":"t","kafka_partition":0},"offset":{"kafka_offset":1.5}}"#,
            r#"{"partition":{"kafka_topic":"t","kafka_partition":0},"offset":{"kafka_offset":99999999999999999999}}"#,
        ] {
            let problem = read(&format!(r#"{{"offsets":[{one}]}}"#)).unwrap_err();
            assert_eq!(problem.status, 400, "{one}");
            assert!(problem.entries[0].detail.starts_with("offsets[0]."), "{one}");
        }
        assert_eq!(read(r#"{"offsets":{}}"#).unwrap_err().status, 400);
    }
}
