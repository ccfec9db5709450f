use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::security::{self, Security};
use super::{Problems, Properties, Warning};
use crate::net::{Sasl, TokenProvider};

/// What a client needs to know to reach a cluster.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// `bootstrap.servers`: where to ask first, each `host:port`.
    pub bootstrap: Vec<Arc<str>>,
    /// `client.id`.
    pub client_id: Arc<str>,
    /// Set for `security.protocol` SSL and SASL_SSL.
    pub tls: Option<Tls>,
    /// Set for `security.protocol` SASL_PLAINTEXT and SASL_SSL.
    pub sasl: Option<Sasl>,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `socket.connection.setup.timeout.ms`: TCP, TLS and SASL together.
    pub connection_setup_timeout: Duration,
    /// `socket.connection.setup.timeout.max.ms`: the patience doubles with each failure, up to this.
    pub connection_setup_timeout_max: Duration,
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
    /// `connections.max.idle.ms`; zero for never.
    pub connections_max_idle: Duration,
}

/// A TLS client that is set up. Cloning shares it.
#[derive(Clone)]
pub struct Tls(pub Arc<rustls::ClientConfig>);

impl Tls {
    /// Whether it has a certificate of its own to show.
    pub fn has_certificate(&self) -> bool {
        self.0.client_auth_cert_resolver.has_certs()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is in there has our private key.
        f.write_str("Tls")
    }
}

/// What a client's properties come to.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What they make.
    pub config: ClientConfig,
    /// Those that change nothing.
    pub warnings: Vec<Warning>,
    /// Those that are not a matter of connections: `group.id`, `fetch.max.bytes`, mistyped ones.
    pub rest: BTreeMap<String, String>,
}

/// Why some properties change nothing.
const KERNEL: &str = "the system sizes socket buffers by itself";
const METRICS: &str = "there is no JMX here; metrics are served for Prometheus";
const REBOOTSTRAP: &str = "the bootstrap servers are asked whenever no known broker answers";

impl ClientConfig {
    /// A plaintext client of these servers, everything else by the Java clients' defaults (Kafka 4.1).
    pub fn plaintext<S: Into<Arc<str>>>(bootstrap: impl IntoIterator<Item = S>) -> Self {
        let nothing = BTreeMap::new();
        let bootstrap = bootstrap.into_iter().map(Into::into).collect();
        Self { bootstrap, ..Self::read(&mut Properties::new(&nothing), None) }
    }

    /// Reads a client's properties, and the files of the key- and truststores that they name, so it blocks for a moment.
    ///
    /// `tokens` is where tokens come from under `sasl.mechanism=AWS_MSK_IAM`.
    pub fn from_properties(
        properties: &BTreeMap<String, String>,
        tokens: Option<Arc<dyn TokenProvider>>,
    ) -> Result<Checked, Problems> {
        let mut properties = Properties::new(properties);
        let config = Self::read(&mut properties, tokens);
        let (warnings, rest) = properties.finish()?;
        Ok(Checked { config, warnings, rest })
    }

    /// Like [`ClientConfig::from_properties`], for who reads further keys from the same properties. The result is of use
    /// only if [`Properties::finish`] finds no fault.
    pub fn read(properties: &mut Properties<'_>, tokens: Option<Arc<dyn TokenProvider>>) -> Self {
        let Security { tls, sasl } = security::read(properties, tokens);
        let config = Self {
            bootstrap: bootstrap(properties),
            client_id: properties.text("client.id").unwrap_or("tidegate").into(),
            tls,
            sasl,
            request_timeout: properties.millis("request.timeout.ms", 30_000, 1),
            connection_setup_timeout: properties.millis("socket.connection.setup.timeout.ms", 10_000, 1),
            connection_setup_timeout_max: properties.millis("socket.connection.setup.timeout.max.ms", 30_000, 1),
            reconnect_backoff: properties.millis("reconnect.backoff.ms", 50, 0),
            reconnect_backoff_max: properties.millis("reconnect.backoff.max.ms", 1000, 0),
            retry_backoff: properties.millis("retry.backoff.ms", 100, 0),
            retry_backoff_max: properties.millis("retry.backoff.max.ms", 1000, 0),
            metadata_max_age: properties.millis("metadata.max.age.ms", 300_000, 0),
            connections_max_idle: idle(properties),
        };
        properties.choice("client.dns.lookup", (), &[("use_all_dns_ips", ())]);
        properties.choice("metadata.recovery.strategy", (), &[("rebootstrap", ()), ("none", ())]);
        properties.ignore("send.buffer.bytes", KERNEL);
        properties.ignore("receive.buffer.bytes", KERNEL);
        properties.ignore("metric.reporters", METRICS);
        properties.ignore("auto.include.jmx.reporter", METRICS);
        properties.ignore_prefix("metrics.", METRICS);
        properties.ignore("enable.metrics.push", "metrics are not pushed to brokers");
        properties.ignore("metadata.recovery.rebootstrap.trigger.ms", REBOOTSTRAP);
        config
    }
}

fn idle(properties: &mut Properties<'_>) -> Duration {
    // Java's -1 means never.
    let millis = properties.number("connections.max.idle.ms", 540_000, -1..=i64::MAX);
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn bootstrap(properties: &mut Properties<'_>) -> Vec<Arc<str>> {
    const KEY: &str = "bootstrap.servers";
    let mut servers = Vec::new();
    let named = properties.list(KEY);
    if named.is_empty() && properties.get(KEY).is_some() {
        properties.problem_with(KEY, "names no server", Some("host:port,host:port".to_owned()));
    }
    for server in named {
        // A listener's name in front is what people copy from advertised.listeners; Java takes it too.
        let address = server.split_once("://").map_or(server, |(_, address)| address);
        let good = address.rsplit_once(':').is_some_and(|(host, port)| {
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if good {
            servers.push(address.into());
        } else {
            properties.problem_with(
                KEY,
                format!("\"{server}\" is not a server"),
                Some("host:port,host:port".to_owned()),
            );
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Checked, Problems> {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ClientConfig::from_properties(&pairs, None)
    }

    #[test]
    fn nothing_set_means_the_java_clients_defaults() {
        let Checked { config, warnings, rest } = read(&[("bootstrap.servers", "a:1, b:2,")]).unwrap();
        assert_eq!(config.bootstrap, ["a:1".into(), "b:2".into()]);
        assert_eq!(config.request_timeout, Duration::from_secs(30));
        assert_eq!(config.connections_max_idle, Duration::from_mins(9));
        assert!(config.tls.is_none() && config.sasl.is_none() && warnings.is_empty() && rest.is_empty());
    }

    #[test]
    fn servers_are_checked() {
        let Checked { config, .. } = read(&[("bootstrap.servers", "PLAINTEXT://a:1,[::1]:9092")]).unwrap();
        assert_eq!(config.bootstrap, ["a:1".into(), "[::1]:9092".into()]);
        for bad in ["a", "a:", ":1", "a:0", "a:65536", "a:b"] {
            let problems = read(&[("bootstrap.servers", bad)]).unwrap_err();
            assert!(problems.to_string().contains("is not a server"), "{bad}: {problems}");
        }
        for none in ["", " , "] {
            let problems = read(&[("bootstrap.servers", none)]).unwrap_err();
            assert!(problems.to_string().contains("names no server"), "{none}: {problems}");
        }
    }

    #[test]
    fn keys_of_others_are_left_to_them_and_keys_without_meaning_are_named() {
        let Checked { warnings, rest, .. } =
            read(&[("group.id", "g"), ("metrics.num.samples", "2"), ("send.buffer.bytes", "1")]).unwrap();
        assert_eq!(rest.keys().collect::<Vec<_>>(), ["group.id"]);
        let mut keys: Vec<_> = warnings.iter().map(|warning| &*warning.key).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["metrics.num.samples", "send.buffer.bytes"]);
    }
}
