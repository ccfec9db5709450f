//! Kafka: from the first address to a sample of records, and nothing that a running connector would notice.

mod doors;
mod group;
mod letters;
mod offsets;
mod records;
mod topics;

use std::time::Duration;

use fault::{Diagnose as _, Retry};
use kafka::config::IamLogin;
use kafka::net::Sasl;
use kafka::{ClientConfig, Cluster, cluster, net};
use runtime::KafkaClients;

pub(crate) use self::group::{is_of_another_kind, others};
use crate::check::Area;
use crate::examination::{Examination, Watch};
use crate::kafka_facts::KafkaWay;
use crate::{Check, CheckResult, TargetKind};

/// Patience with one connection, one request, and the retries of one that can be retried.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is asked of brokers at the addresses that they advertise.
const BEHIND_BROKERS: [&Check; 6] =
    [Check::TOPICS_READ, Check::GROUP, Check::GROUP_FREE, Check::OFFSETS, Check::DLQ, Check::CONVERT];

/// A connector's Kafka, examined with the settings of its own clients.
struct Kafka {
    clients: KafkaClients,
    cluster: Option<Cluster>,
}

/// Everything about the connector's Kafka; nothing, where there is no connector.
pub(crate) async fn run(x: &mut Examination<'_>) {
    let Some(plan) = x.target.connector.clone() else {
        if x.target.kind == TargetKind::Connector {
            for check in Check::ALL.iter().filter(|check| check.area == Area::Kafka) {
                x.skip(check, "the connector cannot be read");
            }
        }
        return;
    };
    let clients = match KafkaClients::of(&x.around.clients, &x.around.environment, &plan) {
        Ok(clients) => clients,
        Err(fault) => {
            if x.wants(Check::KAFKA) {
                let watch = Watch::start();
                let text = fault::Chain(fault.as_error()).to_string();
                x.put(watch.failed(Check::KAFKA, text).code(Some(fault.code().to_owned())));
            }
            for check in Check::ALL.iter().filter(|check| check.area == Area::Kafka && **check != Check::KAFKA) {
                x.skip(check, "the settings of the Kafka clients cannot be used");
            }
            return;
        }
    };
    let iam = IamLogin::of(plan.consumer().as_map()).is_some();
    x.facts.kafka.way = way(&clients.consumer, iam);
    let mut kafka = Kafka { clients, cluster: None };
    doors::run(x, &mut kafka).await;
    topics::exist(x, &kafka, plan.topics()).await;
    let brokers = &x.facts.kafka.brokers;
    if !brokers.is_empty() && brokers.iter().all(|door| door.error.is_some()) {
        // Each would only wait for as long as its patience lasts.
        for check in BEHIND_BROKERS {
            let text = "no broker is reached at the address that it advertises";
            x.skip_because(check, Check::ADVERTISED, text);
        }
    } else {
        topics::readable(x, &kafka, &plan).await;
        group::run(x, &kafka).await;
        offsets::run(x, &kafka, &plan).await;
        letters::run(x, &kafka, &plan).await;
        records::run(x, &kafka, &plan).await;
    }
    x.skip(Check::REGISTRY, "no converter of this connector uses a schema registry");
}

fn way(config: &ClientConfig, iam: bool) -> KafkaWay {
    let user = match &config.sasl {
        Some(Sasl::Plain { user, .. } | Sasl::Scram { user, delegation_token: false, .. }) => {
            Some(format!("User:{user}"))
        }
        Some(_) => None,
        // Without a login, and without a certificate that would say it.
        None if config.tls.as_ref().is_some_and(kafka::config::Tls::has_certificate) => None,
        None => Some("User:ANONYMOUS".to_owned()),
    };
    KafkaWay {
        servers: config.bootstrap.iter().map(|address| &**address).collect::<Vec<_>>().join(","),
        tls: config.tls.is_some(),
        certificate: config.tls.as_ref().is_some_and(kafka::config::Tls::has_certificate),
        mechanism: if iam { Some("AWS_MSK_IAM") } else { config.sasl.as_ref().map(Sasl::mechanism) },
        principal: user,
        iam,
    }
}

/// The same client with a patience that nobody minds at a terminal, and with a name of its own in the brokers' logs.
fn bounded(config: &ClientConfig) -> ClientConfig {
    ClientConfig {
        client_id: "tidegate-doctor".into(),
        request_timeout: config.request_timeout.min(PATIENCE),
        connection_setup_timeout: config.connection_setup_timeout.min(PATIENCE),
        connection_setup_timeout_max: config.connection_setup_timeout.min(PATIENCE),
        ..config.clone()
    }
}

/// What a failed connection or request proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// It will fail again.
    Failed,
    /// Nothing: a timeout, or something that passes.
    Nothing,
}

fn proof(error: &net::Error) -> Proof {
    use std::io::ErrorKind::{HostUnreachable, NetworkUnreachable, TimedOut};
    match error {
        net::Error::SetupTimedOut { .. } | net::Error::TimedOut { .. } | net::Error::Closed { .. } => Proof::Nothing,
        // A resolver that cannot be asked says "temporary failure".
        net::Error::Resolve { source, .. } if source.to_string().to_lowercase().contains("temporary") => Proof::Nothing,
        net::Error::Connect { source, .. }
            if matches!(source.kind(), TimedOut | HostUnreachable | NetworkUnreachable) =>
        {
            Proof::Nothing
        }
        net::Error::Disconnected { .. } if error.tls_fault().is_none() => Proof::Nothing,
        // The provider of tokens may only be out of reach.
        net::Error::Authenticate { reason, .. }
            if reason.contains("could not reach") || reason.contains("did not answer") =>
        {
            Proof::Nothing
        }
        _ => Proof::Failed,
    }
}

/// What a request to the cluster came to, if it did not succeed.
fn failed(x: &Examination<'_>, watch: &Watch, check: &'static Check, error: &cluster::Error) -> CheckResult {
    let text = fault::Chain(error).to_string();
    let proven = match error {
        cluster::Error::Net(error) | cluster::Error::NoServer { source: error, .. } => proof(error),
        cluster::Error::Refused { .. } if error.retry() == Retry::Never => Proof::Failed,
        _ => Proof::Nothing,
    };
    let result = match proven {
        Proof::Failed => watch.failed(check, text),
        Proof::Nothing => watch.unproven(check, text),
    };
    let code = error.kafka_code().map_or_else(|| error.code().to_owned(), |code| code.to_string());
    let mut result = result.code(Some(code)).identity(x.facts.kafka.way.principal.clone());
    if matches!(error, cluster::Error::Net(_)) && x.facts.kafka.brokers.iter().any(|door| door.error.is_some()) {
        result.because_of = Some(Check::ADVERTISED.name);
    }
    result
}

/// Some names, and how many more there are.
fn some(names: impl IntoIterator<Item = String>) -> String {
    const SHOWN: usize = 5;
    let names: Vec<_> = names.into_iter().collect();
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}
