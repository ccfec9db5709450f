use std::path::PathBuf;

use ::connectors::WorkerConfig;
use world::{Clock, Environment};

/// How a control plane is opened.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Holds `tidegate.db` and `tidegate.key` (0600: it opens the secrets in the store).
    pub data_dir: PathBuf,
    /// The worker settings of the default cluster.
    pub worker: WorkerConfig,
    /// Where this worker says it is: `host:port`, as Connect's `worker_id`.
    pub worker_id: String,
    /// Whether requests without credentials are taken as the operator's: only ever on loopback listeners.
    pub open: bool,
    /// How many integrations an organization may have (Confluent's quota is 100).
    pub integrations_per_organization: usize,
    /// Hosts that configurations of tenants may name as endpoints (`aws.s3.endpoint`, brokers, schema registries), each a
    /// host name, or a suffix with a leading full stop. The operator's own environment is not limited.
    pub allowed_endpoints: Vec<String>,
    /// The last log lines of connectors: an empty one, or the one that hears the process's log.
    pub logs: crate::Logs,
    /// The time.
    pub clock: Clock,
    /// The process's environment.
    pub environment: Environment,
}
