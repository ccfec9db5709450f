use std::time::Duration;

/// What happens to records that cannot be used: `errors.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPolicy {
    /// Whether the connector goes on behind them.
    pub tolerate: bool,
    /// How long a conversion that failed for a passing reason is tried again; `None` for ever.
    pub retry_timeout: Option<Duration>,
    /// The longest pause between two tries.
    pub retry_delay_max: Duration,
    /// Whether each is logged.
    pub log: bool,
    /// Whether such a line says topic, partition, offset and timestamp.
    pub log_records: bool,
    /// Where they go, if anywhere.
    pub dead_letters: Option<DeadLetterQueue>,
}

/// The topic of dead letters: `errors.deadletterqueue.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterQueue {
    /// Its name.
    pub topic: String,
    /// Its replicas if it has to be created; -1 for the broker's default.
    pub replication_factor: i16,
    /// Whether letters carry headers `__connect.errors.*`.
    pub context_headers: bool,
}
