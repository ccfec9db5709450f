//! Names of things as Confluent's API writes them.

use control::{ClusterId, EnvironmentId};
use serde_json::{Value, json};

use super::ask::Ask;
use super::body::Body;
use super::problem::{Problem, not_found};

/// The beginning of every resource name in an organization.
pub(super) async fn organization(ask: &Ask) -> Result<String, Problem> {
    let organization = ask.plane.organization(&ask.caller).await?;
    Ok(format!("crn://confluent.cloud/organization={}", organization.id))
}

/// An environment as a text names it. A text that can name none names one that is not there.
pub(super) fn environment(text: &str) -> Result<EnvironmentId, Problem> {
    text.parse().map_err(|_| not_found("environment", text))
}

/// The same for a cluster.
pub(super) fn cluster(text: &str) -> Result<ClusterId, Problem> {
    text.parse().map_err(|_| not_found("cluster", text))
}

/// The environment in the query, which must be there.
pub(super) fn queried_environment(ask: &Ask) -> Result<EnvironmentId, Problem> {
    environment(ask.target.query("environment").ok_or_else(|| Problem::parameter("environment", "must be given"))?)
}

/// The environment in a body, which must be there.
pub(super) fn body_environment(body: &Body) -> Result<EnvironmentId, Problem> {
    environment(body.needed("/environment/id")?)
}

/// A reference to an environment.
pub(super) fn environment_reference(ask: &Ask, organization: &str, id: &str) -> Value {
    json!({
        "id": id,
        "related": format!("{}/org/v2/environments/{id}", ask.target.root()),
        "resource_name": format!("{organization}/environment={id}"),
    })
}
