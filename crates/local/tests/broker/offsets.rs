use kafka_protocol::ResponseError::{OffsetOutOfRange, UnknownTopicOrPartition};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{
    BrokerId, DeleteRecordsRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest, TopicName,
};

use super::wire::{NOBODY, Wire, batch, batch_at, subject, topic_name, unique};

async fn list(wire: &mut Wire, topic: &TopicName, timestamp: i64) -> ListOffsetsPartitionResponse {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
    let topic = ListOffsetsTopic::default().with_name(topic.clone()).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let mut response = wire.call(9, &request).await;
    response.topics.remove(0).partitions.remove(0)
}

#[tokio::test]
async fn offsets_are_found_by_place_and_time() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("list", 1, &[]).await;
    let found = |found: ListOffsetsPartitionResponse| (found.error_code, found.offset, found.timestamp);
    assert_eq!(found(list(&mut wire, &topic, -1).await), (0, 0, -1));
    assert_eq!(found(list(&mut wire, &topic, -3).await), (0, -1, -1), "an empty log has no newest record");
    for from in [1000, 2000, 1500] {
        wire.produce(&topic, batch_at(NOBODY, from, &[b"a", b"b", b"c"])).await;
    }
    let cases = [
        ("latest", -1, (0, 9, -1)),
        ("earliest", -2, (0, 0, -1)),
        ("newest", -3, (0, 5, 2002)),
        ("earliest here", -4, (0, 0, -1)),
        ("latest elsewhere", -5, (0, -1, -1)),
        ("before all", 0, (0, 0, 1000)),
        ("exactly", 1001, (0, 1, 1001)),
        ("between", 1003, (0, 3, 2000)),
        ("in an earlier batch than the time would say", 1501, (0, 3, 2000)),
        ("the last", 2002, (0, 5, 2002)),
        ("after all", 2003, (0, -1, -1)),
    ];
    for (case, timestamp, expected) in cases {
        assert_eq!(found(list(&mut wire, &topic, timestamp).await), expected, "{case}");
    }
    let absent = list(&mut wire, &topic_name(&unique("absent")), -1).await;
    assert_eq!(absent.error_code, UnknownTopicOrPartition.code());
}

#[tokio::test]
async fn records_deleted_are_gone_and_the_rest_stays() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("delete", 1, &[]).await;
    for from in [1000, 2000] {
        wire.produce(&topic, batch_at(NOBODY, from, &[b"a", b"b", b"c"])).await;
    }
    let delete = |offset| {
        let partition = DeleteRecordsPartition::default().with_offset(offset);
        let topic = DeleteRecordsTopic::default().with_name(topic.clone()).with_partitions(vec![partition]);
        DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000)
    };
    let outcome = |response: kafka_protocol::messages::DeleteRecordsResponse| {
        let partition = &response.topics[0].partitions[0];
        (partition.error_code, partition.low_watermark)
    };
    assert_eq!(outcome(wire.call(2, &delete(1)).await), (0, 1));
    assert_eq!(outcome(wire.call(2, &delete(7)).await), (OffsetOutOfRange.code(), -1));
    assert_eq!(wire.fetch(&topic, 0).await.error_code, OffsetOutOfRange.code());
    assert_eq!(wire.fetch(&topic, 1).await.log_start_offset, 1);
    assert_eq!(list(&mut wire, &topic, -2).await.offset, 1);
    assert_eq!(list(&mut wire, &topic, 0).await.offset, 1, "times are not looked for among deleted records");
    assert_eq!(outcome(wire.call(2, &delete(-1)).await), (0, 6));
    assert_eq!(wire.produce(&topic, batch(NOBODY, &[b"d"])).await.base_offset, 6);
    assert_eq!(wire.fetch(&topic, 6).await.high_watermark, 7);
}

#[tokio::test]
async fn the_end_of_the_only_leader_epoch_is_the_end_of_the_log() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("epoch", 1, &[]).await;
    wire.produce(&topic, batch(NOBODY, &[b"a", b"b"])).await;
    let partition = OffsetForLeaderPartition::default().with_current_leader_epoch(-1).with_leader_epoch(0);
    let topics = vec![OffsetForLeaderTopic::default().with_topic(topic).with_partitions(vec![partition])];
    let request = OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics);
    let response = wire.call(4, &request).await;
    let end = &response.topics[0].partitions[0];
    assert_eq!((end.error_code, end.leader_epoch, end.end_offset), (0, 0, 2));
}
