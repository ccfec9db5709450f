use std::collections::BTreeMap;

use control::PartitionOffset;
use serde::Serialize;
use serde_json::value::RawValue;

use super::answer::ApiError;
use super::body::{object, scalar};

/// `ConnectorOffsets` of a sink.
#[derive(Debug, Serialize)]
pub(super) struct Offsets<'a> {
    offsets: Vec<Offset<'a>>,
}

#[derive(Debug, Serialize)]
struct Offset<'a> {
    partition: Partition<'a>,
    offset: Position,
}

#[derive(Debug, Serialize)]
struct Partition<'a> {
    kafka_topic: &'a str,
    kafka_partition: i32,
}

#[derive(Debug, Serialize)]
struct Position {
    kafka_offset: i64,
}

pub(super) fn offsets(all: &[PartitionOffset]) -> Offsets<'_> {
    Offsets { offsets: all.iter().filter_map(offset).collect() }
}

fn offset(at: &PartitionOffset) -> Option<Offset<'_>> {
    let partition = Partition { kafka_topic: &at.topic, kafka_partition: at.partition };
    Some(Offset { partition, offset: Position { kafka_offset: at.offset? } })
}

type Members = BTreeMap<String, Box<RawValue>>;

/// Why a body asks for no offsets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unclear {
    /// It is no such request.
    Body(ApiError),
    /// It is one, of offsets that a sink cannot have: Connect says so only of a connector that is there and stopped.
    Offsets(ApiError),
}

/// What `PATCH /connectors/c/offsets` asks for.
pub(super) fn asked(body: &[u8]) -> Result<Vec<PartitionOffset>, Unclear> {
    let mut members = object(body).map_err(Unclear::Body)?;
    let list = members.remove("offsets").filter(|list| list.get() != "null");
    if let Some(other) = members.keys().next() {
        let shown: String = other.chars().take(80).collect();
        return Err(Unclear::Body(ApiError::bad(format!("unrecognized field {shown:?}: known is \"offsets\""))));
    }
    let list: Vec<Box<RawValue>> = match list {
        None => Vec::new(),
        Some(list) => serde_json::from_str(list.get())
            .map_err(|_| Unclear::Body(ApiError::bad("\"offsets\" must be a list of partitions with their offsets")))?,
    };
    if list.is_empty() {
        let text = "Partitions / offsets need to be provided for an alter offsets request";
        return Err(Unclear::Body(ApiError::bad(text)));
    }
    // A partition that is named twice has the last offset.
    let mut all: Vec<PartitionOffset> = Vec::with_capacity(list.len());
    for one in &list {
        let at = entry(one.get()).map_err(Unclear::Offsets)?;
        all.retain(|other| (&other.topic, other.partition) != (&at.topic, at.partition));
        all.push(at);
    }
    Ok(all)
}

fn entry(text: &str) -> Result<PartitionOffset, ApiError> {
    let no_object = || ApiError::bad("each of \"offsets\" must be an object with \"partition\" and \"offset\"");
    let mut members: Members = serde_json::from_str(text).map_err(|_| no_object())?;
    let partition = members.remove("partition").filter(|partition| partition.get() != "null");
    let partition = partition
        .ok_or_else(|| ApiError::bad("The partition for a sink connector offset cannot be null or missing"))?;
    let partition: Members = serde_json::from_str(partition.get()).map_err(|_| no_object())?;
    let (Some(topic), Some(number)) = (partition.get("kafka_topic"), partition.get("kafka_partition")) else {
        return Err(ApiError::bad(
            "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'",
        ));
    };
    let topic = scalar("kafka_topic", topic)?
        .ok_or_else(|| ApiError::bad("Kafka topic names must be valid strings and may not be null"))?;
    let number = scalar("kafka_partition", number)?
        .ok_or_else(|| ApiError::bad("Kafka partitions must be valid numbers and may not be null"))?;
    let partition = number.parse().map_err(|_| {
        ApiError::bad(format!(
            "Failed to parse the following Kafka partition value in the provided offsets: '{number}'. Partition values for \
             sink connectors need to be integers."
        ))
    })?;
    let Some(offset) = members.remove("offset").filter(|offset| offset.get() != "null") else {
        return Ok(PartitionOffset { topic, partition, offset: None });
    };
    let offset: Members = serde_json::from_str(offset.get()).map_err(|_| no_object())?;
    let Some(offset) = offset.get("kafka_offset") else {
        return Err(ApiError::bad(
            "The offset for a sink connector should either be null or contain the key 'kafka_offset'",
        ));
    };
    let text = scalar("kafka_offset", offset)?.unwrap_or_else(|| "null".to_owned());
    let offset = text.parse().map_err(|_| {
        ApiError::bad(format!(
            "Failed to parse the following Kafka offset value in the provided offsets: '{text}'. Offset values for sink \
             connectors need to be integers."
        ))
    })?;
    Ok(PartitionOffset { topic, partition, offset: Some(offset) })
}
