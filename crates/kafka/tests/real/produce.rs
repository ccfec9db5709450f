use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use data::{Header, Offset, TopicPartition};
use kafka::admin::{Isolation, NewTopic, Place};
use kafka::cluster::Purpose;
use kafka::produce::{Compression, Producer, ProducerConfig, Record, partition_of_key};
use kafka::{Cluster, ErrorCode};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{FetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::RecordBatchDecoder;

use crate::support::{Kafka, eventually, fresh, kafka, topic, wanted};

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip(6), Compression::Snappy, Compression::Lz4, Compression::Zstd(3)];

/// What Kafka's own consumer reads from the beginning of a topic: a line for each record.
fn consume(kafka: &Kafka, topic: &str, count: usize, properties: &[&str]) -> Vec<String> {
    let count = count.to_string();
    let mut arguments = vec!["org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", topic, "--from-beginning"];
    arguments.extend(["--timeout-ms", "30000", "--max-messages", &count]);
    for property in properties {
        arguments.extend(["--property", property]);
    }
    kafka.script("tool", &arguments).lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_java_consumer_reads_what_we_write_in_every_codec() {
    let Some(kafka) = kafka("the_java_consumer_reads_what_we_write_in_every_codec") else { return };
    let cluster = kafka.connect().await;
    let name: Arc<str> = topic(&cluster, 1).await.into();
    let filler = "x".repeat(500);
    let mut expected = Vec::new();
    for compression in CODECS {
        // Small and large batches: the latter are of several blocks of each codec, and compressed elsewhere.
        for (batch_size, count) in [(1_000_000, 1000), (100, 2)] {
            let config = ProducerConfig { compression, batch_size, ..ProducerConfig::default() };
            let producer = Producer::new(cluster.clone(), config);
            for number in 0..count {
                let key = format!("k{number}");
                let value = format!("{compression:?} {number} {filler}");
                let headers = [Header { key: b"a", value: Some(b"1") }, Header { key: b"a", value: None }];
                let record = Record {
                    topic: &name,
                    partition: None,
                    key: Some(key.as_bytes()),
                    value: Some(value.as_bytes()),
                    headers: &headers,
                    timestamp: Some(1_700_000_000_000 + number),
                };
                drop(producer.send(&record).await.unwrap());
                let time = 1_700_000_000_000 + number;
                expected.push(format!("CreateTime:{time}\ta:1,a:null\t{key}\t{value}"));
            }
            producer.close().await;
        }
    }
    let print = ["print.timestamp=true", "print.headers=true", "print.key=true"];
    let read = consume(kafka, &name, expected.len(), &print);
    assert_eq!(read.len(), expected.len());
    for (read, expected) in read.iter().zip(&expected) {
        assert_eq!(read, expected);
    }
}

#[tokio::test]
async fn null_keys_and_values_stay_null_and_offsets_are_told() {
    let Some(kafka) = kafka("null_keys_and_values_stay_null_and_offsets_are_told") else { return };
    let cluster = kafka.connect().await;
    let name: Arc<str> = topic(&cluster, 1).await.into();
    let producer = Producer::new(cluster.clone(), ProducerConfig::default());
    let record = Record { topic: &name, partition: Some(0), key: None, value: None, headers: &[], timestamp: None };
    for expected in 0..3 {
        let acked = producer.send(&record).await.unwrap().acked().await.unwrap();
        assert_eq!((acked.partition.partition, acked.offset), (0, Some(Offset(expected))));
    }
    assert_eq!(consume(kafka, &name, 1, &["print.key=true"]), ["null\tnull"]);
    let partition = TopicPartition::new(name, 0);
    let end = cluster.list_offsets(std::slice::from_ref(&partition), Place::Latest, Isolation::ReadCommitted).await;
    assert_eq!(end.unwrap()[&partition], Some(Offset(3)));
}

#[tokio::test]
async fn keys_go_where_the_java_producer_puts_them() {
    let Some(kafka) = kafka("keys_go_where_the_java_producer_puts_them") else { return };
    let cluster = kafka.connect().await;
    let name = topic(&cluster, 7).await;
    let keys: Vec<String> = (0..50).map(|number| format!("{}{number}", "key-".repeat(number % 4))).collect();
    let lines = keys.join(":v\n") + ":v\n";
    let file = kafka.file(&fresh("lines"));
    std::fs::write(&file, lines).unwrap();
    let version = world::Environment::process().get("KAFKA_VERSION").unwrap_or_default();
    let old = version.starts_with('3');
    let tool = if old { "kafka.tools.ConsoleProducer" } else { "org.apache.kafka.tools.ConsoleProducer" };
    let arguments = [tool, "--topic", &name, "--property", "parse.key=true", "--property", "key.separator=:"];
    kafka.script_with_input("tool", &arguments, &file);
    for line in consume(kafka, &name, keys.len(), &["print.key=true", "print.partition=true"]) {
        let (partition, rest) = line.strip_prefix("Partition:").unwrap().split_once('\t').unwrap();
        let (key, _) = rest.split_once('\t').unwrap();
        assert_eq!(partition_of_key(key.as_bytes(), 7).to_string(), partition, "{key}");
    }
}

#[tokio::test]
async fn records_without_a_key_are_spread_over_the_partitions() {
    let Some(kafka) = kafka("records_without_a_key_are_spread_over_the_partitions") else { return };
    let cluster = kafka.connect().await;
    let name: Arc<str> = topic(&cluster, 4).await.into();
    let config = ProducerConfig { batch_size: 2000, ..ProducerConfig::default() };
    let producer = Producer::new(cluster, config);
    let record =
        Record { topic: &name, partition: None, key: None, value: Some(&[b'x'; 200]), headers: &[], timestamp: None };
    let mut deliveries = Vec::new();
    for _ in 0..2000 {
        deliveries.push(producer.send(&record).await.unwrap());
    }
    let mut counts: HashMap<i32, usize> = HashMap::new();
    for delivery in deliveries {
        *counts.entry(delivery.acked().await.unwrap().partition.partition).or_default() += 1;
    }
    assert!(counts.len() == 4 && counts.values().all(|count| *count > 100), "{counts:?}");
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_named() {
    let Some(kafka) = kafka("a_topic_that_does_not_exist_is_named") else { return };
    let config = ProducerConfig { max_block: Duration::from_secs(1), ..ProducerConfig::default() };
    let producer = Producer::new(kafka.connect().await, config);
    let name: Arc<str> = "no-such-topic".into();
    let record = Record { topic: &name, partition: None, key: None, value: None, headers: &[], timestamp: None };
    let error = producer.send(&record).await.unwrap_err();
    assert!(fault::Chain(&error).to_string().contains("no-such-topic failed: UNKNOWN_TOPIC_OR_PARTITION"), "{error:?}");
}

#[tokio::test]
async fn a_batch_above_the_topics_limit_is_refused_and_the_next_is_written() {
    let Some(kafka) = kafka("a_batch_above_the_topics_limit_is_refused_and_the_next_is_written") else { return };
    let cluster = kafka.connect().await;
    let name: Arc<str> = fresh("small").into();
    let configs = [("max.message.bytes".to_owned(), "1000".to_owned())].into();
    cluster
        .create_topic(&NewTopic { name: name.clone(), partitions: 1, replication_factor: 1, configs })
        .await
        .unwrap();
    let producer = Producer::new(cluster, ProducerConfig::default());
    let large = vec![b'x'; 5000];
    let record = |value| Record { topic: &name, partition: None, key: None, value, headers: &[], timestamp: None };
    let error = producer.send(&record(Some(&*large))).await.unwrap().acked().await.unwrap_err();
    assert!(matches!(error, kafka::produce::Error::Refused { code: ErrorCode::MESSAGE_TOO_LARGE, .. }), "{error}");
    let acked = producer.send(&record(None)).await.unwrap().acked().await.unwrap();
    assert_eq!(acked.offset, Some(Offset(0)));
}

/// The values of an uncompressed partition, from its beginning to its end.
async fn read_all(cluster: &Cluster, partition: &TopicPartition) -> Vec<u64> {
    let end = cluster.list_offsets(std::slice::from_ref(partition), Place::Latest, Isolation::default()).await.unwrap();
    let end = end[partition].unwrap().0;
    let mut values = Vec::new();
    let mut at = 0;
    while at < end {
        let fetch = FetchPartition::default()
            .with_partition(partition.partition)
            .with_fetch_offset(at)
            .with_partition_max_bytes(1 << 20);
        let fetch = FetchTopic::default()
            .with_topic(TopicName(StrBytes::from_string(partition.topic.to_string())))
            .with_partitions(vec![fetch]);
        let request = FetchRequest::default().with_max_wait_ms(500).with_max_bytes(1 << 20).with_topics(vec![fetch]);
        let leader = cluster.leader(partition).await.unwrap();
        let connection = cluster.node(leader.node, Purpose::Fetch).await.unwrap();
        let options = kafka::net::Options { max_version: Some(12), ..Default::default() };
        let response = connection.call_with(&request, options).await.unwrap();
        let partition = &response.responses[0].partitions[0];
        assert_eq!(partition.error_code, 0);
        let mut records = partition.records.clone().unwrap();
        for set in RecordBatchDecoder::decode_all(&mut records).unwrap() {
            let from = at;
            for record in set.records.iter().filter(|record| record.offset >= from) {
                at = record.offset + 1;
                values.push(std::str::from_utf8(record.value.as_ref().unwrap()).unwrap().parse().unwrap());
            }
        }
    }
    values
}

#[tokio::test]
async fn nothing_is_lost_doubled_or_reordered_while_leaders_die() {
    if !wanted("nothing_is_lost_doubled_or_reordered_while_leaders_die") {
        return;
    }
    let kafka = Kafka::start(&[("KAFKA_NODES", "3"), ("KAFKA_HEAP", "256m")]);
    let cluster = kafka.connect().await;
    eventually("three brokers are up", Duration::from_mins(1), async || {
        (cluster.refresh().await.unwrap().brokers.len() == 3).then_some(())
    })
    .await;
    let name: Arc<str> = fresh("topic").into();
    let configs = [("min.insync.replicas".to_owned(), "2".to_owned())].into();
    cluster
        .create_topic(&NewTopic { name: name.clone(), partitions: 2, replication_factor: 3, configs })
        .await
        .unwrap();
    let producer = Arc::new(Producer::new(cluster.clone(), ProducerConfig::default()));
    let writing = tokio::spawn({
        let (producer, name) = (producer.clone(), name.clone());
        async move {
            let mut deliveries = Vec::new();
            for number in 0..60_000_u64 {
                let value = number.to_string();
                let record = Record {
                    topic: &name,
                    partition: Some((number % 2) as i32),
                    key: None,
                    value: Some(value.as_bytes()),
                    headers: &[],
                    timestamp: None,
                };
                deliveries.push(producer.send(&record).await.unwrap());
                if number % 200 == 0 {
                    deliveries.last().unwrap().acked().await.unwrap();
                }
            }
            for delivery in deliveries {
                delivery.acked().await.unwrap();
            }
        }
    });
    for round in 0..2 {
        let partition = TopicPartition::new(name.clone(), round);
        let victim = cluster.retried(|| cluster.leader(&partition)).await.unwrap().node.to_string();
        kafka.script("kill", &[&victim]);
        kafka.script("resume", &[&victim]);
        eventually("the node is back", Duration::from_mins(1), async || {
            (cluster.refresh().await.unwrap().brokers.len() == 3).then_some(())
        })
        .await;
    }
    assert!(!writing.is_finished(), "the records were written before the leaders died");
    writing.await.unwrap();
    for index in 0..2 {
        let values = read_all(&cluster, &TopicPartition::new(name.clone(), index)).await;
        let expected: Vec<u64> = (0..60_000).filter(|number| number % 2 == index as u64).collect();
        assert!(values == expected, "partition {index} has {} records of {}", values.len(), expected.len());
    }
}
