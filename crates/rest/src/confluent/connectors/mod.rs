//! `/connect/v1/environments/{env}/clusters/{lkc}`: managed connectors.

mod config;
mod offsets;
mod plugins;
mod show;

use std::collections::BTreeSet;

use axum::routing::MethodFilter;
use control::{ClusterId, ConnectorView, NewConnector, Restart, Target};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Outcome};
use super::ask::Ask;
use super::names;
use super::problem::{Problem, not_found};
use super::routes::Routes;
use config::sent;
use show::{connector, expanded, status, tasks};

/// Where all of it is.
const C: &str = "/connect/v1/environments/{env}/clusters/{lkc}";

pub(super) fn routes(routes: Routes) -> Routes {
    const GET: MethodFilter = MethodFilter::GET;
    const POST: MethodFilter = MethodFilter::POST;
    const PUT: MethodFilter = MethodFilter::PUT;
    let at = |path: &str| format!("{C}{path}");
    routes
        .on(GET, &at("/connectors"), list)
        .on(POST, &at("/connectors"), create)
        .on(GET, &at("/connectors/{name}"), read)
        .on(MethodFilter::DELETE, &at("/connectors/{name}"), delete)
        .on(GET, &at("/connectors/{name}/config"), read_config)
        .on(PUT, &at("/connectors/{name}/config"), put_config)
        .on(GET, &at("/connectors/{name}/status"), read_status)
        .on(GET, &at("/connectors/{name}/tasks"), read_tasks)
        .on(PUT, &at("/connectors/{name}/pause"), |ask| set_target(ask, Target::Paused))
        .on(PUT, &at("/connectors/{name}/resume"), |ask| set_target(ask, Target::Running))
        .on(POST, &at("/connectors/{name}/restart"), restart)
        .on(GET, &at("/connectors/{name}/offsets"), offsets::read)
        .on(POST, &at("/connectors/{name}/offsets/request"), offsets::request)
        .on(GET, &at("/connectors/{name}/offsets/request/status"), offsets::progress)
        .on(GET, &at("/connector-plugins"), plugins::list)
        .on(PUT, &at("/connector-plugins/{class}/config/validate"), plugins::validate)
}

/// The cluster of the path. One that is in another environment than the path says is not there.
async fn cluster(ask: &Ask) -> Result<ClusterId, Problem> {
    let absent = || not_found("cluster", ask.param("lkc"));
    let id: ClusterId = names::cluster(ask.param("lkc"))?;
    let cluster = ask.plane.cluster(&ask.caller, &id).await?;
    if cluster.environment.as_str() != ask.param("env") {
        return Err(absent());
    }
    Ok(id)
}

async fn view(ask: &Ask) -> Result<ConnectorView, Problem> {
    Ok(ask.plane.connector(&ask.caller, &cluster(ask).await?, ask.param("name")).await?)
}

/// The names, or with `expand` all about them.
async fn list(ask: Ask) -> Outcome {
    let cluster = cluster(&ask).await?;
    let views = ask.plane.connectors(&ask.caller, &cluster).await?;
    // The SDK sends its default beside what its user wants, each as a list with commas: all of it counts.
    let wanted: BTreeSet<&str> = ask.target.all("expand").flat_map(|value| value.split(',')).map(str::trim).collect();
    if ask.target.all("expand").next().is_none() {
        return Ok(Answer::ok(views.iter().map(|view| json!(view.name)).collect()));
    }
    let now = ask.now();
    let all: Map<String, Value> = views.iter().map(|view| (view.name.clone(), expanded(view, &wanted, now))).collect();
    Ok(Answer::ok(Value::Object(all)))
}

async fn create(ask: Ask) -> Outcome {
    let cluster = cluster(&ask).await?;
    let body = ask.body()?;
    let name = sent(body.needed("/name"))?.to_owned();
    let config = body.config(Some("/config"))?;
    let offsets = offsets::from_body(&body)?;
    let new = NewConnector { name, config, target: Target::Running, offsets: offsets.clone() };
    let made = ask.plane.create_connector(&ask.caller, &cluster, new).await?;
    let mut shown = connector(&made);
    if !offsets.is_empty() {
        shown["offsets"] = offsets::shown(&offsets);
    }
    Ok(Answer::created(shown))
}

async fn read(ask: Ask) -> Outcome {
    Ok(Answer::ok(connector(&view(&ask).await?)))
}

async fn read_config(ask: Ask) -> Outcome {
    Ok(Answer::ok(json!(view(&ask).await?.config)))
}

/// Replaces the configuration, or makes the connector; the answer does not tell which.
async fn put_config(ask: Ask) -> Outcome {
    let cluster = cluster(&ask).await?;
    let config = ask.body()?.config(None)?;
    let (view, _) = ask.plane.put_config(&ask.caller, &cluster, ask.param("name"), config, None).await?;
    Ok(Answer::ok(connector(&view)))
}

async fn delete(ask: Ask) -> Outcome {
    let cluster = cluster(&ask).await?;
    ask.plane.delete_connector(&ask.caller, &cluster, ask.param("name"), None).await?;
    Ok(Answer::ok(json!({ "error": null })))
}

async fn read_status(ask: Ask) -> Outcome {
    Ok(Answer::ok(status(&view(&ask).await?, ask.now())))
}

async fn read_tasks(ask: Ask) -> Outcome {
    Ok(Answer::ok(tasks(&view(&ask).await?)))
}

async fn set_target(ask: Ask, target: Target) -> Outcome {
    let cluster = cluster(&ask).await?;
    ask.plane.set_target(&ask.caller, &cluster, ask.param("name"), target).await?;
    Ok(Answer::accepted(None))
}

async fn restart(ask: Ask) -> Outcome {
    let cluster = cluster(&ask).await?;
    let what = Restart { include_tasks: true, only_failed: false };
    ask.plane.restart(&ask.caller, &cluster, ask.param("name"), what).await?;
    Ok(Answer::accepted(None))
}
