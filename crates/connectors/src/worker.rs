use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use identity::{Connections, Integrations, KeyRule};
use world::Environment;

use crate::clients::is_secret;
use crate::config::Config;
use crate::define::{Check, Importance, KeyDef, Kind, Values, Width, evaluate, warn_unknown};
use crate::faults::{ConfigFaults, ConfigWarning, Findings, HIDDEN, secrets};
use crate::load::{LoadError, Providers, read_properties, read_text};
use crate::naming::Zone;
use crate::restrictions::Restrictions;

/// What holds for every connector of a process: the worker properties of Kafka Connect's standalone mode.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    config: Config,
    providers: Providers,
    flush_interval: Duration,
    flush_timeout: Duration,
    local_zone: Zone,
    reach: Reach,
    warnings: Vec<ConfigWarning>,
}

/// What connectors may refer to by name to reach AWS.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    pub(crate) connections: Option<Arc<Connections>>,
    pub(crate) integrations: Option<Arc<dyn Integrations>>,
    pub(crate) keys: KeyRule,
    pub(crate) restrictions: Option<Restrictions>,
}

/// Why a worker's settings are refused, and what is left of them.
#[derive(Debug, Clone)]
pub struct WorkerRefusal {
    /// What is wrong.
    pub faults: ConfigFaults,
    /// The worker without the values that are wrong: not to run anything, but to find what is wrong with its connectors
    /// in the same go. `None` if its file could not be read.
    pub rest: Option<Box<WorkerConfig>>,
}

/// The worker keys that have a meaning here, beside those of the Kafka clients.
pub(crate) const WORKER_KEYS: &[KeyDef] = &[
    KeyDef::new("bootstrap.servers", Kind::List, "Kafka's brokers to begin with, as host:port.")
        .default("localhost:9092")
        .importance(Importance::High),
    KeyDef::new("key.converter", Kind::Class, "Reads keys where a connector names no converter; its own keys follow the prefix key.converter.")
        .importance(Importance::High),
    KeyDef::new("value.converter", Kind::Class, "Reads values where a connector names no converter; its own keys follow the prefix value.converter.")
        .importance(Importance::High),
    KeyDef::new("header.converter", Kind::Class, "Reads headers where a connector names no converter.")
        .default("org.apache.kafka.connect.storage.SimpleHeaderConverter")
        .importance(Importance::Low),
    KeyDef::new("offset.flush.interval.ms", Kind::Long, "How long records are gathered before their objects are published, where a connector does not set tidegate.rotate.interval.ms.")
        .default("60000")
        .check(Check::Range(Some(1), None))
        .importance(Importance::Low),
    KeyDef::new("offset.flush.timeout.ms", Kind::Long, "How long a stop, or giving a partition up, may wait for what is being published.")
        .default("5000")
        .check(Check::Range(Some(1), None))
        .importance(Importance::Low),
    KeyDef::new("config.providers", Kind::List, "Names of providers for ${name:path:key} in configurations. Each has config.providers.NAME.class (FileConfigProvider, DirectoryConfigProvider, EnvVarConfigProvider) and config.providers.NAME.param.* (allowed.paths, allowlist.pattern).")
        .default("")
        .importance(Importance::Low),
    KeyDef::new("tidegate.kafka.connection", Kind::String, "The name of a connection that signs for Kafka clusters of Amazon MSK (sasl.mechanism AWS_MSK_IAM, or OAUTHBEARER with MSK's callback handler). Not set: what sasl.jaas.config says, over the default chain.")
        .check(Check::NonEmpty),
    KeyDef::new("connector.client.config.override.policy", Kind::String, "Which consumer.override.*, producer.override.* and admin.override.* a connector may set.")
        .default("All")
        .check(Check::OneOf(&["All", "None", "Principal"]))
        .recommended(&["All", "None", "Principal"])
        .width(Width::Short)
        .importance(Importance::Medium),
];

/// Settings of Kafka's clients that a worker sets once for all: how to reach the cluster. (In Connect they hold for the
/// worker's own topics only, and have to be repeated with each prefix.)
const CONNECTION_KEYS: &[&str] = &[
    "client.dns.lookup",
    "connections.max.idle.ms",
    "metadata.max.age.ms",
    "receive.buffer.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "send.buffer.bytes",
    "socket.connection.setup.timeout.max.ms",
    "socket.connection.setup.timeout.ms",
];
const CONNECTION_PREFIXES: &[&str] = &["security.", "ssl.", "sasl."];
const PREFIXES: &[&str] = &[
    "consumer.",
    "producer.",
    "admin.",
    "key.converter.",
    "value.converter.",
    "header.converter.",
    "config.providers.",
];

/// Settings of Connect's worker that have no meaning here, and why.
pub(crate) const MEANINGLESS: &[(&str, &str)] = &[
    ("access.control.", "run has no REST listener; serve takes access.control.allow.origin and .methods"),
    ("admin.listeners", "run has no REST listener; serve takes --listen"),
    ("client.id", "each client is named after its connector"),
    ("config.storage.", "run reads connectors from files; serve keeps them in its data directory"),
    ("connect.protocol", "there is no group of workers"),
    ("connector.plugin.discovery", "connector classes are built in"),
    ("exactly.once.source.support", "sink connectors are exactly once by themselves"),
    ("group.id", "each connector has its own group, connect-NAME"),
    ("heartbeat.interval.ms", "set consumer.heartbeat.interval.ms"),
    ("inter.worker.", "there is no group of workers"),
    ("internal.key.converter", "nothing is stored in Connect's topics"),
    ("internal.value.converter", "nothing is stored in Connect's topics"),
    ("listeners", "run has no REST listener; serve takes --listen"),
    ("metric.reporters", "metrics are served by --metrics-addr"),
    ("metrics.", "metrics are served by --metrics-addr"),
    ("offset.storage.", "offsets are kept in the consumer group alone"),
    ("plugin.discovery", "connector classes are built in"),
    ("plugin.path", "connector classes are built in"),
    ("rebalance.timeout.ms", "there is no group of workers"),
    ("response.http.headers.config", "the headers of answers are not configurable"),
    ("rest.", "run has no REST listener; serve takes --listen, and rest.advertised.host.name and .port"),
    ("scheduled.rebalance.max.delay.ms", "there is no group of workers"),
    ("session.timeout.ms", "set consumer.session.timeout.ms"),
    ("status.storage.", "nothing is stored in Connect's topics"),
    ("task.shutdown.graceful.timeout.ms", "a stop waits for offset.flush.timeout.ms"),
    ("topic.creation.enable", "there is no source connector"),
    ("topic.tracking.", "the topics of a connector are not recorded"),
    ("worker.", "there is no group of workers"),
];

pub(crate) fn is_connection_key(key: &str) -> bool {
    key == "bootstrap.servers"
        || CONNECTION_KEYS.contains(&key)
        || CONNECTION_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

fn has_meaning(key: &str) -> bool {
    is_connection_key(key)
        || WORKER_KEYS.iter().any(|def| def.name == key)
        || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

fn why_meaningless(key: &str) -> Option<&'static str> {
    let matches = |known: &str| if known.ends_with('.') { key.starts_with(known) } else { key == known };
    MEANINGLESS.iter().find(|(known, _)| matches(known)).map(|(_, why)| *why)
}

/// Whether a worker of Connect or of ours knows the key.
pub(crate) fn is_worker_key(key: &str) -> bool {
    has_meaning(key) || why_meaningless(key).is_some()
}

impl WorkerConfig {
    /// Reads worker properties from `file`, if one is given, with `overrides` above it (flags above the environment's:
    /// [`crate::worker_overrides`]), and resolves what refers to config providers.
    pub fn load(
        file: Option<&Path>,
        overrides: impl IntoIterator<Item = (String, String)>,
        environment: &Environment,
    ) -> Result<Self, WorkerRefusal> {
        let mut found = Findings::default();
        let mut config = Config::new();
        let mut origin = "the worker".to_owned();
        if let Some(path) = file {
            origin = path.display().to_string();
            let pairs = read_file(path).map_err(|error| WorkerRefusal { faults: error.into(), rest: None })?;
            for (key, value) in pairs {
                if config.set(&key, value).is_some() {
                    found.warn(key, "is set more than once; the last one counts");
                }
            }
        }
        for (key, value) in overrides {
            config.set(key, value);
        }
        Self::of(&origin, config, environment, found)
    }

    /// A worker with these settings.
    pub fn from_config(config: Config, environment: &Environment) -> Result<Self, ConfigFaults> {
        Self::of("the worker", config, environment, Findings::default()).map_err(|refusal| refusal.faults)
    }

    fn of(
        origin: &str,
        mut config: Config,
        environment: &Environment,
        mut found: Findings,
    ) -> Result<Self, WorkerRefusal> {
        let providers = Providers::of(&config, environment, &mut found);
        providers.resolve(&mut config, &mut found);
        let values = evaluate(WORKER_KEYS, &config, &mut found);
        for (key, _) in config.iter() {
            if let Some(why) = why_meaningless(key).filter(|_| !has_meaning(key)) {
                found.warn(key, format!("has no meaning here: {why}"));
            }
        }
        let mut known: Vec<&str> = WORKER_KEYS.iter().map(|def| def.name).collect();
        known.extend(CONNECTION_KEYS);
        known.extend([
            "security.protocol",
            "sasl.mechanism",
            "sasl.jaas.config",
            "ssl.truststore.location",
            "ssl.keystore.location",
        ]);
        warn_unknown(&config, is_worker_key, &known, &mut found);
        found.hide(&secrets(&config, is_secret));
        let worker = Self {
            flush_interval: millis(&values, "offset.flush.interval.ms"),
            flush_timeout: millis(&values, "offset.flush.timeout.ms"),
            config,
            providers,
            local_zone: Zone::local(),
            reach: Reach::default(),
            warnings: found.warnings.clone(),
        };
        if found.faults.is_empty() {
            return Ok(worker);
        }
        let faults = ConfigFaults::new(origin, found.faults, found.warnings);
        Err(WorkerRefusal { faults, rest: Some(Box::new(worker)) })
    }

    /// The same with another zone for `{{local_date}}` than the machine's.
    #[must_use]
    pub fn with_local_zone(mut self, zone: Zone) -> Self {
        self.local_zone = zone;
        self
    }

    /// The same, whose connectors may refer to these connections (`tidegate.connection`).
    #[must_use]
    pub fn with_connections(mut self, connections: Connections) -> Self {
        self.reach.connections = Some(Arc::new(connections));
        self
    }

    /// The same, whose connectors may refer to these integrations (`provider.integration.id`).
    #[must_use]
    pub fn with_integrations(mut self, integrations: Arc<dyn Integrations>) -> Self {
        self.reach.integrations = Some(integrations);
        self
    }

    /// The same, which takes keys that never end only as `keys` says.
    #[must_use]
    pub fn with_keys(mut self, keys: KeyRule) -> Self {
        self.reach.keys = keys;
        self
    }

    /// The same, whose connectors are a tenant's: what is the machine's is not theirs, config providers least of all.
    #[must_use]
    pub fn with_restrictions(mut self, restrictions: Restrictions) -> Self {
        self.reach.restrictions = Some(restrictions);
        self.without_providers()
    }

    /// The same, which resolves no reference: whoever may only look at what a class takes learns no secret by it.
    #[must_use]
    pub fn without_providers(mut self) -> Self {
        self.providers = Providers::default();
        self
    }

    /// The connections that connectors may refer to.
    pub fn connections(&self) -> Option<&Connections> {
        self.reach.connections.as_deref()
    }

    /// All settings as they may be shown.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.config.iter().map(|(key, value)| (key, if is_secret(key) { HIDDEN } else { value }))
    }

    /// What limits its connectors, if they are a tenant's.
    pub fn restrictions(&self) -> Option<&Restrictions> {
        self.reach.restrictions.as_ref()
    }

    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// All settings, references resolved.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How long records are gathered before their objects are published, unless a connector says otherwise.
    pub fn flush_interval(&self) -> Duration {
        self.flush_interval
    }

    /// How long a stop, or giving a partition up, may wait for what is being published.
    pub fn flush_timeout(&self) -> Duration {
        self.flush_timeout
    }

    /// What to know about the settings.
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }

    pub(crate) fn providers(&self) -> &Providers {
        &self.providers
    }

    pub(crate) fn local_zone(&self) -> &Zone {
        &self.local_zone
    }
}

fn read_file(path: &Path) -> Result<Vec<(String, String)>, LoadError> {
    let text = read_text(path)?;
    read_properties(text.trim_start_matches('\u{feff}'))
        .map_err(|source| LoadError::Properties { origin: path.display().to_string(), source })
}

/// The default where the value is refused.
fn millis(values: &Values, key: &str) -> Duration {
    let default = || WORKER_KEYS.iter().find(|def| def.name == key)?.default?.parse().ok();
    let millis = values.number(key).and_then(|millis| u64::try_from(millis).ok()).or_else(default);
    Duration::from_millis(millis.expect("the key has a default and is at least 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(pairs: &[(&str, &str)]) -> Result<WorkerConfig, ConfigFaults> {
        WorkerConfig::from_config(pairs.iter().copied().collect(), &Environment::of([("P", "p4ss")]))
    }

    #[test]
    fn defaults_are_those_of_connect() {
        let worker = worker(&[]).unwrap();
        assert_eq!(worker.flush_interval(), Duration::from_mins(1));
        assert_eq!(worker.flush_timeout(), Duration::from_secs(5));
        assert!(worker.warnings().is_empty());
    }

    #[test]
    fn settings_without_meaning_are_named_with_the_reason() {
        let worker = worker(&[
            ("rest.port", "8083"),
            ("plugin.path", "/plugins"),
            ("offset.storage.file.filename", "/tmp/o"),
            ("bootstrap.server", "a:1"),
            ("consumer.fetch.min.bytes", "1"),
            ("ssl.key.password", "x"),
        ])
        .unwrap();
        let texts: Vec<_> = worker.warnings().iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "offset.storage.file.filename: has no meaning here: offsets are kept in the consumer group alone",
                "plugin.path: has no meaning here: connector classes are built in",
                "rest.port: has no meaning here: run has no REST listener; serve takes --listen, and rest.advertised.host.name and .port",
                "bootstrap.server: nothing reads this key; did you mean bootstrap.servers?",
            ]
        );
    }

    #[test]
    fn faults_are_collected() {
        let faults = worker(&[("offset.flush.interval.ms", "soon"), ("config.providers", "x")]).unwrap_err();
        let keys: Vec<_> = faults.faults().iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["config.providers.x.class", "offset.flush.interval.ms", "offset.flush.interval.ms"]);
    }

    #[test]
    fn references_in_the_worker_are_resolved() {
        let worker = worker(&[
            ("config.providers", "env"),
            ("config.providers.env.class", "EnvVarConfigProvider"),
            ("sasl.jaas.config", "module required password=\"${env:P}\";"),
        ])
        .unwrap();
        assert_eq!(worker.config().get("sasl.jaas.config"), Some("module required password=\"p4ss\";"));
    }

    #[test]
    fn a_file_lies_below_its_overrides() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "bootstrap.servers=a:1\noffset.flush.interval.ms=1000\n").unwrap();
        let overrides = [("bootstrap.servers".to_owned(), "b:2".to_owned())];
        let worker = WorkerConfig::load(Some(file.path()), overrides, &Environment::of([("", "")])).unwrap();
        assert_eq!(worker.config().get("bootstrap.servers"), Some("b:2"));
        assert_eq!(worker.flush_interval(), Duration::from_secs(1));
        let missing = WorkerConfig::load(Some(Path::new("/no/w.properties")), [], &Environment::of([("", "")]));
        assert!(missing.unwrap_err().faults.faults()[0].text.starts_with("could not read /no/w.properties"));
    }
}
