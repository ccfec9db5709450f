//! A producer against a broker that follows a script.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use data::TopicPartition;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, InitProducerIdResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse, ProducerId, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes, decode_request_header_from_buffer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{Acked, Error, Producer, ProducerConfig, Record};
use crate::{ClientConfig, Cluster, ErrorCode};

/// What the broker does with one batch that arrives.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// Writes it.
    Write,
    /// Says this, and does not write it.
    Refuse(ErrorCode),
    /// Hangs up.
    HangUp,
}

/// What arrived, by the header of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Arrived {
    epoch: i16,
    sequence: i32,
    count: i32,
}

struct Broker {
    port: u16,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    task: JoinHandle<()>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Broker {
    /// Answers the batches that arrive by this script, then writes all further ones.
    async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrived: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let script: Arc<Mutex<Vec<Answer>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        script.lock().unwrap().reverse();
        let task = tokio::spawn({
            let arrived = arrived.clone();
            async move {
                let mut connections = tokio::task::JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(serve(stream, port, script.clone(), arrived.clone()));
                }
            }
        });
        Self { port, arrived, task }
    }

    async fn producer(&self, config: ProducerConfig) -> Producer {
        self.patient_producer(config, Duration::from_millis(10)).await
    }

    /// A producer that pauses so long before it tries again.
    async fn patient_producer(&self, config: ProducerConfig, retry_backoff: Duration) -> Producer {
        let client = ClientConfig::plaintext([format!("127.0.0.1:{}", self.port)]);
        let client = ClientConfig { retry_backoff, ..client };
        Producer::new(Cluster::connect(client).await.unwrap(), config)
    }

    fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    port: u16,
    script: Arc<Mutex<Vec<Answer>>>,
    arrived: Arc<Mutex<Vec<Arrived>>>,
) -> std::io::Result<()> {
    loop {
        let mut frame = vec![0; stream.read_u32().await? as usize];
        stream.read_exact(&mut frame).await?;
        let mut frame = Bytes::from(frame);
        let header = decode_request_header_from_buffer(&mut frame).unwrap();
        let version = header.request_api_version;
        let mut out = BytesMut::new();
        let flexible = i16::from(header.request_api_key != ApiKey::ApiVersions as i16);
        ResponseHeader::default().with_correlation_id(header.correlation_id).encode(&mut out, flexible).unwrap();
        match ApiKey::try_from(header.request_api_key).unwrap() {
            ApiKey::ApiVersions => {
                let api = |key: ApiKey, version| {
                    ApiVersion::default().with_api_key(key as i16).with_min_version(version).with_max_version(version)
                };
                let apis = vec![api(ApiKey::Metadata, 12), api(ApiKey::Produce, 9), api(ApiKey::InitProducerId, 4)];
                ApiVersionsResponse::default().with_api_keys(apis).encode(&mut out, version).unwrap();
            }
            ApiKey::Metadata => {
                let request = MetadataRequest::decode(&mut frame, version).unwrap();
                let topics = request.topics.unwrap_or_default().into_iter().map(|topic| {
                    let partitions = (0..2).map(|index| {
                        MetadataResponsePartition::default().with_partition_index(index).with_leader_id(BrokerId(7))
                    });
                    MetadataResponseTopic::default().with_name(topic.name).with_partitions(partitions.collect())
                });
                let broker = MetadataResponseBroker::default()
                    .with_node_id(BrokerId(7))
                    .with_host(StrBytes::from_static_str("127.0.0.1"))
                    .with_port(i32::from(port));
                MetadataResponse::default()
                    .with_brokers(vec![broker])
                    .with_topics(topics.collect())
                    .encode(&mut out, version)
                    .unwrap();
            }
            ApiKey::InitProducerId => {
                let response = InitProducerIdResponse::default().with_producer_id(ProducerId(41));
                response.with_producer_epoch(0).encode(&mut out, version).unwrap();
            }
            ApiKey::Produce => {
                let request = ProduceRequest::decode(&mut frame, version).unwrap();
                let mut topics = Vec::new();
                for topic in request.topic_data {
                    let mut partitions = Vec::new();
                    for partition in topic.partition_data {
                        let mut batch = partition.records.unwrap();
                        batch.advance(51);
                        let (epoch, sequence, count) = (batch.get_i16(), batch.get_i32(), batch.get_i32());
                        let written = {
                            let mut arrived = arrived.lock().unwrap();
                            arrived.push(Arrived { epoch, sequence, count });
                            arrived.len()
                        };
                        let answer = script.lock().unwrap().pop().unwrap_or(Answer::Write);
                        let response = PartitionProduceResponse::default().with_index(partition.index);
                        partitions.push(match answer {
                            Answer::Write => response.with_base_offset(1000 * written as i64),
                            Answer::Refuse(code) => response.with_error_code(code.number()).with_base_offset(-1),
                            Answer::HangUp => return Ok(()),
                        });
                    }
                    let response = TopicProduceResponse::default().with_name(topic.name);
                    topics.push(response.with_partition_responses(partitions));
                }
                ProduceResponse::default().with_responses(topics).encode(&mut out, version).unwrap();
            }
            other => panic!("{other:?} was not expected"),
        }
        let mut answer = BytesMut::new();
        answer.put_u32(out.len() as u32);
        answer.extend_from_slice(&out);
        stream.write_all(&answer).await?;
    }
}

fn orders() -> Arc<str> {
    "orders".into()
}

fn record<'a>(topic: &'a Arc<str>, value: &'a [u8]) -> Record<'a> {
    Record { topic, partition: Some(0), key: None, value: Some(value), headers: &[], timestamp: None }
}

/// Writes one record after the other, each in a batch of its own.
async fn one_by_one(producer: &Producer, count: usize) -> Vec<Result<Acked, Error>> {
    let topic = orders();
    let mut results = Vec::new();
    for _ in 0..count {
        let delivery = producer.send(&record(&topic, b"v")).await.unwrap();
        results.push(delivery.acked().await);
    }
    results
}

fn arrival(epoch: i16, sequence: i32) -> Arrived {
    Arrived { epoch, sequence, count: 1 }
}

#[tokio::test]
async fn records_of_a_batch_have_consecutive_offsets() {
    let broker = Broker::start([]).await;
    let config = ProducerConfig { linger: Duration::from_mins(1), ..ProducerConfig::default() };
    let producer = broker.producer(config).await;
    let topic = orders();
    let mut deliveries = Vec::new();
    for _ in 0..3 {
        deliveries.push(producer.send(&record(&topic, b"v")).await.unwrap());
    }
    producer.flush().await;
    for (at, delivery) in deliveries.iter().enumerate() {
        let acked = delivery.acked().await.unwrap();
        assert_eq!(acked.partition, TopicPartition::new("orders", 0));
        assert_eq!(acked.offset.unwrap().0, 1000 + at as i64);
    }
    assert_eq!(broker.arrived(), [Arrived { epoch: 0, sequence: 0, count: 3 }]);
}

#[tokio::test]
async fn a_batch_is_sent_again_with_the_same_sequence() {
    let refuse = Answer::Refuse(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let broker = Broker::start([Answer::Write, Answer::HangUp, refuse, Answer::Write]).await;
    let producer = broker.producer(ProducerConfig::default()).await;
    for result in one_by_one(&producer, 3).await {
        result.unwrap();
    }
    let expected = [arrival(0, 0), arrival(0, 1), arrival(0, 1), arrival(0, 1), arrival(0, 2)];
    assert_eq!(broker.arrived(), expected);
}

#[tokio::test]
async fn a_broker_that_lost_track_gets_a_higher_epoch() {
    for code in [ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode::UNKNOWN_PRODUCER_ID] {
        let broker = Broker::start([Answer::Write, Answer::Refuse(code)]).await;
        let producer = broker.producer(ProducerConfig::default()).await;
        for result in one_by_one(&producer, 3).await {
            result.unwrap();
        }
        assert_eq!(broker.arrived(), [arrival(0, 0), arrival(0, 1), arrival(1, 0), arrival(1, 1)]);
    }
}

#[tokio::test]
async fn a_refused_batch_leaves_its_sequence_to_the_next() {
    let broker = Broker::start([Answer::Refuse(ErrorCode::MESSAGE_TOO_LARGE)]).await;
    let producer = broker.producer(ProducerConfig::default()).await;
    let results = one_by_one(&producer, 2).await;
    let error = results[0].as_ref().unwrap_err();
    assert_eq!(error.to_string(), "writing to orders-0 failed: MESSAGE_TOO_LARGE");
    assert!(results[1].is_ok());
    assert_eq!(broker.arrived(), [arrival(0, 0), arrival(0, 0)]);
}

#[tokio::test]
async fn a_duplicate_is_a_success_without_an_offset() {
    let broker = Broker::start([Answer::Refuse(ErrorCode::DUPLICATE_SEQUENCE_NUMBER)]).await;
    let producer = broker.producer(ProducerConfig::default()).await;
    let results = one_by_one(&producer, 2).await;
    assert_eq!(results[0].as_ref().unwrap().offset, None);
    assert_eq!(broker.arrived(), [arrival(0, 0), arrival(0, 1)]);
}

#[tokio::test]
async fn a_record_of_unknown_outcome_is_given_up_and_the_next_comes_under_a_higher_epoch() {
    let broker = Broker::start([Answer::HangUp; 1]).await;
    // The pause before the second try is longer than the record may take.
    let config = ProducerConfig { delivery_timeout: Duration::from_secs(1), ..ProducerConfig::default() };
    let producer = broker.patient_producer(config, Duration::from_secs(10)).await;
    let results = one_by_one(&producer, 2).await;
    let error = results[0].as_ref().unwrap_err();
    assert!(matches!(error, Error::Expired { source: Some(_), .. }), "{error}");
    assert!(results[1].is_ok());
    assert_eq!(broker.arrived(), [arrival(0, 0), arrival(1, 0)]);
}

#[tokio::test]
async fn a_producer_that_is_not_idempotent_sends_no_sequence() {
    let broker = Broker::start([]).await;
    let producer = broker.producer(ProducerConfig { idempotent: false, ..ProducerConfig::default() }).await;
    one_by_one(&producer, 1).await[0].as_ref().unwrap();
    assert_eq!(broker.arrived(), [arrival(-1, -1)]);
}

#[tokio::test]
async fn callers_wait_for_room_and_batches_do_not_linger_then() {
    let broker = Broker::start([]).await;
    let config = ProducerConfig {
        buffer_memory: 2000,
        batch_size: 1000,
        linger: Duration::from_hours(1),
        ..ProducerConfig::default()
    };
    let producer = broker.producer(config).await;
    let topic = orders();
    let value = [7; 600];
    for _ in 0..20 {
        // Its acknowledgement is not waited for: only the room of earlier ones makes the next send possible.
        let sent = tokio::time::timeout(Duration::from_secs(10), producer.send(&record(&topic, &value))).await;
        drop(sent.expect("room comes back by itself").unwrap());
    }
}

#[tokio::test]
async fn a_record_above_the_limit_is_refused_at_once() {
    let broker = Broker::start([]).await;
    let producer = broker.producer(ProducerConfig { max_request_size: 500, ..ProducerConfig::default() }).await;
    let topic = orders();
    let error = producer.send(&record(&topic, &[7; 600])).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 500, .. }), "{error}");
    let record = Record { partition: Some(2), ..record(&topic, b"v") };
    let error = producer.send(&record).await.unwrap_err();
    assert_eq!(error.to_string(), "topic orders has 2 partitions and no number 2");
}

#[tokio::test]
async fn dropping_the_producer_tells_those_who_wait() {
    let broker = Broker::start([]).await;
    let config = ProducerConfig { linger: Duration::from_hours(1), ..ProducerConfig::default() };
    let producer = broker.producer(config).await;
    let delivery = producer.send(&record(&orders(), b"v")).await.unwrap();
    drop(producer);
    assert!(matches!(delivery.acked().await, Err(Error::Closed)));
}
