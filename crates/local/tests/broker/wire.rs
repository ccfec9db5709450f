use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use indexmap::IndexMap;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, CreateTopicsRequest, FetchRequest, InitProducerIdRequest, ListOffsetsRequest,
    MetadataRequest, ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion as _, Request, StrBytes};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use local::broker::{Broker, BrokerOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;
use world::Environment;

/// Every wait in these tests ends here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The broker under test.
pub(crate) struct Subject {
    pub(crate) addr: SocketAddr,
    _embedded: Option<Broker>,
}

/// An embedded broker with Kafka's defaults, or the real one that the environment names.
pub(crate) async fn subject() -> Subject {
    if let Some(real) = Environment::process().get("TIDEGATE_TEST_BROKER") {
        return Subject { addr: real.parse().expect("TIDEGATE_TEST_BROKER is an address"), _embedded: None };
    }
    let broker = Broker::start(BrokerOptions { auto_create_topics: false, ..BrokerOptions::default() })
        .await
        .expect("the broker starts");
    Subject { addr: broker.addr(), _embedded: Some(broker) }
}

/// A connection that speaks frames.
pub(crate) struct Wire {
    stream: TcpStream,
    correlation_id: i32,
}

impl Wire {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(addr).await.expect("the broker accepts"), correlation_id: 0 }
    }

    /// Sends a request.
    pub(crate) async fn send<R: Request>(&mut self, version: i16, request: &R) {
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str("tester")));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header.encode(&mut frame, R::header_version(version)).expect("the header encodes");
        request.encode(&mut frame, version).expect("the request encodes");
        let length = (frame.len() - 4) as i32;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).await.expect("the broker reads");
    }

    /// Receives the answer to the last request.
    pub(crate) async fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let mut body = self.frame().await.expect("the broker answers");
        let header = ResponseHeader::decode(&mut body, R::Response::header_version(version)).expect("header decodes");
        assert_eq!(header.correlation_id, self.correlation_id);
        let response = R::Response::decode(&mut body, version).expect("the response decodes");
        assert!(!body.has_remaining(), "{} bytes lie behind the response", body.remaining());
        response
    }

    /// The next frame; `None` if the broker closed the connection.
    pub(crate) async fn frame(&mut self) -> Option<Bytes> {
        let read = async {
            let length = self.stream.read_i32().await.ok()?;
            let mut body = vec![0; usize::try_from(length).expect("a length")];
            self.stream.read_exact(&mut body).await.ok()?;
            Some(Bytes::from(body))
        };
        tokio::time::timeout(PATIENCE, read).await.expect("the broker answers or closes in time")
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the broker reads");
    }

    /// Sends a request and receives its answer.
    pub(crate) async fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request).await;
        self.receive::<R>(version).await
    }

    /// Creates a topic with a name that starts so; returns its whole name.
    pub(crate) async fn create_topic(&mut self, name: &str, partitions: i32, config: &[(&str, &str)]) -> TopicName {
        let name = topic_name(&unique(name));
        let configs = config
            .iter()
            .map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
        let topic = CreatableTopic::default()
            .with_name(name.clone())
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        let response = self.call(7, &request).await;
        assert_eq!(response.topics[0].error_code, 0, "{:?}", response.topics[0].error_message);
        // Apache Kafka answers before its broker knows the topic.
        while self.topic_id(&name).await.is_none() || !self.is_served(&name, partitions).await {
            tokio::task::yield_now().await;
        }
        name
    }

    /// Whether every partition of a topic answers.
    async fn is_served(&mut self, topic: &TopicName, partitions: i32) -> bool {
        let partition = |index| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(-1);
        let wanted = ListOffsetsTopic::default()
            .with_name(topic.clone())
            .with_partitions((0..partitions).map(partition).collect());
        let response = self.call(5, &ListOffsetsRequest::default().with_topics(vec![wanted])).await;
        response.topics[0].partitions.iter().all(|partition| partition.error_code == 0)
    }

    /// The id of a topic, once there is one.
    pub(crate) async fn topic_id(&mut self, name: &TopicName) -> Option<Uuid> {
        let wanted = MetadataRequestTopic::default().with_name(Some(name.clone()));
        let response = self.call(12, &MetadataRequest::default().with_topics(Some(vec![wanted]))).await;
        let topic = &response.topics[0];
        let ready = topic.error_code == 0 && topic.partitions.iter().all(|partition| partition.error_code == 0);
        ready.then_some(topic.topic_id)
    }

    /// Produces one batch to partition 0.
    pub(crate) async fn produce(&mut self, topic: &TopicName, batch: Bytes) -> PartitionProduceResponse {
        let mut response = self.call(9, &produce_request(topic, batch)).await;
        response.responses.remove(0).partition_responses.remove(0)
    }

    /// Fetches partition 0 from an offset, without waiting.
    pub(crate) async fn fetch(&mut self, topic: &TopicName, offset: i64) -> PartitionData {
        let mut response = self.call(12, &fetch_request(topic, offset)).await;
        assert_eq!(response.error_code, 0);
        response.responses.remove(0).partitions.remove(0)
    }
}

pub(crate) fn produce_request(topic: &TopicName, batch: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(topic.clone()).with_partition_data(vec![partition]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![topic])
}

pub(crate) fn fetch_request(topic: &TopicName, offset: i64) -> FetchRequest {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(topic.clone()).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_bytes(50 << 20)
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_topics(vec![topic])
        .with_session_epoch(-1)
}

/// What a producer says of itself in a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
}

pub(crate) const NOBODY: Sender = Sender { id: -1, epoch: -1, sequence: -1 };

/// An uncompressed batch with these values, at timestamps that rise by 1 ms from `from_millis`.
pub(crate) fn batch_at(sender: Sender, from_millis: i64, values: &[&[u8]]) -> Bytes {
    let record = |(i, value): (usize, &&[u8])| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: sender.id,
        producer_epoch: sender.epoch,
        timestamp_type: TimestampType::Creation,
        offset: i as i64,
        sequence: sender.sequence + i as i32,
        timestamp: from_millis + i as i64,
        key: None,
        value: Some(Bytes::copy_from_slice(value)),
        headers: IndexMap::new(),
    };
    let records: Vec<Record> = values.iter().enumerate().map(record).collect();
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, &records, &options).expect("the batch encodes");
    batch.freeze()
}

pub(crate) fn batch(sender: Sender, values: &[&[u8]]) -> Bytes {
    batch_at(sender, 1_700_000_000_000, values)
}

/// Changes a batch and makes its checksum right again.
pub(crate) fn forge(batch: &Bytes, change: impl FnOnce(&mut [u8])) -> Bytes {
    let mut bytes = batch.to_vec();
    change(&mut bytes);
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

/// A request for the id of an idempotent producer. (The codec's default has an empty transactional id.)
pub(crate) fn init_producer_id() -> InitProducerIdRequest {
    InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(-1)
}

/// ApiVersions as Kafka wants it: with a client's name.
pub(crate) fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest::default().with_client_software_name(text("tester")).with_client_software_version(text("1.0"))
}

/// A consumer's subscription, which Kafka reads too.
pub(crate) fn subscription(topics: &[&str], user_data: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(topics.len() as i32);
    for topic in topics {
        bytes.put_i16(topic.len() as i16);
        bytes.put_slice(topic.as_bytes());
    }
    bytes.put_i32(user_data.len() as i32);
    bytes.put_slice(user_data);
    bytes.freeze()
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from(text.to_owned())
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A name that no other test and no earlier run has.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{:016x}", rand::random::<u64>())
}

/// Whether the broker has closed the connection, or does within the time that every wait has.
pub(crate) async fn is_closed(wire: &mut Wire) -> bool {
    wire.frame().await.is_none()
}

/// The number of an API.
pub(crate) fn key(key: ApiKey) -> i16 {
    key as i16
}
