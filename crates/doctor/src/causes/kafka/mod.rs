//! Kafka: the way in, what one may do there, and what is there.

mod login;
mod reach;
mod rights;
mod state;
mod tls;

use kafka::config::IamLogin;

use super::Case;
use super::shell::word;
use crate::{Cause, Paste, Remedy};

pub(super) static CAUSES: &[&[&Cause]] = &[reach::CAUSES, tls::CAUSES, login::CAUSES, rights::CAUSES, state::CAUSES];

pub(super) fn explain(case: &mut Case<'_>) {
    if case.target.connector.is_none() {
        return;
    }
    reach::explain(case);
    rights::explain(case);
    state::explain(case);
}

/// Who we are to the brokers, as far as that can be told.
fn principal<'a>(case: &Case<'a>) -> &'a str {
    case.facts.kafka.way.principal.as_deref().unwrap_or("User:WHO-THE-BROKERS-LOG-SAYS")
}

/// The remedy for a right that is missing: an ACL, or on MSK with IAM a statement of a policy.
fn grant(case: &Case<'_>, operations: &[&str], resource: &str) -> Remedy {
    if case.facts.kafka.way.iam {
        return iam_policy(case);
    }
    let operations: Vec<_> = operations.iter().map(|operation| format!("--operation {operation}")).collect();
    let operations = operations.join(" ");
    let command = format!(
        "kafka-acls.sh --bootstrap-server {} --command-config admin.properties --add \\\n  --allow-principal {} {operations} {resource}",
        word(&case.facts.kafka.way.servers),
        word(principal(case))
    );
    Remedy::paste("give this client the right, as who administers the cluster", Paste::Command(command))
}

/// Everything that the connector needs of its MSK cluster.
fn iam_policy(case: &Case<'_>) -> Remedy {
    let action = "attach this policy to the role (or user) that the Kafka connection acts as";
    let plan = case.target.connector.as_ref().filter(|plan| IamLogin::of(plan.consumer().as_map()).is_some());
    let arn = plan.and_then(|_| cluster_arn(case));
    let policy = plan.zip(arn).and_then(|(plan, arn)| iam::generate::permission_policy(&plan.kafka_needs(&arn)).ok());
    match policy {
        Some(policy) => Remedy::paste(action, Paste::PermissionPolicy(format!("{policy:#}"))),
        None => Remedy::to(
            "attach the policy that `tidegate policy generate --connector FILE --msk-cluster ARN` prints to the \
             role (or user) that the Kafka connection acts as",
        ),
    }
}

/// The cluster's ARN from a broker's name, `b-1.orders.a1b2c3.c2.kafka.eu-central-1.amazonaws.com:9098`, and the account
/// that we act in. Its last part is not in the name.
fn cluster_arn(case: &Case<'_>) -> Option<iam::Arn> {
    let server = case.facts.kafka.way.servers.split(',').next()?;
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    let labels: Vec<_> = host.split('.').collect();
    let at = labels.iter().position(|label| *label == "kafka")?;
    let (cluster, region) = (labels.get(1).filter(|_| at >= 4)?, labels.get(at + 1)?);
    let spec = case.target.connector.as_ref()?.kafka_connection()?;
    let role = spec.bind("tidegate-doctor", identity::Purpose::Kafka);
    let account = role.last_role()?.account()?;
    let partition = iam::Partition::of_region(region).name();
    format!("arn:{partition}:kafka:{region}:{account}:cluster/{cluster}/*").parse().ok()
}
