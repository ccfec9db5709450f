//! The settings of the Kafka clients that a connector has.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::Config;
use crate::faults::{ConfigFault, Findings, HIDDEN};
use crate::worker::is_connection_key;

/// Settings of one Kafka client, by the names of the Java clients.
///
/// Some are secrets: `Debug` and [`ClientProperties::shown`] hide those.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientProperties {
    values: BTreeMap<String, String>,
    /// The keys as they were written, where that is with a prefix: `consumer.override.fetch.min.bytes`.
    written: BTreeMap<String, String>,
}

impl ClientProperties {
    /// One setting.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// All of them, secrets included.
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// The key under which a setting was written down, by the worker or the connector: with its prefix, if it has one.
    pub fn written<'a>(&'a self, key: &'a str) -> &'a str {
        self.written.get(key).map_or(key, String::as_str)
    }

    /// All of them, as they may be shown.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), if is_secret(key) { HIDDEN } else { value }))
    }
}

impl fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.shown()).finish()
    }
}

/// The settings that Kafka's clients define as PASSWORD, and whatever else is called like them; those of clients of schema
/// registries that hold a user with a password, or a token.
pub(crate) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    // Certificates are PASSWORD to Kafka because they come with keys; a chain may hold one.
    [
        "password",
        "passphrase",
        "secret",
        "jaas.config",
        "keystore.key",
        "certificate",
        "auth.user.info",
        "bearer.auth.token",
    ]
    .iter()
    .any(|word| key.contains(word))
}

/// The clients of one connector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clients {
    /// The consumer.
    pub consumer: ClientProperties,
    /// The producer of dead letters.
    pub producer: ClientProperties,
    /// The client that creates the dead letters' topic.
    pub admin: ClientProperties,
}

/// What the worker and the connector set together. Later ones win: how the worker reaches the cluster, Connect's
/// defaults, the worker's `consumer.*`, the connector's `consumer.override.*`.
pub(crate) fn clients(name: &str, config: &Config, worker: &Config, found: &mut Findings) -> Clients {
    let client = |kind: &str, defaults: &[(&str, &str)]| {
        let mut properties = ClientProperties::default();
        let mut put = |key: &str, value: &str| properties.values.insert(key.to_owned(), value.to_owned());
        put("bootstrap.servers", "localhost:9092");
        for (key, value) in worker.iter().filter(|(key, _)| is_connection_key(key)) {
            put(key, value);
        }
        for (key, value) in defaults {
            put(key, value);
        }
        for (from, prefix) in [(worker, format!("{kind}.")), (config, format!("{kind}.override."))] {
            for (key, value) in from.with_prefix(&prefix) {
                properties.values.insert(key.to_owned(), value.to_owned());
                properties.written.insert(key.to_owned(), format!("{prefix}{key}"));
            }
        }
        properties
    };
    for kind in ["consumer", "producer", "admin"] {
        obey_policy(kind, config, worker, found);
    }
    let group = format!("connect-{name}");
    let clients = Clients {
        consumer: client(
            "consumer",
            &[
                ("group.id", &group),
                ("auto.offset.reset", "earliest"),
                ("enable.auto.commit", "false"),
                ("client.id", &format!("connector-consumer-{name}")),
            ],
        ),
        // Idempotent and with all acknowledgements: a dead letter is as durable as the commit that passes it.
        producer: client(
            "producer",
            &[
                ("acks", "all"),
                ("enable.idempotence", "true"),
                ("client.id", &format!("connector-dlq-producer-{name}")),
            ],
        ),
        admin: client("admin", &[("client.id", &format!("connector-adminclient-{name}"))]),
    };
    let committed = clients.consumer.get("enable.auto.commit").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    if committed {
        found.warn(
            "consumer.override.enable.auto.commit",
            "has no effect: offsets are committed with the objects they belong to",
        );
    }
    clients
}

fn obey_policy(kind: &str, config: &Config, worker: &Config, found: &mut Findings) {
    let policy = worker.get("connector.client.config.override.policy").map_or("All", str::trim);
    let prefix = format!("{kind}.override.");
    for (key, value) in config.with_prefix(&prefix) {
        let allowed = match policy {
            "None" => false,
            "Principal" => ["sasl.jaas.config", "sasl.mechanism", "security.protocol"].contains(&key),
            _ => true,
        };
        if !allowed {
            let shown = if is_secret(key) { HIDDEN } else { value };
            let text = format!(
                "The '{policy}' policy does not allow '{key}' to be overridden in the connector configuration."
            );
            found.fault(ConfigFault::new(format!("{prefix}{key}"), Some(shown.to_owned()), text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumer(config: &[(&str, &str)], worker: &[(&str, &str)]) -> (ClientProperties, Findings) {
        let mut found = Findings::default();
        let (config, worker) = (config.iter().copied().collect(), worker.iter().copied().collect());
        (clients("orders", &config, &worker, &mut found).consumer, found)
    }

    #[test]
    fn a_connector_overrides_the_worker_which_overrides_connects_defaults() {
        let (consumer, _) = consumer(
            &[("consumer.override.auto.offset.reset", "latest"), ("producer.override.linger.ms", "5")],
            &[
                ("bootstrap.servers", "a:1"),
                ("security.protocol", "SASL_SSL"),
                ("sasl.jaas.config", "secret"),
                ("group.id", "connect-cluster"),
                ("session.timeout.ms", "10000"),
                ("consumer.security.protocol", "SSL"),
                ("consumer.auto.offset.reset", "none"),
            ],
        );
        let shown: Vec<_> = consumer.shown().collect();
        assert_eq!(
            shown,
            [
                ("auto.offset.reset", "latest"),
                ("bootstrap.servers", "a:1"),
                ("client.id", "connector-consumer-orders"),
                ("enable.auto.commit", "false"),
                ("group.id", "connect-orders"),
                ("sasl.jaas.config", "[hidden]"),
                ("security.protocol", "SSL"),
            ]
        );
        assert_eq!(consumer.get("sasl.jaas.config"), Some("secret"));
        assert!(!format!("{consumer:?}").contains("\"secret\""));
    }

    /// The PASSWORD keys of the Java clients (Kafka 4.1), as they come with a prefix too.
    #[test]
    fn passwords_of_kafkas_clients_are_known() {
        for key in [
            "sasl.jaas.config",
            "ssl.key.password",
            "ssl.keystore.certificate.chain",
            "ssl.keystore.key",
            "ssl.keystore.password",
            "ssl.truststore.certificates",
            "ssl.truststore.password",
            "sasl.oauthbearer.client.credentials.client.secret",
            "sasl.oauthbearer.assertion.private.key.passphrase",
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["bootstrap.servers", "sasl.oauthbearer.token.endpoint.url", "ssl.keystore.location", "group.id"] {
            assert!(!is_secret(key), "{key}");
        }
    }

    #[test]
    fn the_workers_policy_limits_overrides() {
        let overrides = [("consumer.override.sasl.mechanism", "PLAIN"), ("consumer.override.fetch.min.bytes", "1")];
        let refused = |policy| {
            let (_, found) = consumer(&overrides, &[("connector.client.config.override.policy", policy)]);
            found.faults.into_iter().map(|fault| fault.key).collect::<Vec<_>>()
        };
        assert_eq!(refused("All"), Vec::<String>::new());
        assert_eq!(refused("Principal"), ["consumer.override.fetch.min.bytes"]);
        assert_eq!(refused("None"), ["consumer.override.fetch.min.bytes", "consumer.override.sasl.mechanism"]);
    }
}
