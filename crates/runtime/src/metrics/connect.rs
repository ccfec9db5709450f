//! The names under which boards and alerts look for a Kafka Connect worker: those of its MBeans, as one of two widespread
//! sets of rules makes Prometheus names of them.
//!
//! One loop runs all tasks of a connector, so what is counted is shown on its task 0, and the others show zero: sums are
//! right. What a JVM has, or what nothing here corresponds to, is not shown.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use tokio::time::Instant;

use super::rates::Rates;
use super::shown::{Labels, Shown};
use super::{Sample, put};
use crate::starts::Starts;

/// Whose rules make Prometheus names of Kafka Connect's metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Those of jmx_exporter's example and of Strimzi.
    #[default]
    Strimzi,
    /// Those of Confluent's jmx-monitoring-stacks, which Aiven's names are like.
    Confluent,
}

/// All states of a task that Connect counts, and what it calls the counter.
const STATES: [&str; 6] = ["running", "paused", "failed", "unassigned", "destroyed", "restarting"];

impl Dialect {
    /// The dialect of this name: `strimzi`, `confluent`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "strimzi" => Some(Self::Strimzi),
            "confluent" => Some(Self::Confluent),
            _ => None,
        }
    }

    /// The name of `attribute` of the MBeans of `type`, as in `sink-task-metrics`.
    fn name(self, kind: &str, attribute: &str) -> String {
        let kind = match self {
            // The type without `-metrics`; the worker's types without `connect-`.
            Self::Strimzi => {
                let kind = kind.strip_suffix("-metrics").unwrap_or(kind);
                kind.strip_prefix("connect-").unwrap_or(kind)
            }
            Self::Confluent => kind,
        };
        format!("kafka_connect_{kind}_{attribute}").replace('-', "_")
    }

    /// The same of the MBeans of a consumer.
    fn consumer(self, kind: &str, attribute: &str) -> String {
        match self {
            Self::Strimzi => format!("kafka_{}_{attribute}", kind.strip_suffix("-metrics").unwrap_or(kind)),
            Self::Confluent => format!("kafka_consumer_{kind}_{attribute}"),
        }
        .replace('-', "_")
    }

    /// How a client's id is labelled.
    fn client_id(self) -> &'static str {
        match self {
            Self::Strimzi => "clientid",
            Self::Confluent => "client_id",
        }
    }
}

/// Writes all of it.
pub(super) struct Board<'a, 'b> {
    pub(super) dialect: Dialect,
    pub(super) encoder: &'a mut DescriptorEncoder<'b>,
    pub(super) shown: &'a [Shown],
}

impl Board<'_, '_> {
    /// Names that end in `_total` are counters, all others gauges.
    fn put(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) -> fmt::Result {
        let (name, kind) = match name.strip_suffix("_total") {
            Some(name) => (name, MetricType::Counter),
            None => (name, MetricType::Gauge),
        };
        let samples: Vec<_> = values.into_iter().map(|(labels, value)| Sample(labels, value)).collect();
        if samples.is_empty() { Ok(()) } else { put(self.encoder, kind, name, help, samples) }
    }

    pub(super) fn encode(&mut self, starts: &Starts, rates: &Rates) -> fmt::Result {
        self.connectors()?;
        self.worker(starts)?;
        self.tasks(rates)?;
        self.consumers()
    }

    /// Exactly one series a connector and task: that of the state which it is in.
    fn connectors(&mut self) -> fmt::Result {
        let (dialect, shown) = (self.dialect, self.shown);
        let is = |shown: &Shown| ("status", shown.state.to_owned());
        let about = |shown: &Shown| {
            [
                ("connector_class", shown.class.unwrap_or_default().to_owned()),
                ("connector_type", shown.kind.to_owned()),
                ("connector_version", env!("CARGO_PKG_VERSION").to_owned()),
            ]
        };
        match dialect {
            Dialect::Strimzi => {
                let values = shown.iter().map(|one| (one.labels([is(one)]), 1.0));
                self.put("kafka_connect_connector_status", "1: the connector is in this state", values)?;
                let [class, kind, version] = [0, 1, 2]
                    .map(|at| shown.iter().map(move |one| (one.labels(about(one).into_iter().skip(at).take(1)), 1.0)));
                self.put("kafka_connect_connector_connector_class", "1: the connector is of this class", class)?;
                self.put("kafka_connect_connector_connector_type", "1: the connector is of this type", kind)?;
                self.put("kafka_connect_connector_connector_version", "1: the connector is of this version", version)?;
            }
            Dialect::Confluent => {
                let values = shown.iter().map(|one| (one.labels([is(one)].into_iter().chain(about(one))), 1.0));
                self.put("kafka_connect_connector_metrics", "1: the connector is in this state", values)?;
            }
        }
        let values = shown
            .iter()
            .flat_map(|one| (0..one.tasks).map(move |task| (one.labels([("task", task.to_string()), is(one)]), 1.0)));
        let name = dialect.name("connector-task-metrics", "status");
        self.put(&name, "1: the task is in this state", values)
    }

    fn worker(&mut self, starts: &Starts) -> fmt::Result {
        let (dialect, shown) = (self.dialect, self.shown);
        let all = || match dialect {
            Dialect::Strimzi => Labels::new(),
            Dialect::Confluent => vec![("connector", "aggregate".to_owned())],
        };
        let name = |attribute: &str| dialect.name("connect-worker-metrics", attribute);
        let tasks: u32 = shown.iter().map(|one| one.tasks).sum();
        let one = |board: &mut Self, attribute: &str, help: &str, value: f64| {
            board.put(&name(attribute), help, [(all(), value)])
        };
        one(self, "connector-count", "Connectors of this worker", shown.len() as f64)?;
        one(self, "task-count", "Tasks of this worker", f64::from(tasks))?;
        for (what, (good, bad)) in [("connector", starts.of_connectors()), ("task", starts.of_tasks())] {
            let attempts = good + bad;
            let percentage = |part: u64| if attempts == 0 { 0.0 } else { part as f64 / attempts as f64 };
            for (attribute, value) in [
                ("startup-attempts-total", attempts as f64),
                ("startup-success-total", good as f64),
                ("startup-failure-total", bad as f64),
                ("startup-success-percentage", percentage(good)),
                ("startup-failure-percentage", percentage(bad)),
            ] {
                one(self, &format!("{what}-{attribute}"), "Starts, and what became of them", value)?;
            }
        }
        let values = shown.iter().map(|one| (one.labels([]), f64::from(one.tasks)));
        self.put(&name("connector-total-task-count"), "Tasks of the connector", values)?;
        for state in STATES {
            let values =
                shown.iter().map(|one| (one.labels([]), if one.state == state { f64::from(one.tasks) } else { 0.0 }));
            self.put(&name(&format!("connector-{state}-task-count")), "Tasks of the connector in this state", values)?;
        }
        // Tasks are never moved from worker to worker; boards ask all the same.
        let values = [(all(), 0.0)];
        self.put(&dialect.name("connect-worker-rebalance-metrics", "rebalancing"), "Always 0: nothing moves", values)?;
        let client = || match dialect {
            Dialect::Strimzi => Labels::new(),
            Dialect::Confluent => vec![("client_id", "tidegate".to_owned())],
        };
        for (attribute, value) in [("assigned-connectors", shown.len() as f64), ("assigned-tasks", f64::from(tasks))] {
            let name = dialect.name("connect-coordinator-metrics", attribute);
            self.put(&name, "What this worker has", [(client(), value)])?;
        }
        Ok(())
    }

    fn tasks(&mut self, rates: &Rates) -> fmt::Result {
        type Of = fn(&Facts, [f64; 2]) -> f64;
        let shown = self.shown;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let facts: Vec<(String, Facts)> = shown.iter().map(|one| (key(one), Facts::of(one, read))).collect();
        let counters: Vec<_> = facts.iter().map(|(key, facts)| (key.clone(), [facts.read, facts.cuts])).collect();
        let rates = rates.of(&counters, Instant::now());
        let all: [(&str, &str, &str, Of); 21] = [
            ("sink-task-metrics", "sink-record-read-total", "Records read", |f, _| f.read as f64),
            ("sink-task-metrics", "sink-record-read-rate", "Records read a second", |_, r| r[0]),
            ("sink-task-metrics", "sink-record-send-total", "Records put into objects", |f, _| f.sent as f64),
            ("sink-task-metrics", "sink-record-send-rate", "Records put into objects a second", |f, r| {
                if f.read == 0 { 0.0 } else { r[0] * f.sent as f64 / f.read as f64 }
            }),
            ("sink-task-metrics", "sink-record-active-count", "Offsets taken up and not committed", |f, _| f.active),
            ("sink-task-metrics", "partition-count", "Partitions assigned", |f, _| f.partitions),
            ("sink-task-metrics", "offset-commit-seq-no", "Cuts committed", |f, _| f.cuts as f64),
            ("sink-task-metrics", "offset-commit-completion-total", "Cuts committed", |f, _| f.cuts as f64),
            ("sink-task-metrics", "offset-commit-completion-rate", "Cuts committed a second", |_, r| r[1]),
            ("sink-task-metrics", "offset-commit-skip-total", "Cuts that came too late", |f, _| f.fenced as f64),
            ("connector-task-metrics", "running-ratio", "1 while it runs", |f, _| f.running),
            ("connector-task-metrics", "pause-ratio", "1 while it is paused", |f, _| f.paused),
            ("connector-task-metrics", "offset-commit-avg-time-ms", "From sealing to commit", |f, _| f.cut_millis()),
            ("connector-task-metrics", "offset-commit-max-time-ms", "The longest of them", |f, _| f.longest_millis),
            ("connector-task-metrics", "offset-commit-success-percentage", "Of all cuts", |f, _| 1.0 - f.failed()),
            ("connector-task-metrics", "offset-commit-failure-percentage", "Of all cuts", |f, _| f.failed()),
            ("task-error-metrics", "total-record-errors", "Records that could not be used", |f, _| f.bad as f64),
            ("task-error-metrics", "total-record-failures", "Records that could not be used", |f, _| f.bad as f64),
            ("task-error-metrics", "total-records-skipped", "Records passed over", |f, _| f.skipped as f64),
            ("task-error-metrics", "total-errors-logged", "Records whose error was logged", |f, _| f.logged as f64),
            ("task-error-metrics", "deadletterqueue-produce-requests", "Dead letters", |f, _| f.letters as f64),
        ];
        for (kind, attribute, help, value) in all {
            let values = shown.iter().zip(&facts).flat_map(|(one, (key, facts))| {
                let rates = rates.get(key).copied().unwrap_or_default();
                (0..one.tasks).map(move |task| {
                    let value = if task == 0 { value(facts, rates) } else { value(&facts.of_another_task(), [0.0; 2]) };
                    (one.labels([("task", task.to_string())]), value)
                })
            });
            let name = self.dialect.name(kind, attribute);
            self.put(&name, help, values.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// What a connector's consumer would show.
    fn consumers(&mut self) -> fmt::Result {
        let (dialect, shown) = (self.dialect, self.shown);
        let running = || shown.iter().filter_map(|one| Some((one, one.running.as_ref()?)));
        let client = |one: &Shown| (dialect.client_id(), format!("connector-consumer-{}-0", one.name));
        let mut lags = Vec::new();
        for (one, connector) in running() {
            for (partition, progress) in connector.stats().partitions() {
                let Some(end) = connector.end_offset(&partition) else { continue };
                let of = [
                    client(one),
                    ("topic", partition.topic.to_string()),
                    ("partition", partition.partition.to_string()),
                ];
                lags.push((one.labels(of), (end.0 - progress.position.0).max(0) as f64));
            }
        }
        let name = dialect.consumer("consumer-fetch-manager-metrics", "records-lag");
        self.put(&name, "Records behind the end of the partition", lags)?;
        let bytes = || {
            running().map(|(one, connector)| {
                (one.labels([client(one)]), connector.stats().fetched_bytes.load(Ordering::Relaxed) as f64)
            })
        };
        let fetched: Vec<_> = bytes().collect();
        let name = dialect.consumer("consumer-fetch-manager-metrics", "bytes-consumed-total");
        self.put(&name, "Bytes of record batches as fetched", fetched.clone())?;
        let name = dialect.consumer("consumer-metrics", "incoming-byte-total");
        self.put(&name, "Bytes of record batches as fetched", fetched)
    }
}

fn key(shown: &Shown) -> String {
    format!("{}/{}", shown.cluster.as_deref().unwrap_or_default(), shown.name)
}

/// What there is to tell of a connector's tasks.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    read: u64,
    sent: u64,
    skipped: u64,
    bad: u64,
    logged: u64,
    letters: u64,
    cuts: u64,
    fenced: u64,
    cut_micros: u64,
    longest_millis: f64,
    active: f64,
    partitions: f64,
    running: f64,
    paused: f64,
}

impl Facts {
    fn of(shown: &Shown, read: fn(&AtomicU64) -> u64) -> Self {
        let ratios = Self {
            running: f64::from(u8::from(shown.state == "running")),
            paused: f64::from(u8::from(shown.state == "paused")),
            ..Self::default()
        };
        let Some(connector) = &shown.running else { return ratios };
        let (stats, errors) = (connector.stats(), connector.plan().errors());
        let partitions = stats.partitions();
        let (sent, skipped, bad) = (read(&stats.records), read(&stats.skipped_records), read(&stats.dead_letters));
        Self {
            read: sent + skipped,
            sent,
            skipped,
            bad,
            logged: if errors.log { bad } else { 0 },
            letters: if errors.dead_letters.is_some() { bad } else { 0 },
            cuts: read(&stats.cuts),
            fenced: read(&stats.fenced_cuts),
            cut_micros: read(&stats.cut_micros),
            longest_millis: read(&stats.longest_cut_micros) as f64 / 1e3,
            active: partitions.iter().map(|(_, at)| (at.position.0 - at.committed.0).max(0) as f64).sum(),
            partitions: partitions.len() as f64,
            ..ratios
        }
    }

    /// Of a task that is not the one on which everything is counted.
    fn of_another_task(&self) -> Self {
        Self { running: self.running, paused: self.paused, ..Self::default() }
    }

    fn cut_millis(&self) -> f64 {
        if self.cuts == 0 { 0.0 } else { self.cut_micros as f64 / 1e3 / self.cuts as f64 }
    }

    fn failed(&self) -> f64 {
        let all = self.cuts + self.fenced;
        if all == 0 { 0.0 } else { self.fenced as f64 / all as f64 }
    }
}
