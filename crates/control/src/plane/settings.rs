use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::connectors::WorkerConfig;
use identity::{ConnectionSpec, KeyRule};
use world::{Clock, Environment};

/// How a control plane is opened.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Holds `tidegate.db` and `tidegate.key` (0600: it opens the secrets in the store).
    pub data_dir: PathBuf,
    /// The worker settings of the default cluster, with the operator's connections.
    pub worker: WorkerConfig,
    /// Where this worker says it is: `host:port`, as Connect's `worker_id`.
    pub worker_id: String,
    /// Whom requests without credentials come from.
    pub open: Openness,
    /// How many integrations an organization may have (Confluent's quota is 100).
    pub integrations_per_organization: usize,
    /// Hosts that configurations of tenants may name as endpoints (`aws.s3.endpoint`, brokers, schema registries), each a
    /// host name, or a suffix with a leading full stop. The operator's own environment is not limited.
    pub allowed_endpoints: Vec<String>,
    /// Who Tidegate is before it takes on any customer's role, or why that is not known.
    pub ours: Result<Arc<ConnectionSpec>, String>,
    /// Who Tidegate is to customers: a role's or user's ARN. Not set: AWS is asked when the first integration is made.
    pub principal: Option<String>,
    /// Whether AWS keys that never end may be used.
    pub keys: KeyRule,
    /// How much of the audit log is kept.
    pub audit: AuditKeeping,
    /// The last log lines of connectors: an empty one, or the one that hears the process's log.
    pub logs: crate::Logs,
    /// The time.
    pub clock: Clock,
    /// The process's environment.
    pub environment: Environment,
}

/// Whom requests without credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Openness {
    /// Nobody: they are refused.
    Closed,
    /// The operator, while there is neither a user nor a key. Only ever on loopback listeners.
    WhileEmpty,
    /// The operator, always: somebody has said so (`--auth none`).
    Always,
}

/// How much of the audit log is kept: what is beyond either goes, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditKeeping {
    /// How long.
    pub age: Duration,
    /// How many lines.
    pub lines: u64,
}

impl Default for AuditKeeping {
    /// A year (what auditors ask for), and a million lines (less than 1 GiB).
    fn default() -> Self {
        Self { age: Duration::from_hours(24 * 365), lines: 1_000_000 }
    }
}

impl Settings {
    /// Everything as it is if nobody says otherwise: open while empty, a hundred integrations, no endpoint but AWS's.
    pub fn new(
        data_dir: impl Into<PathBuf>,
        worker: WorkerConfig,
        worker_id: impl Into<String>,
        clock: Clock,
        environment: Environment,
    ) -> Self {
        Self {
            data_dir: data_dir.into(),
            worker,
            worker_id: worker_id.into(),
            open: Openness::WhileEmpty,
            integrations_per_organization: 100,
            allowed_endpoints: Vec::new(),
            ours: Err("who Tidegate is to AWS is not configured".to_owned()),
            principal: None,
            keys: KeyRule::default(),
            audit: AuditKeeping::default(),
            logs: crate::Logs::default(),
            clock,
            environment,
        }
    }
}
