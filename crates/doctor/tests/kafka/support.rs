//! Connectors to examine, and what is expected of the examination.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws::Clients;
use connectors::{Config, ConnectorFile, WorkerConfig};
use doctor::{Certainty, Check, Depth, Report, Status, Surroundings, Target, TargetKind, examine};
use kafka::Cluster;
use kafka::produce::{Producer, ProducerConfig, Record};
use world::{Clock, Environment};

pub(crate) const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
pub(crate) const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// The settings of a connector `orders` of topic `orders`, and of its worker.
pub(crate) struct Connector {
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) worker: BTreeMap<String, String>,
}

impl Connector {
    pub(crate) fn at(bootstrap: impl Into<String>) -> Self {
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let mut worker = own(&[("socket.connection.setup.timeout.ms", "2000"), ("request.timeout.ms", "4000")]);
        worker.insert("bootstrap.servers".to_owned(), bootstrap.into());
        let config = own(&[
            ("name", "orders"),
            ("connector.class", "AivenKafkaConnectS3SinkConnector"),
            ("topics", "orders"),
            ("aws.s3.region", "eu-central-1"),
            ("aws.s3.bucket.name", "shop-data"),
            ("format.output.type", "jsonl"),
            ("key.converter", STRING),
            ("value.converter", STRING),
        ]);
        Self { config, worker }
    }

    pub(crate) fn with(mut self, pairs: &[(&str, &str)]) -> Self {
        self.config.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        self
    }

    pub(crate) fn worker(mut self, pairs: &[(&str, &str)]) -> Self {
        self.worker.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        self
    }

    /// Without a setting of the worker's.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.worker.remove(key);
        self
    }

    /// The same when `prepare` is done.
    pub(crate) fn prepared(self, prepare: impl FnOnce()) -> Self {
        prepare();
        self
    }

    /// Examines its Kafka; AWS is left out.
    pub(crate) async fn examine(&self) -> Report {
        // A user whom nobody knows, for tokens that are signed and not asked for.
        let environment = Environment::of([
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            ("AWS_REGION", "eu-central-1"),
        ]);
        let config: Config = self.worker.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let worker = WorkerConfig::from_config(config, &environment).expect("a good worker");
        let text = serde_json::to_string(&self.config).expect("JSON");
        let file = ConnectorFile::from_json("orders.json", &text).expect("a connector");
        let plan = connectors::plan(&file, &worker).unwrap_or_else(|faults| panic!("{faults}"));
        let target =
            Target { connection: None, place: None, warnings: Vec::new(), ..Target::connector(&Arc::new(plan)) };
        assert_eq!(target.kind, TargetKind::Connector);
        let clock = Clock::system();
        let clients = Clients::new(clock.clone(), environment.clone());
        let around = Surroundings { clients, environment, clock };
        let bound = Duration::from_mins(2);
        tokio::time::timeout(bound, examine(&target, Depth::Write, &around, &|_| {})).await.expect("it ends")
    }
}

/// What a report says of a check: its status and reason.
pub(crate) fn outcome<'a>(report: &'a Report, check: &Check) -> (Status, &'a str) {
    let result = report.check(check).unwrap_or_else(|| panic!("{} was not made", check.name));
    (result.status, &result.reason)
}

/// Nothing failed, nothing was left open, nothing was warned of and nothing was diagnosed.
pub(crate) fn is_well(report: &Report) {
    for result in &report.checks {
        assert!(matches!(result.status, Status::Passed | Status::Skipped), "{}: {}", result.check.name, result.reason);
        assert!(result.diagnoses.is_empty(), "{}: {:?}", result.check.name, result.diagnoses);
        assert_eq!(result.because_of, None, "{}", result.check.name);
    }
}

/// `check` is explained by `row` alone, which is decided, with a remedy whose text holds `paste` (if it is not empty). No
/// other check is unwell for a reason of its own.
pub(crate) fn is_decided(report: &Report, check: &Check, status: Status, row: &str, paste: &str) {
    let result = report.check(check).unwrap_or_else(|| panic!("{} was not made", check.name));
    assert_eq!(result.status, status, "{}: {}", check.name, result.reason);
    let rows: Vec<_> = result.diagnoses.iter().map(|diagnosis| (diagnosis.cause.row, diagnosis.certainty)).collect();
    assert_eq!(rows, [(row, Certainty::Decided)], "{}: {}", check.name, result.reason);
    assert!(!result.diagnoses[0].remedies.is_empty(), "{row} has no remedy");
    let texts: Vec<_> =
        result.diagnoses[0].remedies.iter().filter_map(|remedy| Some(remedy.paste.as_ref()?.text())).collect();
    assert!(paste.is_empty() || texts.iter().any(|text| text.contains(paste)), "{paste} is not in {texts:?}");
    for other in &report.checks {
        let unwell = matches!(other.status, Status::Failed | Status::Unproven | Status::Warning);
        assert!(!unwell || other.check == check, "{}: {}", other.check.name, other.reason);
    }
}

/// Writes values to partition 0 of a topic.
pub(crate) async fn produce(cluster: &Cluster, topic: &str, values: &[&[u8]]) {
    let producer = Producer::new(cluster.clone(), ProducerConfig::default());
    let topic: Arc<str> = topic.into();
    for value in values {
        let record =
            Record { topic: &topic, partition: Some(0), key: None, value: Some(value), headers: &[], timestamp: None };
        producer.send(&record).await.expect("room").acked().await.expect("the broker takes it");
    }
}
