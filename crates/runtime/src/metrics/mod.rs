mod connect;
mod rates;
mod shown;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

pub use connect::Dialect;
pub use shown::Shown;

use crate::connector::Connector;
use crate::process::Process;
use connect::Board;
use rates::Rates;
use shown::Labels;

/// What `/metrics` shows: read from the counters at the moment of asking, so that counting costs one atomic addition.
#[derive(Debug, Clone)]
pub struct Metrics {
    process: Process,
    connectors: Arc<RwLock<Vec<Arc<Connector>>>>,
    roster: Arc<RwLock<Option<Roster>>>,
    gauges: Arc<RwLock<Vec<Gauge>>>,
    dialect: Dialect,
    rates: Arc<Rates>,
}

/// Who is there now, where connectors come and go.
#[derive(Clone)]
struct Roster(Arc<dyn Fn() -> Vec<Shown> + Send + Sync>);

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Roster")
    }
}

/// Values of a gauge with their labels.
pub type Readings = Vec<(Vec<(&'static str, String)>, f64)>;

/// A gauge of something that this crate does not know.
#[derive(Clone)]
struct Gauge {
    name: &'static str,
    help: &'static str,
    read: Arc<dyn Fn() -> Readings + Send + Sync>,
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Metrics {
    /// The metrics of `process`, with no connector yet.
    pub fn new(process: Process) -> Self {
        Self {
            process,
            connectors: Arc::default(),
            roster: Arc::default(),
            gauges: Arc::default(),
            dialect: Dialect::default(),
            rates: Arc::default(),
        }
    }

    /// Shows what Kafka Connect shows by the names of `dialect`.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Shows from now on whoever `roster` names at the moment of asking, besides those that were added. It must not wait
    /// for anything, and no two of them have the same name and cluster.
    pub fn show(&self, roster: impl Fn() -> Vec<Shown> + Send + Sync + 'static) {
        *self.roster.write().unwrap_or_else(PoisonError::into_inner) = Some(Roster(Arc::new(roster)));
    }

    /// Whether connectors come and go.
    pub(crate) fn is_open(&self) -> bool {
        self.roster.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn shown(&self) -> Vec<Shown> {
        let added = self.connectors.read().unwrap_or_else(PoisonError::into_inner).clone();
        let roster = self.roster.read().unwrap_or_else(PoisonError::into_inner).clone();
        let known = roster.map(|roster| (roster.0)()).unwrap_or_default();
        added.into_iter().map(Shown::of).chain(known).collect()
    }

    /// Shows `connector` from now on.
    pub fn add(&self, connector: Arc<Connector>) {
        self.connectors.write().unwrap_or_else(PoisonError::into_inner).push(connector);
    }

    /// Shows a gauge from now on, whose values `read` gives at the moment of asking. It must not wait for anything.
    pub fn add_gauge(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Readings + Send + Sync + 'static,
    ) {
        let gauge = Gauge { name, help, read: Arc::new(read) };
        self.gauges.write().unwrap_or_else(PoisonError::into_inner).push(gauge);
    }

    /// The connectors that are shown and run.
    pub fn connectors(&self) -> Vec<Arc<Connector>> {
        self.shown().into_iter().filter_map(|shown| shown.running).collect()
    }

    /// The text that Prometheus scrapes (OpenMetrics 1.0).
    pub fn text(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut out = String::new();
        text::encode(&mut out, &registry).expect("writing to a string does not fail");
        out
    }
}

/// A value of one metric with its labels.
struct Sample<L>(L, f64);

impl<L: EncodeLabelSet> Sample<L> {
    fn write(&self, encoder: &mut MetricEncoder<'_>, kind: MetricType) -> fmt::Result {
        let mut encoder = encoder.encode_family(&self.0)?;
        match kind {
            MetricType::Counter => encoder.encode_counter::<NoLabelSet, _, u64>(&self.1, None),
            _ => encoder.encode_gauge(&self.1),
        }
    }
}

/// All values of one metric.
struct Samples<L>(MetricType, Vec<Sample<L>>);

impl<L: EncodeLabelSet> EncodeMetric for Samples<L> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        self.1.iter().try_for_each(|sample| sample.write(&mut encoder, self.0))
    }
    fn metric_type(&self) -> MetricType {
        self.0
    }
}

fn put<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    kind: MetricType,
    name: &str,
    help: &str,
    samples: Vec<Sample<L>>,
) -> fmt::Result {
    let samples = Samples(kind, samples);
    let descriptor = encoder.encode_descriptor(name, help, None, samples.metric_type())?;
    samples.encode(descriptor)
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let shown = self.shown();
        counters(encoder, &shown)?;
        partitions(encoder, &shown)?;
        states(encoder, &shown)?;
        restarts(encoder, &shown)?;
        Board { dialect: self.dialect, encoder, shown: &shown }.encode(self.process.starts(), &self.rates)?;
        sessions(encoder, &self.process)?;
        requests(encoder, &self.process)?;
        let gauges = self.gauges.read().unwrap_or_else(PoisonError::into_inner).clone();
        for Gauge { name, help, read } in gauges {
            let samples = read().into_iter().map(|(labels, value)| Sample(labels, value)).collect();
            put(encoder, MetricType::Gauge, name, help, samples)?;
        }
        let budget = self.process.budget();
        let none: [(&str, &str); 0] = [];
        put(
            encoder,
            MetricType::Gauge,
            "tidegate_buffered_bytes",
            "Bytes of records, objects under construction and parts in flight",
            vec![Sample(none, budget.used() as f64)],
        )?;
        put(
            encoder,
            MetricType::Gauge,
            "tidegate_memory_limit_bytes",
            "The byte budget: --memory, less an eighth that is left to the allocator",
            vec![Sample(none, budget.limit() as f64)],
        )
    }
}

/// Those that run, with their run.
fn running(shown: &[Shown]) -> impl Iterator<Item = (&Shown, &Arc<Connector>)> {
    shown.iter().filter_map(|one| Some((one, one.running.as_ref()?)))
}

fn counters(encoder: &mut DescriptorEncoder<'_>, shown: &[Shown]) -> fmt::Result {
    type Read = fn(&transit::TaskStats) -> &AtomicU64;
    let all: [(&str, &str, f64, Read); 10] = [
        ("tidegate_records", "Records put into objects", 1.0, |s| &s.records),
        ("tidegate_fetched_bytes", "Bytes of record batches as fetched", 1.0, |s| &s.fetched_bytes),
        ("tidegate_encoded_bytes", "Bytes of encoded records before compression", 1.0, |s| &s.encoded_bytes),
        ("tidegate_stored_bytes", "Bytes handed to the store", 1.0, |s| &s.stored_bytes),
        ("tidegate_objects", "Objects made visible", 1.0, |s| &s.objects),
        ("tidegate_cuts", "Cuts committed", 1.0, |s| &s.cuts),
        ("tidegate_cuts_fenced", "Cuts given up because their assignment was over", 1.0, |s| &s.fenced_cuts),
        ("tidegate_cuts_recovered", "Cuts of an earlier owner that were finished", 1.0, |s| &s.recovered_cuts),
        ("tidegate_dead_letters", "Records that could not be used", 1.0, |s| &s.dead_letters),
        ("tidegate_cut_seconds", "Time from sealing to commit, all cuts together", 1e6, |s| &s.cut_micros),
    ];
    for (name, help, divisor, read) in all {
        let samples = running(shown)
            .map(|(one, connector)| {
                let value = read(connector.stats()).load(Ordering::Relaxed) as f64 / divisor;
                Sample(one.labels([]), value)
            })
            .collect::<Vec<Sample<Labels>>>();
        put(encoder, MetricType::Counter, name, help, samples)?;
    }
    Ok(())
}

fn partitions(encoder: &mut DescriptorEncoder<'_>, shown: &[Shown]) -> fmt::Result {
    let (mut lags, mut uncommitted) = (Vec::new(), Vec::new());
    for (one, connector) in running(shown) {
        for (partition, progress) in connector.stats().partitions() {
            let labels =
                || one.labels([("topic", partition.topic.to_string()), ("partition", partition.partition.to_string())]);
            if let Some(end) = connector.end_offset(&partition) {
                lags.push(Sample(labels(), (end.0 - progress.committed.0).max(0) as f64));
            }
            uncommitted.push(Sample(labels(), (progress.position.0 - progress.committed.0).max(0) as f64));
        }
    }
    put(
        encoder,
        MetricType::Gauge,
        "tidegate_lag_records",
        "Offsets between the committed one and the end of the partition",
        lags,
    )?;
    put(
        encoder,
        MetricType::Gauge,
        "tidegate_uncommitted_records",
        "Offsets taken up and not yet committed",
        uncommitted,
    )
}

fn states(encoder: &mut DescriptorEncoder<'_>, shown: &[Shown]) -> fmt::Result {
    let mut samples = Vec::new();
    for (one, connector) in running(shown) {
        let now = connector.state().name();
        for state in ["starting", "running", "failed", "stopped"] {
            samples.push(Sample(one.labels([("state", state.to_owned())]), f64::from(u8::from(state == now))));
        }
    }
    put(encoder, MetricType::Gauge, "tidegate_connector_state", "1 for the state that the connector is in", samples)
}

fn restarts(encoder: &mut DescriptorEncoder<'_>, shown: &[Shown]) -> fmt::Result {
    let samples = shown.iter().map(|one| Sample(one.labels([]), one.restarts as f64)).collect();
    let help = "How often the connector was started anew: by itself after a failure, or because somebody asked";
    put(encoder, MetricType::Counter, "tidegate_connector_restarts", help, samples)
}

fn sessions(encoder: &mut DescriptorEncoder<'_>, process: &Process) -> fmt::Result {
    let (mut ages, mut lefts, mut renewals, mut failures, mut drops) = (vec![], vec![], vec![], vec![], vec![]);
    for session in process.clients().sessions().stats() {
        let labels = || [("target", session.target.clone())];
        ages.extend(session.age.map(|age| Sample(labels(), age.as_secs_f64())));
        lefts.extend(session.left.map(|left| Sample(labels(), left.as_secs_f64())));
        renewals.push(Sample(labels(), session.renewals as f64));
        failures.push(Sample(labels(), session.failures as f64));
        drops.push(Sample(labels(), session.drops as f64));
    }
    let (gauge, counter) = (MetricType::Gauge, MetricType::Counter);
    put(encoder, gauge, "tidegate_session_age_seconds", "Since the live AWS session was fetched", ages)?;
    put(encoder, gauge, "tidegate_session_left_seconds", "Until the live AWS session ends", lefts)?;
    put(encoder, counter, "tidegate_session_renewals", "Exchanges that gave an AWS session", renewals)?;
    put(encoder, counter, "tidegate_session_failures", "Exchanges that gave none", failures)?;
    put(encoder, counter, "tidegate_session_drops", "Sessions that AWS did not accept to their end", drops)?;
    let (clients, now) = (process.clients(), process.clients().clock().now());
    let certificates = clients.certificates().expiries().into_iter().map(|expiry| {
        let left = expiry.left(now).as_secs_f64();
        Sample([("target", expiry.target), ("serial", expiry.serial)], left)
    });
    let help = "Until the certificate that sessions are had for ends";
    put(encoder, gauge, "tidegate_certificate_left_seconds", help, certificates.collect())
}

fn requests(encoder: &mut DescriptorEncoder<'_>, process: &Process) -> fmt::Result {
    let counters = process.clients().counters();
    let requests = counters
        .requests()
        .into_iter()
        .map(|request| {
            Sample([("operation", request.operation.to_owned()), ("code", request.code)], request.count as f64)
        })
        .collect();
    put(encoder, MetricType::Counter, "tidegate_aws_requests", "Requests to AWS by what was answered", requests)?;
    let permissions = counters.permissions().into_iter().flat_map(|permission| {
        [("allowed", true), ("refused", false)].map(|(state, is_allowed)| {
            let labels = [
                ("identity", permission.identity.clone()),
                ("bucket", permission.bucket.clone()),
                ("operation", permission.operation.to_owned()),
                ("state", state.to_owned()),
            ];
            Sample(labels, f64::from(u8::from(permission.is_allowed == is_allowed)))
        })
    });
    let help = "1 for what the last answer of S3 showed: that the operation is allowed, or that it is refused";
    put(encoder, MetricType::Gauge, "tidegate_s3_permission", help, permissions.collect())?;
    let none: [(&str, &str); 0] = [];
    let sent = vec![Sample(none, counters.bytes_sent() as f64)];
    put(encoder, MetricType::Counter, "tidegate_aws_sent_bytes", "Bytes of parts and objects sent to AWS", sent)?;
    let retries = vec![Sample(none, counters.retries() as f64)];
    put(encoder, MetricType::Counter, "tidegate_aws_retries", "Requests to AWS that were sent again", retries)
}
