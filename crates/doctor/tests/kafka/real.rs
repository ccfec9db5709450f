//! TLS, logins and ACLs of a real Apache Kafka. Left out, and said so, unless `TIDEGATE_TEST_KAFKA=1`.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use doctor::{Check, Status};
use kafka::admin::NewTopic;
use kafka::cluster::{CoordinatorKey, Purpose};
use kafka::net::Options;
use kafka::{ClientConfig, Cluster};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, InitProducerIdRequest, ProduceRequest, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

use crate::support::{Connector, is_decided, is_well, outcome, produce};

const PLAIN: u16 = 0;
const TLS: u16 = 2;
const SASL: u16 = 3;
const SASL_TLS: u16 = 4;
const MUTUAL: u16 = 5;

/// Who comes without a login may do everything; the others only what they are allowed.
const ACLS: &str = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                    super.users=User:ANONYMOUS";

/// A node that stops when its standard input closes, so also when the test process is killed.
struct Kafka {
    port: u16,
    dir: PathBuf,
    _process: Child,
    _stdin: ChildStdin,
}

#[expect(clippy::print_stderr, reason = "the test runner shows it to who asks why nothing ran")]
fn start(test: &str) -> Option<Kafka> {
    if world::Environment::process().get("TIDEGATE_TEST_KAFKA").as_deref() != Some("1") {
        eprintln!("{test}: left out, needs a real Kafka: set TIDEGATE_TEST_KAFKA=1");
        return None;
    }
    // `dev/kafka` removes it when it is done; here it would be too early.
    let dir = tempfile::tempdir().expect("a temporary directory").keep();
    let all_free = |first: &u16| (*first..first + 10).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    let port = (2940..3200).map(|tens| tens * 10).find(all_free).expect("ten free ports in a row");
    let mut process = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/kafka"))
        .arg("hold")
        .arg(&dir)
        .env("KAFKA_PORT", port.to_string())
        .env("KAFKA_SECURE", "1")
        .env("KAFKA_PROPS", ACLS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("dev/kafka can be run");
    let stdin = process.stdin.take().expect("piped");
    let mut ready = String::new();
    BufReader::new(process.stdout.take().expect("piped")).read_line(&mut ready).expect("dev/kafka says where it is");
    assert!(!ready.is_empty(), "Kafka did not start; see above");
    Some(Kafka { port, dir, _process: process, _stdin: stdin })
}

fn version() -> String {
    world::Environment::process().get("KAFKA_VERSION").unwrap_or_default()
}

impl Kafka {
    fn address(&self, listener: u16) -> String {
        format!("localhost:{}", self.port + listener)
    }

    fn file(&self, name: &str) -> String {
        self.dir.join(name).to_str().expect("temporary directories have plain names").to_owned()
    }

    /// Runs one of Kafka's own tools with the command that a remedy gives.
    fn paste(&self, command: &str) {
        let command = command.replace("--command-config admin.properties", "").replace("\\\n", " ").replace('\'', "");
        let mut words = command.split_whitespace();
        let class = match words.next() {
            // It moved with Kafka 4.0.
            Some("kafka-acls.sh") if version().starts_with("3.") => "kafka.admin.AclCommand",
            Some("kafka-acls.sh") => "org.apache.kafka.tools.AclCommand",
            Some("kafka-transactions.sh") => "org.apache.kafka.tools.TransactionsCommand",
            other => panic!("{other:?} is no tool that is known"),
        };
        let mut arguments: Vec<_> = words.map(str::to_owned).collect();
        let server = arguments.iter().position(|word| word == "--bootstrap-server").expect("it names the server");
        // Who administers comes in by another door.
        arguments[server + 1] = format!("127.0.0.1:{}", self.port);
        let status = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/kafka"))
            .args(["tool", self.dir.to_str().unwrap(), class])
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .expect("dev/kafka can be run");
        assert!(status.success(), "{command}");
    }

    async fn topic(&self, name: &str) -> Cluster {
        let cluster = Cluster::connect(ClientConfig::plaintext([self.address(PLAIN)])).await.expect("a cluster");
        let new = NewTopic { name: name.into(), partitions: 2, replication_factor: 1, configs: [].into() };
        cluster.create_topic(&new).await.expect("a new topic");
        cluster
    }

    fn sasl(&self, mechanism: &str, user: &str, password: &str) -> Connector {
        let module = if mechanism == "PLAIN" { "PlainLoginModule" } else { "ScramLoginModule" };
        let login = format!(
            "org.apache.kafka.common.security.x.{module} required username=\"{user}\" password=\"{password}\";"
        );
        Connector::at(self.address(SASL)).worker(&[
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", mechanism),
            ("sasl.jaas.config", &login),
        ])
    }

    fn tls(&self, listener: u16) -> Connector {
        Connector::at(self.address(listener)).worker(&[
            ("security.protocol", "SSL"),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", &self.file("tls/ca.pem")),
        ])
    }
}

fn paste_of(report: &doctor::Report, check: &Check) -> String {
    let remedies = &report.check(check).expect("it was made").diagnoses[0].remedies;
    remedies.iter().find_map(|remedy| remedy.paste.as_ref()).expect("a text to paste").text().to_owned()
}

/// One node for all: each start takes half a minute of both cores.
#[tokio::test]
async fn every_door_and_every_right_of_a_real_kafka() {
    let Some(kafka) = start("every_door_and_every_right_of_a_real_kafka") else { return };
    let admin = kafka.topic("orders").await;
    produce(&admin, "orders", &[b"one", b"two"]).await;
    is_well(&Connector::at(kafka.address(PLAIN)).examine().await);
    the_wrong_listener(&kafka).await;
    certificates(&kafka).await;
    logins(&kafka).await;
    rights(&kafka).await;
    transactions(&kafka, &admin).await;
}

async fn the_wrong_listener(kafka: &Kafka) {
    let report = Connector::at(kafka.address(TLS)).examine().await;
    is_decided(&report, Check::KAFKA, Status::Failed, "K05", "security.protocol=SSL");
    let report = kafka.tls(PLAIN).examine().await;
    is_decided(&report, Check::KAFKA_TLS, Status::Failed, "K06", "security.protocol=PLAINTEXT");
    let report = Connector::at(kafka.address(SASL)).examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K07", "sasl.mechanism=SCRAM-SHA-");
    let report = kafka.tls(SASL_TLS).examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K07", "security.protocol=SASL_SSL");
    let mut there = kafka.sasl("PLAIN", "alice", "alice-secret");
    there.worker.insert("bootstrap.servers".to_owned(), kafka.address(PLAIN));
    let report = there.examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K08", "security.protocol=PLAINTEXT");
}

async fn certificates(kafka: &Kafka) {
    // Certificates need no ACL to log in; what they may not do is another matter.
    let report = kafka.tls(TLS).examine().await;
    assert_eq!(outcome(&report, Check::KAFKA_TLS).0, Status::Passed);
    assert_eq!(outcome(&report, Check::KAFKA_AUTH).0, Status::Passed);
    assert_eq!(outcome(&report, Check::ADVERTISED).0, Status::Passed);

    // 127.0.0.2 is loopback too, and no name of the certificate's.
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = elsewhere.local_addr().unwrap().to_string();
    let broker = kafka.address(TLS);
    let relay = tokio::spawn(async move {
        while let Ok((mut client, _)) = elsewhere.accept().await {
            let mut broker = tokio::net::TcpStream::connect(&broker).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut broker).await });
        }
    });
    let mut other = kafka.tls(TLS);
    other.worker.insert("bootstrap.servers".to_owned(), address);
    let report = other.examine().await;
    is_decided(&report, Check::KAFKA_TLS, Status::Failed, "K09", "bootstrap.servers=localhost:");
    relay.abort();

    let stranger = std::fs::read_to_string(kafka.file("tls/client.crt")).unwrap();
    let report = kafka
        .tls(TLS)
        .worker(&[("ssl.truststore.location", ""), ("ssl.truststore.certificates", &stranger)])
        .without("ssl.truststore.location")
        .examine()
        .await;
    is_decided(&report, Check::KAFKA_TLS, Status::Failed, "K11", "ssl.truststore.location=");

    let report = kafka.tls(MUTUAL).examine().await;
    is_decided(&report, Check::KAFKA_TLS, Status::Failed, "K12", "ssl.keystore.location=");
    // One that signed itself.
    let report = kafka
        .tls(MUTUAL)
        .worker(&[
            ("ssl.keystore.type", "PKCS12"),
            ("ssl.keystore.location", &kafka.file("stranger.p12")),
            ("ssl.keystore.password", "changeit"),
        ])
        .prepared(|| stranger_key(&kafka.file("stranger.p12")))
        .examine()
        .await;
    is_decided(&report, Check::KAFKA_TLS, Status::Failed, "K13", "");
}

fn stranger_key(path: &str) {
    let status = Command::new("keytool")
        .args(["-genkeypair", "-alias", "me", "-keyalg", "EC", "-dname", "CN=stranger", "-validity", "30"])
        .args([
            "-keystore",
            path,
            "-storetype",
            "PKCS12",
            "-storepass",
            "changeit",
            "-keypass",
            "changeit",
            "-noprompt",
        ])
        .stderr(Stdio::null())
        .status()
        .expect("keytool comes with Java");
    assert!(status.success());
}

async fn logins(kafka: &Kafka) {
    let report = kafka.sasl("PLAIN", "alice", "wrong-one").examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K16", "");
    let report = kafka.sasl("SCRAM-SHA-512", "bob", "wrong-one").examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K16", "--entity-type users --entity-name bob");
    assert!(!serde_json::to_string(&report).unwrap().contains("wrong-one"), "a password is in the report");
    // Nobody has this one but who comes from outside.
    let status = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/kafka"))
        .args(["tool", kafka.dir.to_str().unwrap(), "kafka.admin.ConfigCommand"])
        .args(["--bootstrap-server", &format!("127.0.0.1:{}", kafka.port)])
        .args(["--alter", "--entity-type", "users", "--entity-name", "dora"])
        .args(["--add-config", "SCRAM-SHA-256=[password=dora-secret]"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("dev/kafka can be run");
    assert!(status.success());
    let report = kafka.sasl("SCRAM-SHA-512", "dora", "dora-secret").examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K17", "sasl.mechanism=SCRAM-SHA-256");
    let module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
    let token = kafka.file("token");
    std::fs::write(&token, "bm90.YQ.dG9rZW4").unwrap();
    let oauth = |file: String| {
        Connector::at(kafka.address(SASL)).worker(&[
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.jaas.config", module),
            ("sasl.oauthbearer.token.endpoint.url", &format!("file://{file}")),
        ])
    };
    let report = oauth(token).examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K18", "");
    let report = oauth(kafka.file("no-such-token")).examine().await;
    is_decided(&report, Check::KAFKA_AUTH, Status::Failed, "K19", "");
}

/// From no right at all to all that are needed, by the remedies alone.
async fn rights(kafka: &Kafka) {
    let bob = || {
        kafka.sasl("SCRAM-SHA-512", "bob", "bob-secret").with(&[
            ("errors.tolerance", "all"),
            ("errors.deadletterqueue.topic.name", "lost"),
            ("errors.deadletterqueue.topic.replication.factor", "1"),
        ])
    };
    let report = bob().examine().await;
    for (check, row) in [(Check::TOPICS, "K24"), (Check::GROUP, "K26"), (Check::DLQ, "K28")] {
        let result = report.check(check).unwrap();
        assert_eq!(result.status, Status::Failed, "{}: {}", check.name, result.reason);
        assert_eq!(result.diagnoses[0].cause.row, row, "{}", result.reason);
        assert_eq!(result.identity.as_deref(), Some("User:bob"), "{}", check.name);
        let paste = paste_of(&report, check);
        if check != Check::TOPICS {
            kafka.paste(&paste);
        }
    }
    // To see a topic is less than to read it.
    let describe = paste_of(&report, Check::TOPICS).replace("--operation Read", "--operation Describe");
    kafka.paste(&describe);
    let report = bob().examine().await;
    is_decided(&report, Check::TOPICS_READ, Status::Failed, "K25", "--operation Read --topic orders");
    kafka.paste(&paste_of(&report, Check::TOPICS_READ));
    is_well(&bob().examine().await);
    // A topic that is there, and that may be seen and not written.
    kafka.topic("letters").await;
    let elsewhere = || bob().with(&[("errors.deadletterqueue.topic.name", "letters")]);
    kafka.paste(&describe.replace("orders", "letters"));
    let report = elsewhere().examine().await;
    is_decided(&report, Check::DLQ, Status::Failed, "K27", "--operation Write --topic letters");
    kafka.paste(&paste_of(&report, Check::DLQ));
    is_well(&elsewhere().examine().await);
}

/// A transaction whose producer has written nothing for an hour: by the time of its record.
async fn transactions(kafka: &Kafka, admin: &Cluster) {
    let committed =
        || Connector::at(kafka.address(PLAIN)).with(&[("consumer.override.isolation.level", "read_committed")]);
    is_well(&committed().examine().await);
    begin(admin, "in-time", 0).await;
    // One that is under way is no fault.
    is_well(&committed().examine().await);
    let start = begin(admin, "hangs", 60 * 60 * 1000).await;
    let report = committed().examine().await;
    let paste = format!("abort --topic orders --partition 0 --start-offset {start}");
    is_decided(&report, Check::TOPICS_READ, Status::Warning, "K43", &paste);
    kafka.paste(&paste_of(&report, Check::TOPICS_READ));
    is_well(&committed().examine().await);
}

/// COORDINATOR_LOAD_IN_PROGRESS: a broker that became coordinator just now is still reading its log.
const LOADING: i16 = 14;

/// Begins a transaction in `orders-0` with a record that is `age_millis` old, and ends it not. Its first offset.
async fn begin(admin: &Cluster, id: &'static str, age_millis: i64) -> i64 {
    let transaction = || TransactionalId(StrBytes::from_static_str(id));
    let topic = || TopicName(StrBytes::from_static_str("orders"));
    let node = admin.coordinator(&CoordinatorKey::Transaction(id.into())).await.expect("a coordinator");
    let coordinator = admin.node(node, Purpose::Produce).await.expect("it answers");
    let init = InitProducerIdRequest::default()
        .with_transactional_id(Some(transaction()))
        .with_transaction_timeout_ms(600_000)
        .with_producer_id(kafka_protocol::messages::ProducerId(-1))
        .with_producer_epoch(-1);
    let options = |version| Options { max_version: Some(version), ..Options::default() };
    let ready = async {
        loop {
            let producer = coordinator.call_with(&init, options(4)).await.expect("an answer");
            if producer.error_code != LOADING {
                return producer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let producer = tokio::time::timeout(Duration::from_mins(1), ready).await.expect("its log is read in a minute");
    assert_eq!(producer.error_code, 0);
    let add = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transaction())
        .with_v3_and_below_producer_id(producer.producer_id)
        .with_v3_and_below_producer_epoch(producer.producer_epoch)
        .with_v3_and_below_topics(vec![AddPartitionsToTxnTopic::default().with_name(topic()).with_partitions(vec![0])]);
    let added = coordinator.call_with(&add, options(3)).await.expect("an answer");
    assert_eq!(added.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code, 0);
    let record = Record {
        transactional: true,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: producer.producer_id.0,
        producer_epoch: producer.producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: 0,
        timestamp: world::Clock::system().now_millis() - age_millis,
        key: None,
        value: Some(Bytes::from_static(b"three")),
        headers: std::iter::empty().collect(),
    };
    let mut batch = BytesMut::new();
    let encoding = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, [&record], &encoding).expect("a batch");
    let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.freeze()));
    let data = TopicProduceData::default().with_name(topic()).with_partition_data(vec![data]);
    let produce = ProduceRequest::default()
        .with_transactional_id(Some(transaction()))
        .with_acks(-1)
        .with_timeout_ms(5_000)
        .with_topic_data(vec![data]);
    let response = coordinator.call_with(&produce, options(11)).await.expect("an answer");
    let written = &response.responses[0].partition_responses[0];
    assert_eq!(written.error_code, 0);
    written.base_offset
}
