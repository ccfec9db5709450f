use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::connectors::{Config, ConnectorFile, ConnectorPlan, WorkerConfig};
use kafka::produce::{Producer, ProducerConfig, Record};
use kafka::{ClientConfig, Cluster};
use local::aws::{Aws, AwsOptions, NewUser};
use local::broker::{Broker, BrokerOptions};
use runtime::{Connector, Metrics, Process};
use serde_json::json;
use transit::{Offset, TopicPartition};
use world::{Clock, Environment};

use crate::ConnectorId;
use crate::plane::{Status, Target};
use crate::supervisor::{Supervisor, Wanted};

/// An embedded broker with a topic of two partitions, an embedded AWS with a bucket, and a supervisor.
pub(super) struct Scene {
    pub(super) broker: Broker,
    pub(super) aws: Aws,
    pub(super) cluster: Cluster,
    pub(super) process: Process,
    pub(super) supervisor: Supervisor,
    pub(super) metrics: Metrics,
    user: NewUser,
}

pub(super) const GROUP: &str = "connect-orders";

impl Scene {
    pub(super) async fn start() -> Self {
        let options = BrokerOptions { min_session_timeout: Duration::from_millis(100), ..BrokerOptions::default() };
        let broker = Broker::start(options).await.unwrap();
        broker.create_topic("orders", 2, &[]).await.unwrap();
        let aws = Aws::start(AwsOptions::default()).await.unwrap();
        let account = aws.account("111111111111".parse().unwrap());
        account.bucket("archive").region("eu-central-1").create().await.unwrap();
        let all = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
        let user = account.user("writer").policy(&all.to_string()).create().await.unwrap();
        let environment = Environment::of::<String, String>([]);
        let process = Process::start(64 << 20, 1, Clock::system(), environment).unwrap();
        let metrics = Metrics::new(process.clone());
        let supervisor = Supervisor::new(process.clone(), &metrics, "127.0.0.1:8083");
        let cluster = Cluster::connect(ClientConfig::plaintext([broker.bootstrap()])).await.unwrap();
        Self { broker, aws, cluster, process, supervisor, metrics, user }
    }

    pub(super) fn id(number: u32) -> ConnectorId {
        format!("lcc-{number}").parse().unwrap()
    }

    /// A connector that cuts once a minute; quick to be missed by its group.
    pub(super) fn plan(&self, more: &[(&str, &str)]) -> Arc<ConnectorPlan> {
        let mut config = json!({
            "name": "orders",
            "connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
            "topics": "orders",
            "tasks.max": "2",
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "format.output.type": "jsonl",
            "format.output.fields": "value",
            "file.compression.type": "none",
            "aws.access.key.id": self.user.access_key_id,
            "aws.secret.access.key": self.user.secret_access_key.expose(),
            "aws.s3.bucket.name": "archive",
            "aws.s3.region": "eu-central-1",
            "aws.s3.endpoint": self.aws.endpoint(),
            "consumer.override.session.timeout.ms": "1000",
            "consumer.override.heartbeat.interval.ms": "100",
        });
        for (key, value) in more {
            config[*key] = (*value).into();
        }
        let worker = self.worker();
        let file = ConnectorFile::from_json("test", &config.to_string()).unwrap();
        Arc::new(::connectors::plan(&file, &worker).unwrap())
    }

    pub(super) fn worker(&self) -> WorkerConfig {
        let mut worker = Config::new();
        worker.set("bootstrap.servers", self.broker.bootstrap());
        worker.set("offset.flush.interval.ms", "60000");
        WorkerConfig::from_config(worker, &Environment::of::<String, String>([])).unwrap()
    }

    fn wanted(&self, id: &ConnectorId, revision: u64, target: Target) -> Wanted {
        Wanted {
            id: id.clone(),
            name: "orders".into(),
            cluster: "lkc-1".parse().unwrap(),
            config_revision: revision,
            plan: Ok(self.plan(&[("tidegate.rotate.records", "10")])),
            target,
            tasks: 2,
        }
    }

    pub(super) fn want(&self, id: &ConnectorId, revision: u64, target: Target) {
        self.supervisor.want(self.wanted(id, revision, target));
    }

    pub(super) fn want_as(&self, name: &str, id: &ConnectorId, revision: u64, target: Target) {
        self.supervisor.want(Wanted { name: name.into(), ..self.wanted(id, revision, target) });
    }

    pub(super) fn want_unplanned(&self, id: &ConnectorId, revision: u64, why: &str) {
        let wanted = self.wanted(id, revision, Target::Running);
        self.supervisor.want(Wanted { plan: Err(why.to_owned()), ..wanted });
    }

    pub(super) fn status(&self, id: &ConnectorId) -> Status {
        self.supervisor.status(id).unwrap()
    }

    pub(super) fn topics(&self, id: &ConnectorId) -> Vec<String> {
        self.supervisor.active_topics(id).iter().map(ToString::to_string).collect()
    }

    /// Waits until it has partitions.
    pub(super) async fn joined(&self, id: &ConnectorId) {
        let has_all = || self.supervisor.running(id).is_some_and(|running| running.stats().partitions().len() == 2);
        eventually("it has its partitions", async || has_all()).await;
    }

    pub(super) fn taken(connector: &Connector) -> u64 {
        connector.stats().records.load(Ordering::Relaxed)
    }

    /// One record a number, the even ones into partition 0.
    pub(super) async fn produce(&self, numbers: std::ops::Range<i32>) {
        let producer = Producer::new(self.cluster.clone(), ProducerConfig::default());
        let topic: Arc<str> = "orders".into();
        let mut deliveries = Vec::new();
        for number in numbers {
            let value = number.to_string();
            let record = Record {
                topic: &topic,
                partition: Some(number % 2),
                key: None,
                value: Some(value.as_bytes()),
                headers: &[],
                timestamp: None,
            };
            deliveries.push(producer.send(&record).await.unwrap());
        }
        producer.flush().await;
        for delivery in deliveries {
            delivery.acked().await.unwrap();
        }
        producer.close().await;
    }

    /// How many records the group has committed, both partitions together.
    pub(super) async fn committed(&self) -> i64 {
        self.cluster.committed(GROUP).await.unwrap().values().map(|one| one.offset.0).sum()
    }

    /// `total` split over both partitions.
    pub(super) fn offsets(total: i64) -> [(TopicPartition, Offset); 2] {
        [0, 1].map(|partition| (TopicPartition::new("orders", partition), Offset(total / 2)))
    }

    /// How many lines are in all objects.
    pub(super) async fn stored(&self) -> usize {
        let plan = self.plan(&[]);
        let options = aws::s3::S3Options {
            endpoint: Some(self.aws.endpoint()),
            path_style: true,
            ..aws::s3::S3Options::new("archive", "eu-central-1")
        };
        let sink = self.process.clients().s3(plan.connection(), options).unwrap();
        let mut lines = 0;
        for object in sink.list("").await.unwrap() {
            lines +=
                sink.get(&object.name).await.unwrap().split(|byte| *byte == b'\n').filter(|l| !l.is_empty()).count();
        }
        lines
    }
}

/// Waits until `is_so`.
pub(super) async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..1500 {
        look.tick().await;
        if is_so().await {
            return;
        }
    }
    panic!("never: {what}");
}
