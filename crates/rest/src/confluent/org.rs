//! `/org/v2` and `/cmk/v2`: the organization, its environments, and their clusters.

use axum::routing::MethodFilter;
use control::{Cluster, Environment, Organization};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Answer, Outcome};
use super::ask::Ask;
use super::names::{self, environment_reference, queried_environment};
use super::paging::List;
use super::problem::{Problem, not_found};
use super::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    const GET: MethodFilter = MethodFilter::GET;
    routes
        .on(GET, "/org/v2/organizations", organizations)
        .on(GET, "/org/v2/organizations/{id}", organization)
        .on(GET, "/org/v2/environments", environments)
        .on(MethodFilter::POST, "/org/v2/environments", create_environment)
        .on(GET, "/org/v2/environments/{id}", environment)
        .on(MethodFilter::PATCH, "/org/v2/environments/{id}", rename_environment)
        .on(MethodFilter::DELETE, "/org/v2/environments/{id}", delete_environment)
        .on(GET, "/cmk/v2/clusters", clusters)
        .on(GET, "/cmk/v2/clusters/{id}", cluster)
}

async fn organizations(ask: Ask) -> Outcome {
    let one = ask.plane.organization(&ask.caller).await?;
    let list = List { api_version: "org/v2", kind: "OrganizationList" };
    let place = |one: &Organization| (Timestamp::UNIX_EPOCH, one.id.clone());
    Ok(Answer::ok(list.page(&ask.target, vec![one], place, |one| shown_organization(&ask, one))?))
}

async fn organization(ask: Ask) -> Outcome {
    let one = ask.plane.organization(&ask.caller).await?;
    if one.id != ask.param("id") {
        return Err(not_found("organization", ask.param("id")));
    }
    Ok(Answer::ok(shown_organization(&ask, &one)))
}

fn shown_organization(ask: &Ask, one: &Organization) -> Value {
    json!({
        "api_version": "org/v2",
        "kind": "Organization",
        "id": one.id,
        "display_name": one.display_name,
        "jit_enabled": false,
        "metadata": {
            "self": format!("{}/org/v2/organizations/{}", ask.target.root(), one.id),
            "resource_name": format!("crn://confluent.cloud/organization={}", one.id),
        },
    })
}

async fn environments(ask: Ask) -> Outcome {
    let organization = names::organization(&ask).await?;
    let mut all = ask.plane.environments(&ask.caller).await?;
    if let Some(name) = ask.target.query("display_name") {
        all.retain(|environment| environment.display_name == name);
    }
    let list = List { api_version: "org/v2", kind: "EnvironmentList" };
    let place = |environment: &Environment| (environment.created_at, environment.id.to_string());
    let show = |environment: &Environment| shown_environment(&ask, &organization, environment);
    Ok(Answer::ok(list.page(&ask.target, all, place, show)?))
}

async fn environment(ask: Ask) -> Outcome {
    let found = ask.plane.environment(&ask.caller, &names::environment(ask.param("id"))?).await?;
    Ok(Answer::ok(shown_environment(&ask, &names::organization(&ask).await?, &found)))
}

async fn create_environment(ask: Ask) -> Outcome {
    let body = ask.body()?;
    let made = ask.plane.create_environment(&ask.caller, body.needed("/display_name")?).await?;
    let shown = shown_environment(&ask, &names::organization(&ask).await?, &made);
    Ok(Answer::created(shown).at(format!("/org/v2/environments/{}", made.id)))
}

async fn rename_environment(ask: Ask) -> Outcome {
    let body = ask.body()?;
    let id = names::environment(ask.param("id"))?;
    let renamed = ask.plane.rename_environment(&ask.caller, &id, body.needed("/display_name")?).await?;
    Ok(Answer::ok(shown_environment(&ask, &names::organization(&ask).await?, &renamed)))
}

async fn delete_environment(ask: Ask) -> Outcome {
    ask.plane.delete_environment(&ask.caller, &names::environment(ask.param("id"))?).await?;
    Ok(Answer::no_content())
}

fn shown_environment(ask: &Ask, organization: &str, environment: &Environment) -> Value {
    json!({
        "api_version": "org/v2",
        "kind": "Environment",
        "id": environment.id,
        "display_name": environment.display_name,
        "metadata": {
            "self": format!("{}/org/v2/environments/{}", ask.target.root(), environment.id),
            "resource_name": format!("{organization}/environment={}", environment.id),
            "created_at": environment.created_at,
            "updated_at": environment.created_at,
        },
        // There is no such thing here; the clients read it all the same.
        "stream_governance_config": { "package": "ESSENTIALS" },
    })
}

async fn clusters(ask: Ask) -> Outcome {
    let environment = queried_environment(&ask)?;
    let organization = names::organization(&ask).await?;
    let mut all = ask.plane.clusters(&ask.caller, &environment).await?;
    if let Some(name) = ask.target.query("spec.display_name") {
        all.retain(|cluster| cluster.display_name == name);
    }
    let list = List { api_version: "cmk/v2", kind: "ClusterList" };
    let place = |cluster: &Cluster| (cluster.created_at, cluster.id.to_string());
    let show = |cluster: &Cluster| shown_cluster(&ask, &organization, cluster);
    Ok(Answer::ok(list.page(&ask.target, all, place, show)?))
}

async fn cluster(ask: Ask) -> Outcome {
    let environment = ask.target.query("environment").ok_or_else(|| Problem::parameter("environment", "must be given"));
    let environment = environment?;
    let found = ask.plane.cluster(&ask.caller, &names::cluster(ask.param("id"))?).await?;
    if found.environment.as_str() != environment {
        return Err(not_found("cluster", ask.param("id")));
    }
    Ok(Answer::ok(shown_cluster(&ask, &names::organization(&ask).await?, &found)))
}

fn shown_cluster(ask: &Ask, organization: &str, cluster: &Cluster) -> Value {
    let config = |key: &str| cluster.config.get(key).map(String::as_str);
    let protocol = config("security.protocol").unwrap_or("PLAINTEXT");
    let servers = config("bootstrap.servers").unwrap_or_default();
    let first = servers.split(',').next().unwrap_or_default().trim();
    let crn = format!("{organization}/environment={}/cloud-cluster={}", cluster.environment, cluster.id);
    json!({
        "api_version": "cmk/v2",
        "kind": "Cluster",
        "id": cluster.id,
        "metadata": {
            "self": format!("{}/cmk/v2/clusters/{}", ask.target.root(), cluster.id),
            "resource_name": crn,
            "created_at": cluster.created_at,
            "updated_at": cluster.created_at,
        },
        "spec": {
            "display_name": cluster.display_name,
            "availability": "SINGLE_ZONE",
            "cloud": "AWS",
            // Where a cluster is that is not ours is not known.
            "region": "",
            // The kinds are Confluent's; a connector can have roles of its own on this one and better.
            "config": { "kind": "Standard" },
            "kafka_bootstrap_endpoint": format!("{protocol}://{first}"),
            // Kafka's own REST API is not served. The CLI wants an address all the same: here it hears that, as 404.
            "http_endpoint": ask.target.root().trim_end_matches("/api"),
            "api_endpoint": "",
            "environment": environment_reference(ask, organization, cluster.environment.as_str()),
        },
        "status": { "phase": "PROVISIONED" },
    })
}
