//! The settings of a Kafka client, by the names that the Java clients give them.

use std::sync::Arc;
use std::time::Duration;

/// What a client needs to know to reach a cluster. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// `bootstrap.servers`: where to ask first, each `host:port`.
    pub bootstrap: Vec<Arc<str>>,
    /// `client.id`.
    pub client_id: Arc<str>,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `socket.connection.setup.timeout.ms`: TCP, TLS and SASL together.
    pub connection_setup_timeout: Duration,
    /// `reconnect.backoff.ms`: the first pause after a failed connection; it doubles with each further failure.
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`.
    pub reconnect_backoff_max: Duration,
    /// `retry.backoff.ms`: the first pause before a failed request is sent again.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
    /// `metadata.max.age.ms`.
    pub metadata_max_age: Duration,
    /// `connections.max.idle.ms`.
    pub connections_max_idle: Duration,
}

impl ClientConfig {
    /// A plaintext client of these servers, everything else by the Java clients' defaults (Kafka 4.1).
    pub fn plaintext<S: Into<Arc<str>>>(bootstrap: impl IntoIterator<Item = S>) -> Self {
        Self {
            bootstrap: bootstrap.into_iter().map(Into::into).collect(),
            client_id: "tidegate".into(),
            request_timeout: Duration::from_secs(30),
            connection_setup_timeout: Duration::from_secs(10),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            metadata_max_age: Duration::from_secs(300),
            connections_max_idle: Duration::from_secs(540),
        }
    }
}
