use std::time::Duration;

/// What a cache has to say about itself, for metrics and the live status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStats {
    /// What its sessions are for: `role arn:aws:iam::111111111111:role/orders`.
    pub target: String,
    /// How long ago the live session was fetched; `None` if there is none.
    pub age: Option<Duration>,
    /// How long the live session still has; `None` if there is none, or its end is not known.
    pub left: Option<Duration>,
    /// Exchanges that gave a session, the first included.
    pub renewals: u64,
    /// Exchanges that failed.
    pub failures: u64,
    /// Sessions dropped before their end because AWS did not accept them.
    pub drops: u64,
}
