use kafka_protocol::ResponseError::{
    CorruptMessage, InvalidProducerEpoch, InvalidRecord, InvalidRequiredAcks, InvalidTimestamp, MessageTooLarge,
    OutOfOrderSequenceNumber, UnknownTopicId, UnknownTopicOrPartition, UnsupportedCompressionType,
};
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use uuid::Uuid;

use super::wire::{
    NOBODY, Sender, Wire, batch, batch_at, forge, init_producer_id, is_closed, produce_request, subject, topic_name,
    unique,
};

#[tokio::test]
async fn batches_get_consecutive_offsets_and_come_back_with_them() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("offsets", 1, &[]).await;
    assert_eq!(wire.produce(&topic, batch(NOBODY, &[b"a", b"b"])).await.base_offset, 0);
    let second = wire.produce(&topic, batch(NOBODY, &[b"c"])).await;
    assert_eq!((second.base_offset, second.log_append_time_ms, second.log_start_offset), (2, -1, 0));
    let mut records = wire.fetch(&topic, 0).await.records.expect("records");
    let sets = kafka_protocol::records::RecordBatchDecoder::decode_all(&mut records).expect("batches decode");
    let records: Vec<_> = sets.into_iter().flat_map(|set| set.records).collect();
    assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(records.iter().flat_map(|record| record.value.clone().unwrap()).collect::<Vec<_>>(), b"abc");
    assert!(records.iter().all(|record| record.partition_leader_epoch == 0));
}

#[tokio::test]
async fn damaged_and_forbidden_batches_are_refused_as_kafka_refuses_them() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("refused", 1, &[("max.message.bytes", "1000")]).await;
    let good = batch(NOBODY, &[b"a", b"b"]);

    let mut flipped = good.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let two_batches = [&good[..], &good[..]].concat();
    let count = forge(&good, |batch| batch[57..61].copy_from_slice(&3_i32.to_be_bytes()));
    let none = forge(&good, |batch| {
        batch[57..61].copy_from_slice(&0_i32.to_be_bytes());
        batch[23..27].copy_from_slice(&(-1_i32).to_be_bytes());
    });
    let control = forge(&good, |batch| batch[22] |= 0x20);
    let no_sequence = forge(&good, |batch| batch[43..51].copy_from_slice(&7_i64.to_be_bytes()));
    let large = batch(NOBODY, &[&[0; 2000]]);
    let cases = [
        ("a flipped bit", flipped.into(), CorruptMessage),
        ("two batches", two_batches.into(), InvalidRecord),
        ("a wrong count", count, InvalidRecord),
        ("no records", none, InvalidRecord),
        ("a control batch", control, InvalidRecord),
        ("a producer without sequence", no_sequence, InvalidRecord),
        ("too large", large, MessageTooLarge),
    ];
    for (case, bytes, expected) in cases {
        let refused = wire.produce(&topic, bytes).await;
        assert_eq!(refused.error_code, expected.code(), "{case}: {:?}", refused.error_message);
        assert_eq!(refused.base_offset, -1, "{case}");
    }
    assert_eq!(wire.produce(&topic, good).await.base_offset, 0, "nothing of them was stored");
}

#[tokio::test]
async fn zstd_is_refused_to_producers_that_are_too_old_for_it() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("zstd", 1, &[]).await;
    let zstd = forge(&batch(NOBODY, &[b"a"]), |batch| batch[22] |= 4);
    let response = wire.call(6, &produce_request(&topic, zstd)).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, UnsupportedCompressionType.code());
}

#[tokio::test]
async fn records_from_the_far_future_are_refused() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("future", 1, &[]).await;
    let refused = wire.produce(&topic, batch_at(NOBODY, 4_000_000_000_000, &[b"a"])).await;
    assert_eq!(refused.error_code, InvalidTimestamp.code());
}

#[tokio::test]
async fn topics_and_partitions_that_are_not_there_are_named_by_their_codes() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("there", 1, &[]).await;
    let absent = topic_name(&unique("absent"));
    assert_eq!(wire.produce(&absent, batch(NOBODY, &[b"a"])).await.error_code, UnknownTopicOrPartition.code());

    let mut request = produce_request(&topic, batch(NOBODY, &[b"a"]));
    request.topic_data[0].partition_data[0].index = 1;
    let response = wire.call(9, &request).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, UnknownTopicOrPartition.code());

    let by_id = |id| {
        let partition = PartitionProduceData::default().with_records(Some(batch(NOBODY, &[b"a"])));
        let topic = TopicProduceData::default().with_topic_id(id).with_partition_data(vec![partition]);
        ProduceRequest::default().with_acks(1).with_timeout_ms(1000).with_topic_data(vec![topic])
    };
    let response = wire.call(13, &by_id(Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0))).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, UnknownTopicId.code());
    let id = wire.topic_id(&topic).await.expect("the topic has an id");
    let response = wire.call(13, &by_id(id)).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
    assert_eq!(response.responses[0].topic_id, id);
}

#[tokio::test]
async fn acknowledgements_are_as_asked_for() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("acks", 1, &[]).await;
    let good = batch(NOBODY, &[b"a"]);
    let odd = wire.call(9, &produce_request(&topic, good.clone()).with_acks(2)).await;
    assert_eq!(odd.responses[0].partition_responses[0].error_code, InvalidRequiredAcks.code());
    // Without acknowledgement there is no answer: the next one belongs to the next request.
    wire.send(9, &produce_request(&topic, good.clone()).with_acks(0)).await;
    assert_eq!(wire.produce(&topic, good).await.base_offset, 1);
    // A failure without acknowledgement ends the connection.
    wire.send(9, &produce_request(&topic_name(&unique("absent")), batch(NOBODY, &[b"a"])).with_acks(0)).await;
    assert!(is_closed(&mut wire).await);
}

async fn producer_id(wire: &mut Wire) -> i64 {
    let response = wire.call(4, &init_producer_id()).await;
    assert_eq!((response.error_code, response.producer_epoch), (0, 0));
    response.producer_id.0
}

#[tokio::test]
async fn a_batch_sent_again_is_stored_once() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("idempotent", 1, &[]).await;
    let id = producer_id(&mut wire).await;
    assert_ne!(id, producer_id(&mut wire).await, "every producer has its own id");
    let sent = |sequence| batch(Sender { id, epoch: 0, sequence }, &[b"a", b"b"]);
    for sequence in [0, 2, 4, 6, 8] {
        assert_eq!(wire.produce(&topic, sent(sequence)).await.base_offset, i64::from(sequence));
    }
    // Five batches back a repetition is known.
    for sequence in [0, 2, 4, 6, 8] {
        let again = wire.produce(&topic, sent(sequence)).await;
        assert_eq!((again.error_code, again.base_offset), (0, i64::from(sequence)));
    }
    assert_eq!(wire.fetch(&topic, 0).await.high_watermark, 10);
    assert_eq!(wire.produce(&topic, sent(10)).await.base_offset, 10);
    // Now the first one is forgotten.
    assert_eq!(wire.produce(&topic, sent(0)).await.error_code, OutOfOrderSequenceNumber.code());
}

#[tokio::test]
async fn gaps_and_old_epochs_are_refused() {
    let subject = subject().await;
    let mut wire = Wire::connect(subject.addr).await;
    let topic = wire.create_topic("fenced", 1, &[]).await;
    let id = producer_id(&mut wire).await;
    let sent = |epoch, sequence| batch(Sender { id, epoch, sequence }, &[b"a"]);
    assert_eq!(wire.produce(&topic, sent(1, 0)).await.error_code, 0);
    assert_eq!(wire.produce(&topic, sent(1, 2)).await.error_code, OutOfOrderSequenceNumber.code());
    assert_eq!(wire.produce(&topic, sent(0, 1)).await.error_code, InvalidProducerEpoch.code());
    // A new epoch begins at 0.
    assert_eq!(wire.produce(&topic, sent(2, 1)).await.error_code, OutOfOrderSequenceNumber.code());
    assert_eq!(wire.produce(&topic, sent(2, 0)).await.error_code, 0);
}
