//! Organization, environments, clusters.

use std::collections::BTreeMap;

use control::NewCluster;
use serde_json::{Value, json};

use super::ask::{Ask, Reply, as_json, segment};
use super::paging::by_age;
use super::trouble::Trouble;

#[expect(clippy::unnecessary_wraps, reason = "a handler's shape")]
pub(super) fn caller(ask: &Ask) -> Result<Reply, Trouble> {
    Ok(Reply::shown(json!({ "principal": ask.caller.principal, "cluster": ask.caller.only_cluster })))
}

pub(super) async fn organization(ask: Ask) -> Result<Reply, Trouble> {
    Ok(Reply::shown(ask.plane().organization(&ask.caller).await?))
}

pub(super) async fn environments(ask: Ask) -> Result<Reply, Trouble> {
    let all = ask.plane().environments(&ask.caller).await?;
    Ok(ask.paging()?.cut(all, |one| by_age(one.created_at, one.id.as_str()), as_json))
}

pub(super) async fn environment(ask: Ask) -> Result<Reply, Trouble> {
    let one = ask.plane().environment(&ask.caller, &ask.id("environment")?).await?;
    let revision = one.revision;
    Ok(Reply::shown(one).at(revision))
}

pub(super) async fn create_environment(ask: Ask) -> Result<Reply, Trouble> {
    let made = ask.plane().create_environment(&ask.caller, ask.needed("display_name")).await?;
    let (revision, location) = (made.revision, format!("/v1/environments/{}", made.id));
    Ok(Reply::made(made, location).at(revision))
}

pub(super) async fn delete_environment(ask: Ask) -> Result<Reply, Trouble> {
    ask.plane().delete_environment(&ask.caller, &ask.id("environment")?).await?;
    Ok(Reply::done())
}

pub(super) async fn clusters(ask: Ask) -> Result<Reply, Trouble> {
    let environment = ask.environment().await?;
    let all = ask.plane().clusters(&ask.caller, &environment).await?;
    Ok(ask.paging()?.cut(all, |one| by_age(one.created_at, one.id.as_str()), as_json))
}

pub(super) async fn cluster(ask: Ask) -> Result<Reply, Trouble> {
    let one = ask.plane().cluster(&ask.caller, &ask.id("cluster")?).await?;
    let revision = one.revision;
    Ok(Reply::shown(one).at(revision))
}

pub(super) async fn create_cluster(ask: Ask) -> Result<Reply, Trouble> {
    let new = NewCluster {
        environment: ask.environment().await?,
        display_name: ask.needed("display_name").to_owned(),
        config: config(&ask.body["config"]),
    };
    let made = ask.plane().create_cluster(&ask.caller, new).await?;
    let (revision, location) = (made.revision, format!("/v1/clusters/{}", segment(made.id.as_str())));
    Ok(Reply::made(made, location).at(revision))
}

pub(super) async fn delete_cluster(ask: Ask) -> Result<Reply, Trouble> {
    ask.plane().delete_cluster(&ask.caller, &ask.id("cluster")?).await?;
    Ok(Reply::done())
}

/// A configuration that was checked: numbers, `true` and `false` become their text.
pub(super) fn config(value: &Value) -> BTreeMap<String, String> {
    let object = value.as_object().into_iter().flatten();
    object.filter_map(|(key, value)| Some((key.clone(), as_text(value)?))).collect()
}

/// The text of one value; `None` is null.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
