use std::time::Duration;

use kafka_protocol::ResponseError::{
    FetchSessionIdNotFound, OffsetOutOfRange, UnknownLeaderEpoch, UnknownTopicId, UnknownTopicOrPartition,
};
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tokio::time::Instant;
use uuid::Uuid;

use super::wire::{NOBODY, PATIENCE, Wire, batch, fetch_request, produce_request, subject, topic_name, unique};

#[tokio::test]
async fn byte_limits_hold_but_a_first_batch_comes_whole() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("limits", 2, &[]).await;
    let one = batch(NOBODY, &[&[7; 1000]]);
    let size = one.len();
    for partition in [0, 1] {
        for _ in 0..10 {
            let mut request = produce_request(&topic, one.clone());
            request.topic_data[0].partition_data[0].index = partition;
            wire.call(9, &request).await;
        }
    }
    let ask = |max_bytes: usize, partition_max: usize| {
        let partition =
            |index| FetchPartition::default().with_partition(index).with_partition_max_bytes(partition_max as i32);
        let topic = FetchTopic::default().with_topic(topic.clone()).with_partitions(vec![partition(0), partition(1)]);
        FetchRequest::default()
            .with_max_bytes(max_bytes as i32)
            .with_min_bytes(1)
            .with_topics(vec![topic])
            .with_session_epoch(-1)
    };
    let cases = [
        // All limits wide.
        (1 << 20, 1 << 20, [size * 10, size * 10]),
        // Each partition limited: cut in the middle of a batch, as Kafka does.
        (1 << 20, size * 2 + 5, [size * 2 + 5, size * 2 + 5]),
        // The whole limited: the first partition takes what there is.
        (size * 3, 1 << 20, [size * 3, 0]),
        // The rest is no whole batch: not even begun.
        (size * 10 + 5, 1 << 20, [size * 10, 0]),
        // Less than a batch: the first comes whole, so that the client gets on.
        (1 << 20, 10, [size, 0]),
        (10, 1 << 20, [size, 0]),
    ];
    for (max_bytes, partition_max, expected) in cases {
        let response = wire.call(12, &ask(max_bytes, partition_max)).await;
        let mut lengths = [0; 2];
        for partition in &response.responses[0].partitions {
            lengths[partition.partition_index as usize] = partition.records.as_ref().map_or(0, bytes::Bytes::len);
        }
        assert_eq!(lengths, expected, "max_bytes {max_bytes}, partition_max_bytes {partition_max}");
    }
}

#[tokio::test]
async fn an_offset_in_the_middle_of_a_batch_gets_the_whole_batch() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("middle", 1, &[]).await;
    wire.produce(&topic, batch(NOBODY, &[b"a", b"b", b"c"])).await;
    wire.produce(&topic, batch(NOBODY, &[b"d"])).await;
    let all = wire.fetch(&topic, 0).await.records.expect("records");
    assert_eq!(wire.fetch(&topic, 2).await.records.expect("records"), all);
    let last = wire.fetch(&topic, 3).await.records.expect("records");
    assert_eq!(last[..], all[all.len() - last.len()..]);
    assert!(last.len() < all.len());
}

#[tokio::test]
async fn what_cannot_be_fetched_is_named_by_its_code() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("codes", 1, &[]).await;
    wire.produce(&topic, batch(NOBODY, &[b"a"])).await;
    for offset in [-1, 2] {
        let refused = wire.fetch(&topic, offset).await;
        assert_eq!((refused.error_code, refused.high_watermark), (OffsetOutOfRange.code(), -1), "offset {offset}");
    }
    let end = wire.fetch(&topic, 1).await;
    assert_eq!((end.error_code, end.high_watermark, end.last_stable_offset), (0, 1, 1));
    assert_eq!(wire.fetch(&topic_name(&unique("absent")), 0).await.error_code, UnknownTopicOrPartition.code());

    let mut later = fetch_request(&topic, 0);
    later.topics[0].partitions[0].current_leader_epoch = 5;
    let response = wire.call(12, &later).await;
    assert_eq!(response.responses[0].partitions[0].error_code, UnknownLeaderEpoch.code());

    let mut by_id = fetch_request(&topic, 0);
    by_id.topics[0].topic = topic_name("");
    by_id.topics[0].topic_id = Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
    let response = wire.call(13, &by_id).await;
    assert_eq!(response.responses[0].partitions[0].error_code, UnknownTopicId.code());

    let lost_session = fetch_request(&topic, 0).with_session_id(12345).with_session_epoch(3);
    assert_eq!(wire.call(12, &lost_session).await.error_code, FetchSessionIdNotFound.code());
}

#[tokio::test]
async fn a_fetch_waits_until_there_is_enough_or_its_time_is_over() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let mut other = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("wait", 1, &[]).await;
    let one = batch(NOBODY, &[&[7; 500]]);

    let patient = fetch_request(&topic, 0).with_max_wait_ms(PATIENCE.as_millis() as i32).with_min_bytes(1000);
    let begun = Instant::now();
    wire.send(12, &patient).await;
    other.produce(&topic, one.clone()).await;
    // One batch is not enough; the second is.
    let early = tokio::time::timeout(Duration::from_millis(300), wire.frame()).await;
    assert!(early.is_err(), "answered before there was enough");
    other.produce(&topic, one.clone()).await;
    let response = wire.receive::<FetchRequest>(12).await;
    let records = response.responses[0].partitions[0].records.as_ref().expect("records");
    assert_eq!(records.len(), one.len() * 2);
    assert!(begun.elapsed() < PATIENCE / 2);

    let begun = Instant::now();
    let hasty = fetch_request(&topic, 0).with_max_wait_ms(200).with_min_bytes(1 << 20);
    let response = wire.call(12, &hasty).await;
    assert!(begun.elapsed() >= Duration::from_millis(200));
    assert_eq!(response.responses[0].partitions[0].records.as_ref().expect("records").len(), one.len() * 2);
}

#[tokio::test]
async fn a_fetch_that_waits_hears_of_every_one_of_its_partitions() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let mut other = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("many", 20, &[]).await;
    for last in [3, 19] {
        let partition = |index| FetchPartition::default().with_partition(index).with_partition_max_bytes(1 << 20);
        let topics =
            vec![FetchTopic::default().with_topic(topic.clone()).with_partitions((0..=last).map(partition).collect())];
        let request = FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_min_bytes(if last == 3 { 1 } else { 300 })
            .with_max_wait_ms(PATIENCE.as_millis() as i32)
            .with_topics(topics)
            .with_session_epoch(-1);
        wire.send(12, &request).await;
        let mut produce = produce_request(&topic, batch(NOBODY, &[&[1; 100]]));
        produce.topic_data[0].partition_data[0].index = last;
        other.call(9, &produce).await;
        let response = wire.receive::<FetchRequest>(12).await;
        let found: Vec<i32> = response.responses[0]
            .partitions
            .iter()
            .filter(|partition| partition.records.as_ref().is_some_and(|records| !records.is_empty()))
            .map(|partition| partition.partition_index)
            .collect();
        assert!(found.contains(&last), "{found:?}");
    }
}
