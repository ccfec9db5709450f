use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError::{OffsetOutOfRange, OutOfOrderSequenceNumber, PolicyViolation};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{GroupId, OffsetCommitRequest, OffsetFetchRequest};
use local::broker::{Broker, BrokerError, BrokerOptions};
use world::Clock;

use super::wire::{NOBODY, Sender, Wire, batch, batch_at, init_producer_id, text, topic_name};

fn in_dir(dir: &Path) -> BrokerOptions {
    BrokerOptions { dir: Some(dir.to_owned()), ..BrokerOptions::default() }
}

async fn start(options: BrokerOptions) -> (Broker, Wire) {
    let broker = Broker::start(options).await.expect("the broker starts");
    let wire = Wire::connect(broker.addr()).await;
    (broker, wire)
}

/// Starts again at a directory that another broker has just been dropped on.
async fn start_again(dir: &Path) -> (Broker, Wire) {
    loop {
        match Broker::start(in_dir(dir)).await {
            Ok(broker) => {
                let wire = Wire::connect(broker.addr()).await;
                return (broker, wire);
            }
            Err(BrokerError::InUse { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

fn commit(offset: i64, metadata: &str) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_leader_epoch(3)
        .with_committed_metadata(Some(text(metadata)));
    let topic = OffsetCommitRequestTopic::default().with_name(topic_name("orders")).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

async fn committed(wire: &mut Wire) -> Option<(i64, i32, String)> {
    let group = OffsetFetchRequestGroup::default().with_group_id(GroupId(text("g"))).with_topics(None);
    let response = wire.call(8, &OffsetFetchRequest::default().with_groups(vec![group])).await;
    let partition = response.groups[0].topics.first()?.partitions[0].clone();
    Some((partition.committed_offset, partition.committed_leader_epoch, partition.metadata?.to_string()))
}

fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for path in fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                left.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    for stop_cleanly in [true, false] {
        let home = dir.path().join(stop_cleanly.to_string());
        let (broker, mut wire) = start(in_dir(&home)).await;
        broker.create_topic("orders", 3, &[("max.message.bytes", "5000")]).await.expect("the topic is created");
        broker.create_topic("deleted", 1, &[]).await.expect("the topic is created");
        let topic = topic_name("orders");
        let id = wire.topic_id(&topic).await;
        let pid = wire.call(4, &init_producer_id()).await.producer_id.0;
        let sender = |sequence| Sender { id: pid, epoch: 0, sequence };
        wire.produce(&topic, batch(sender(0), &[b"a", b"b"])).await;
        wire.produce(&topic, batch(sender(2), &[b"c"])).await;
        let before = wire.fetch(&topic, 0).await.records;
        assert_eq!(wire.call(8, &commit(1, "first")).await.topics[0].partitions[0].error_code, 0);
        assert_eq!(wire.call(8, &commit(2, "intent \"é\"\n")).await.topics[0].partitions[0].error_code, 0);
        if stop_cleanly {
            broker.shutdown().await.expect("the broker stops");
        } else {
            drop(broker);
        }

        let (_broker, mut wire) = start_again(&home).await;
        assert_eq!(wire.topic_id(&topic).await, id);
        assert_eq!(wire.fetch(&topic, 0).await.records, before);
        assert_eq!(committed(&mut wire).await, Some((2, 3, "intent \"é\"\n".to_owned())));
        // The producer goes on where it was, and a repetition is still known.
        assert_eq!(wire.produce(&topic, batch(sender(2), &[b"c"])).await.base_offset, 2);
        assert_eq!(wire.produce(&topic, batch(sender(4), &[b"c"])).await.error_code, OutOfOrderSequenceNumber.code());
        assert_eq!(wire.produce(&topic, batch(sender(3), &[b"d"])).await.base_offset, 3);
        assert_ne!(wire.call(4, &init_producer_id()).await.producer_id.0, pid);
        let large = wire.produce(&topic, batch(NOBODY, &[&[0; 6000]])).await;
        assert_ne!(large.error_code, 0, "the configuration survived");
    }
}

#[tokio::test]
async fn a_torn_or_damaged_tail_is_dropped_and_what_is_before_it_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let (broker, mut wire) = start(in_dir(dir.path())).await;
    broker.create_topic("orders", 1, &[]).await.expect("the topic is created");
    let topic = topic_name("orders");
    for value in [b"a", b"b", b"c"] {
        wire.produce(&topic, batch(NOBODY, &[value])).await;
    }
    wire.call(8, &commit(1, "kept")).await;
    broker.shutdown().await.expect("the broker stops");
    let log = files(dir.path(), ".log").remove(0);
    let size = fs::metadata(&log).expect("a log").len();
    let batch_size = size / 3;
    // Cut in the middle of the last batch; half a line in the journal of offsets.
    OpenOptions::new().write(true).open(&log).expect("a log").set_len(size - 3).expect("cut");
    let journal = files(dir.path(), "offsets.jsonl").remove(0);
    let mut lines = fs::read(&journal).expect("a journal");
    lines.extend_from_slice(b"{\"group\":\"g\",\"topic\":\"orders\",\"part");
    fs::write(&journal, lines).expect("a journal");

    let (broker, mut wire) = start_again(dir.path()).await;
    assert_eq!(wire.fetch(&topic, 0).await.high_watermark, 2);
    assert_eq!(committed(&mut wire).await, Some((1, 3, "kept".to_owned())));
    assert_eq!(wire.produce(&topic, batch(NOBODY, &[b"d"])).await.base_offset, 2);
    wire.call(8, &commit(2, "more")).await;
    broker.shutdown().await.expect("the broker stops");

    // A bit flipped in the second batch: it and all behind it are dropped.
    let mut bytes = fs::read(&log).expect("a log");
    bytes[batch_size as usize + 65] ^= 1;
    fs::write(&log, bytes).expect("a log");
    let (_broker, mut wire) = start_again(dir.path()).await;
    let left = wire.fetch(&topic, 0).await;
    assert_eq!((left.high_watermark, left.records.map(|records| records.len() as u64)), (1, Some(batch_size)));
    assert_eq!(committed(&mut wire).await, Some((2, 3, "more".to_owned())));
}

#[tokio::test]
async fn segments_are_rolled_and_read_across_and_old_ones_removed() {
    let dir = tempfile::tempdir().expect("a directory");
    for home in [None, Some(dir.path().to_owned())] {
        let (broker, mut wire) = start(BrokerOptions { dir: home.clone(), ..BrokerOptions::default() }).await;
        broker
            .create_topic("rolled", 1, &[("segment.bytes", "1048576"), ("retention.ms", "-1")])
            .await
            .expect("the topic is created");
        let topic = topic_name("rolled");
        let value = vec![7; 100_000];
        for _ in 0..35 {
            assert_eq!(wire.produce(&topic, batch(NOBODY, &[&value])).await.error_code, 0);
        }
        let mut offset = 0;
        while offset < 35 {
            let mut records = wire.fetch(&topic, offset).await.records.expect("records");
            assert!(!records.is_empty(), "nothing at {offset}");
            while records.len() > 61 {
                let length = i32::from_be_bytes(records[8..12].try_into().expect("four bytes")) as usize + 12;
                if length > records.len() {
                    break;
                }
                assert_eq!(i64::from_be_bytes(records[..8].try_into().expect("eight bytes")), offset);
                offset += 1;
                records = records.slice(length..);
            }
        }
        if let Some(home) = home {
            assert_eq!(files(&home, ".log").len(), 4);
            let id = wire.topic_id(&topic).await;
            broker.shutdown().await.expect("the broker stops");
            let (_broker, mut wire) = start_again(&home).await;
            assert_eq!(wire.topic_id(&topic).await, id);
            assert_eq!(wire.fetch(&topic, 20).await.high_watermark, 35);
        }
    }
}

#[tokio::test]
async fn retention_gives_back_the_memory_of_old_records() {
    let clock = Clock::manual(std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let options = BrokerOptions {
        clock: clock.clone(),
        retention_interval: Duration::from_millis(20),
        ..BrokerOptions::default()
    };
    let (broker, mut wire) = start(options).await;
    broker.create_topic("aged", 1, &[("retention.ms", "60000"), ("segment.bytes", "1048576")]).await.expect("created");
    broker
        .create_topic("sized", 1, &[("retention.bytes", "2000000"), ("segment.bytes", "1048576")])
        .await
        .expect("created");
    let value: &[u8] = &vec![7; 500_000];
    for name in ["aged", "sized"] {
        for _ in 0..9 {
            let sent = batch_at(NOBODY, clock.now_millis(), &[value]);
            assert_eq!(wire.produce(&topic_name(name), sent).await.error_code, 0);
        }
    }
    let start_of = async |wire: &mut Wire, name: &str| wire.fetch(&topic_name(name), 9).await.log_start_offset;
    while start_of(&mut wire, "sized").await != 4 {
        tokio::task::yield_now().await;
    }
    assert_eq!(start_of(&mut wire, "aged").await, 0);
    clock.advance(Duration::from_mins(2));
    // All but the segment that is still written to.
    while start_of(&mut wire, "aged").await != 8 {
        tokio::task::yield_now().await;
    }
    assert_eq!(wire.fetch(&topic_name("aged"), 7).await.error_code, OffsetOutOfRange.code());
}

#[tokio::test]
async fn memory_is_bounded_and_what_goes_beyond_is_refused_by_name() {
    let (broker, mut wire) = start(BrokerOptions { memory: 300_000, ..BrokerOptions::default() }).await;
    for name in ["one", "two"] {
        broker.create_topic(name, 1, &[]).await.expect("the topic is created");
    }
    let sent = batch(NOBODY, &[&vec![7; 100_000]]);
    assert_eq!(wire.produce(&topic_name("one"), sent.clone()).await.error_code, 0);
    assert_eq!(wire.produce(&topic_name("two"), sent.clone()).await.error_code, 0);
    let refused = wire.produce(&topic_name("one"), sent.clone()).await;
    assert_eq!(refused.error_code, PolicyViolation.code());
    assert!(refused.error_message.expect("a reason").contains("300000 bytes in memory"));
    // A topic that is deleted gives its memory back.
    let delete = kafka_protocol::messages::DeleteTopicsRequest::default().with_topic_names(vec![topic_name("two")]);
    assert_eq!(wire.call(5, &delete).await.responses[0].error_code, 0);
    assert_eq!(wire.produce(&topic_name("one"), sent).await.base_offset, 1);
}

#[tokio::test]
async fn one_directory_serves_one_broker() {
    let dir = tempfile::tempdir().expect("a directory");
    let (broker, _wire) = start(in_dir(dir.path())).await;
    let second = Broker::start(in_dir(dir.path())).await.expect_err("it is in use");
    assert!(matches!(second, BrokerError::InUse { .. }), "{second}");
    broker.shutdown().await.expect("the broker stops");
    Broker::start(in_dir(dir.path())).await.expect("it is free again");
}

#[tokio::test]
async fn a_catalogue_that_is_none_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("catalogue.json"), Bytes::from_static(b"{]")).expect("a file");
    let refused = Broker::start(in_dir(dir.path())).await.expect_err("that is no catalogue");
    assert!(matches!(&refused, BrokerError::Catalogue { path, .. } if path.ends_with("catalogue.json")), "{refused}");
}
