use std::io;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};
use uuid::Uuid;

use super::super::bounded_buf::Malformed;
use super::super::log::{LEADER_EPOCH, OutOfRange, Stamp};
use super::super::topic::Topic;
use super::dispatch::Call;

/// What a timestamp below zero stands for in ListOffsets.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

/// Offsets by time, and the first and last.
pub(super) async fn list(call: &Call<'_>) -> Result<ListOffsetsResponse, Malformed> {
    let request: ListOffsetsRequest = call.request()?;
    let version = call.version;
    let topics: Vec<_> =
        request.topics.into_iter().map(|topic| (call.topic(&topic.name, Uuid::nil()), topic)).collect();
    let work = move |_: &_| {
        let list_topic =
            |(known, topic): (Option<Arc<Topic>>, kafka_protocol::messages::list_offsets_request::ListOffsetsTopic)| {
                let partitions = topic.partitions.iter().map(|wanted| list_one(known.as_deref(), wanted, version));
                ListOffsetsTopicResponse::default().with_partitions(partitions.collect()).with_name(topic.name)
            };
        topics.into_iter().map(list_topic).collect()
    };
    Ok(ListOffsetsResponse::default().with_topics(call.cluster.blocking(work).await))
}

fn list_one(topic: Option<&Topic>, wanted: &ListOffsetsPartition, version: i16) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(wanted.partition_index);
    match find(topic, wanted, version) {
        Ok(Some(Stamp { offset, timestamp })) => {
            let epoch = if version >= 4 { LEADER_EPOCH } else { -1 };
            response.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(epoch)
        }
        // No record is that late: the offset -1 without an error.
        Ok(None) => response.with_offset(-1).with_timestamp(-1),
        Err(error) => response.with_error_code(error.code()).with_offset(-1).with_timestamp(-1),
    }
}

fn find(topic: Option<&Topic>, wanted: &ListOffsetsPartition, version: i16) -> Result<Option<Stamp>, ResponseError> {
    let partition = topic
        .and_then(|topic| topic.partition(wanted.partition_index))
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    check_epoch(wanted.current_leader_epoch)?;
    let log = partition.log();
    let read = |found: io::Result<Option<Stamp>>| {
        found.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::Other => {
                ResponseError::CorruptMessage
            }
            _ => ResponseError::KafkaStorageError,
        })
    };
    let at = |offset| Ok(Some(Stamp { offset, timestamp: -1 }));
    match wanted.timestamp {
        LATEST => at(log.end_offset()),
        EARLIEST => at(log.start_offset()),
        EARLIEST_LOCAL if version >= 8 => at(log.start_offset()),
        // Nothing is tiered.
        LATEST_TIERED if version >= 9 => Ok(None),
        MAX_TIMESTAMP if version >= 7 => read(log.newest()),
        timestamp if timestamp >= 0 => read(log.since(timestamp)),
        _ => Err(ResponseError::UnsupportedVersion),
    }
}

/// A client that knows a later leader epoch than there is talks to the wrong cluster.
fn check_epoch(epoch: i32) -> Result<(), ResponseError> {
    if epoch > LEADER_EPOCH { Err(ResponseError::UnknownLeaderEpoch) } else { Ok(()) }
}

/// Where a leader epoch ended, by which clients notice that a log was shortened. Ours has one epoch, which ends where
/// the log does.
pub(super) async fn for_leader_epoch(call: &Call<'_>) -> Result<OffsetForLeaderEpochResponse, Malformed> {
    let request: OffsetForLeaderEpochRequest = call.request()?;
    let topics: Vec<_> =
        request.topics.into_iter().map(|topic| (call.topic(&topic.topic, Uuid::nil()), topic)).collect();
    let work = move |_: &_| {
        let mut results = Vec::with_capacity(topics.len());
        for (known, topic) in topics {
            let one = |wanted: &kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition| {
                let end = EpochEndOffset::default().with_partition(wanted.partition);
                let partition = known.as_ref().and_then(|topic| topic.partition(wanted.partition));
                let checked = check_epoch(wanted.current_leader_epoch);
                match (partition, checked) {
                    (None, _) => end.with_error_code(ResponseError::UnknownTopicOrPartition.code()),
                    (Some(_), Err(error)) => end.with_error_code(error.code()),
                    (Some(partition), Ok(())) if wanted.leader_epoch == LEADER_EPOCH => {
                        end.with_leader_epoch(LEADER_EPOCH).with_end_offset(partition.log().end_offset())
                    }
                    // An epoch that never was.
                    (Some(_), Ok(())) => end,
                }
            };
            let partitions = topic.partitions.iter().map(one).collect();
            results.push(OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions));
        }
        results
    };
    Ok(OffsetForLeaderEpochResponse::default().with_topics(call.cluster.blocking(work).await))
}

/// Deletes the records before an offset.
pub(super) async fn delete_records(call: &Call<'_>) -> Result<DeleteRecordsResponse, Malformed> {
    let request: DeleteRecordsRequest = call.request()?;
    let topics: Vec<_> =
        request.topics.into_iter().map(|topic| (call.topic(&topic.name, Uuid::nil()), topic)).collect();
    let work = move |_: &_| {
        let mut results = Vec::with_capacity(topics.len());
        for (known, topic) in topics {
            let one = |wanted: &kafka_protocol::messages::delete_records_request::DeleteRecordsPartition| {
                let result = DeleteRecordsPartitionResult::default().with_partition_index(wanted.partition_index);
                match delete_before(known.as_deref(), wanted.partition_index, wanted.offset) {
                    Ok(start) => result.with_low_watermark(start),
                    Err(error) => result.with_low_watermark(-1).with_error_code(error.code()),
                }
            };
            let partitions = topic.partitions.iter().map(one).collect();
            results.push(DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions));
        }
        results
    };
    Ok(DeleteRecordsResponse::default().with_topics(call.cluster.blocking(work).await))
}

fn delete_before(topic: Option<&Topic>, index: i32, offset: i64) -> Result<i64, ResponseError> {
    let partition = topic.and_then(|topic| topic.partition(index)).ok_or(ResponseError::UnknownTopicOrPartition)?;
    let mut log = partition.log();
    // -1 stands for all that there is.
    let offset = if offset == -1 { log.end_offset() } else { offset };
    match log.delete_before(offset) {
        Ok(Ok(())) => Ok(log.start_offset()),
        Ok(Err(OutOfRange)) => Err(ResponseError::OffsetOutOfRange),
        Err(error) => {
            tracing::error!(%error, "records could not be deleted");
            Err(ResponseError::KafkaStorageError)
        }
    }
}
