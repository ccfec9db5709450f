//! Topics, groups, offsets, dead letters and records of the embedded broker.

use std::time::Duration;

use doctor::{Check, Status};
use kafka::cluster::{CoordinatorKey, Purpose};
use kafka::group::{Group, GroupOptions, Subscription};
use kafka::{ClientConfig, Cluster};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::{DeleteRecordsRequest, GroupId, OffsetCommitRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use local::broker::{Broker, BrokerOptions};

use crate::support::{Connector, JSON, is_decided, is_well, outcome, produce};

const GROUP: &str = "connect-orders";

struct Stage {
    broker: Broker,
    cluster: Cluster,
}

impl Stage {
    /// A broker with topic `orders` of two partitions.
    async fn start() -> Self {
        let options = BrokerOptions { auto_create_topics: false, ..BrokerOptions::default() };
        let broker = Broker::start(options).await.expect("a free port");
        broker.create_topic("orders", 2, &[]).await.expect("a new topic");
        let cluster = Cluster::connect(ClientConfig::plaintext([broker.bootstrap()])).await.expect("it listens");
        Self { broker, cluster }
    }

    fn connector(&self) -> Connector {
        Connector::at(self.broker.bootstrap())
    }

    /// Commits an offset of partition 0 from outside the group.
    async fn commit(&self, offset: i64, epoch: i32) {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(offset)
            .with_committed_leader_epoch(epoch);
        let topic = OffsetCommitRequestTopic::default().with_name(orders()).with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(StrBytes::from_static_str(GROUP)))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        let node = self.cluster.coordinator(&CoordinatorKey::Group(GROUP.into())).await.unwrap();
        let connection = self.cluster.node(node, Purpose::Control).await.unwrap();
        let options = kafka::net::Options { max_version: Some(9), ..Default::default() };
        let response = connection.call_with(&request, options).await.unwrap();
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
    }

    /// Deletes what is before `offset` of partition 0, as retention does.
    async fn forget(&self, offset: i64) {
        let partition = DeleteRecordsPartition::default().with_partition_index(0).with_offset(offset);
        let topic = DeleteRecordsTopic::default().with_name(orders()).with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000);
        let response = self.cluster.controller().await.unwrap().call(&request).await.unwrap();
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
    }

    /// Lets a consumer with this client id into the group, and waits until it is there.
    async fn join(&self, client_id: &str) -> Group {
        let config = ClientConfig { client_id: client_id.into(), ..ClientConfig::plaintext([self.broker.bootstrap()]) };
        let cluster = Cluster::connect(config).await.unwrap();
        let group = Group::join(cluster, GroupOptions::new(GROUP, Subscription::topics(["orders"])));
        let until = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let described = self.cluster.describe_group(GROUP).await.unwrap();
            if described.is_some_and(|group| &*group.state == "Stable" && !group.members.is_empty()) {
                return group;
            }
            assert!(tokio::time::Instant::now() < until, "nobody joined");
            tokio::task::yield_now().await;
        }
    }
}

fn orders() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

fn letters(pairs: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let all = [("errors.tolerance", "all"), ("errors.deadletterqueue.topic.name", "lost")];
    [&all[..], pairs].concat()
}

#[tokio::test]
async fn a_healthy_broker_gives_no_alarm() {
    let stage = Stage::start().await;
    is_well(&stage.connector().examine().await);
    produce(&stage.cluster, "orders", &[b"one", b"two", b"three"]).await;
    stage.commit(1, 0).await;
    let _running = stage.join("connector-consumer-orders").await;
    let with_letters = stage.connector().with(&letters(&[("errors.deadletterqueue.topic.replication.factor", "1")]));
    let report = with_letters.examine().await;
    is_well(&report);
    assert!(outcome(&report, Check::CONVERT).1.contains("all convert"), "{}", outcome(&report, Check::CONVERT).1);
    assert!(outcome(&report, Check::GROUP_FREE).1.contains("only this connector itself"));
    assert!(outcome(&report, Check::DLQ).1.contains("may be made and written"));
    // Nothing came of it: no topic, no commit, nobody was moved.
    assert!(!stage.cluster.all_topics().await.unwrap().topics.contains_key("lost"));
    let committed = stage.cluster.committed(GROUP).await.unwrap();
    assert_eq!(committed.len(), 1);
    let group = stage.cluster.describe_group(GROUP).await.unwrap().unwrap();
    assert_eq!((group.members.len(), &*group.state), (1, "Stable"));
    let read_committed = stage.connector().with(&[("consumer.override.isolation.level", "read_committed")]);
    is_well(&read_committed.examine().await);
}

#[tokio::test]
async fn k30_a_mistyped_topic_is_named_with_the_one_that_is_meant() {
    let stage = Stage::start().await;
    let report = stage.connector().with(&[("topics", "ordres")]).examine().await;
    is_decided(&report, Check::TOPICS, Status::Failed, "K30", "topics=orders");
    assert_eq!(outcome(&report, Check::TOPICS_READ).0, Status::Skipped);
}

#[tokio::test]
async fn a_pattern_without_topics_is_warned_of() {
    let stage = Stage::start().await;
    let mut connector = stage.connector().with(&[("topics.regex", "invoices-.*")]);
    connector.config.remove("topics");
    let report = connector.examine().await;
    assert_eq!(outcome(&report, Check::TOPICS).0, Status::Warning);
    connector.config.insert("topics.regex".to_owned(), "ord.*".to_owned());
    is_well(&connector.examine().await);
}

#[tokio::test]
async fn k32_a_connector_that_still_runs_in_connect_is_told() {
    let stage = Stage::start().await;
    let _other = stage.join("connector-consumer-orders-0").await;
    let report = stage.connector().examine().await;
    is_decided(&report, Check::GROUP_FREE, Status::Failed, "K32", "connectors/orders/stop");
    assert!(outcome(&report, Check::GROUP_FREE).1.contains("connector-consumer-orders-0 at 127.0.0.1, reading orders"));
}

#[tokio::test]
async fn k33_a_stranger_in_the_group_is_told() {
    let stage = Stage::start().await;
    let _other = stage.join("console-consumer").await;
    let report = stage.connector().examine().await;
    is_decided(&report, Check::GROUP_FREE, Status::Failed, "K33", "consumer.override.group.id=connect-orders-tidegate");
}

#[tokio::test]
async fn k35_offsets_that_retention_passed_are_told_with_what_will_happen() {
    let stage = Stage::start().await;
    produce(&stage.cluster, "orders", &[b"a".as_slice(); 10]).await;
    stage.commit(2, 0).await;
    stage.forget(7).await;
    let report = stage.connector().examine().await;
    is_decided(&report, Check::OFFSETS, Status::Failed, "K35", "--reset-offsets --to-earliest --topic orders:0");
    let because = &report.check(Check::OFFSETS).unwrap().diagnoses[0].because;
    assert!(because.contains("5 offsets are gone") && because.contains("goes on at 7"), "{because}");
    let latest = stage.connector().with(&[("consumer.override.auto.offset.reset", "latest")]).examine().await;
    let because = &latest.check(Check::OFFSETS).unwrap().diagnoses[0].because;
    assert!(because.contains("goes on at 10, behind all"), "{because}");
}

#[tokio::test]
async fn k36_an_offset_beyond_the_end_is_of_another_topic() {
    let stage = Stage::start().await;
    produce(&stage.cluster, "orders", &[b"a".as_slice(); 3]).await;
    stage.commit(50, 0).await;
    let report = stage.connector().examine().await;
    is_decided(&report, Check::OFFSETS, Status::Failed, "K36", "--reset-offsets");
    // Made anew, and longer than it was: only the epoch tells.
    produce(&stage.cluster, "orders", &[b"a".as_slice(); 60]).await;
    stage.commit(50, 9).await;
    let report = stage.connector().examine().await;
    is_decided(&report, Check::OFFSETS, Status::Failed, "K36", "--reset-offsets");
    let because = &report.check(Check::OFFSETS).unwrap().diagnoses[0].because;
    assert!(because.contains("leader epoch 9"), "{because}");
}

#[tokio::test]
async fn k37_without_an_offset_and_without_a_reset_nothing_begins() {
    let stage = Stage::start().await;
    let report = stage.connector().with(&[("consumer.override.auto.offset.reset", "none")]).examine().await;
    is_decided(&report, Check::OFFSETS, Status::Failed, "K37", "auto.offset.reset=earliest");
}

#[tokio::test]
async fn k38_more_replicas_than_brokers_are_told_before_the_first_dead_letter() {
    let stage = Stage::start().await;
    let report = stage.connector().with(&letters(&[])).examine().await;
    is_decided(&report, Check::DLQ, Status::Failed, "K38", "topic.replication.factor=1");
    assert!(!stage.cluster.all_topics().await.unwrap().topics.contains_key("lost"));
    // One that is there is not made.
    stage.broker.create_topic("lost", 1, &[]).await.unwrap();
    is_well(&stage.connector().with(&letters(&[])).examine().await);
    let partition = data::TopicPartition::new("lost", 0);
    let (end, all) = (kafka::admin::Place::Latest, kafka::admin::Isolation::ReadUncommitted);
    let ends = stage.cluster.list_offsets(std::slice::from_ref(&partition), end, all).await.unwrap();
    assert_eq!(ends[&partition], Some(data::Offset(0)), "nothing was written");
}

#[tokio::test]
async fn k39_records_of_a_schema_registry_are_known_by_their_first_bytes() {
    let stage = Stage::start().await;
    produce(&stage.cluster, "orders", &[b"\0\0\0\0\x07Hidden", b"\0\0\0\0\x07Hidden"]).await;
    let json = stage.connector().with(&[("value.converter", JSON)]).examine().await;
    is_decided(&json, Check::CONVERT, Status::Failed, "K39", "ByteArrayConverter");
    // As text they convert, to what nobody can use.
    let text = stage.connector().examine().await;
    let result = text.check(Check::CONVERT).unwrap();
    assert_eq!((result.status, result.diagnoses[0].cause.row), (Status::Warning, "K39"));
    let bytes = ("value.converter", "org.apache.kafka.connect.converters.ByteArrayConverter");
    is_well(&stage.connector().with(&[bytes]).examine().await);
}

#[tokio::test]
async fn k40_plain_json_and_a_converter_that_wants_schemas() {
    let stage = Stage::start().await;
    produce(&stage.cluster, "orders", &[br#"{"id": 1}"#]).await;
    let report = stage.connector().with(&[("value.converter", JSON)]).examine().await;
    is_decided(&report, Check::CONVERT, Status::Failed, "K40", "value.converter.schemas.enable=false");
    let without = [("value.converter", JSON), ("value.converter.schemas.enable", "false")];
    is_well(&stage.connector().with(&without).examine().await);
}

#[tokio::test]
async fn k41_the_first_bad_record_is_named_with_its_place() {
    let stage = Stage::start().await;
    produce(&stage.cluster, "orders", &[b"1", b"2", b"{oops", b"4"]).await;
    let json = [("value.converter", JSON), ("value.converter.schemas.enable", "false")];
    let report = stage.connector().with(&json).examine().await;
    is_decided(&report, Check::CONVERT, Status::Failed, "K41", "--partition 0 --offset 2");
    let (_, reason) = outcome(&report, Check::CONVERT);
    assert!(
        reason.starts_with("1 of 4 records that were tried cannot be used; the first is orders-0 at offset 2"),
        "{reason}"
    );
    // Who tolerates them, is told and not stopped.
    let tolerant = stage.connector().with(&json).with(&[("errors.tolerance", "all")]).examine().await;
    is_decided(&tolerant, Check::CONVERT, Status::Warning, "K41", "");
    // What is read already does not count: the connector goes on behind it.
    stage.commit(3, 0).await;
    is_well(&stage.connector().with(&json).examine().await);
}
