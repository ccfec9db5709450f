//! API keys and role bindings.

use std::fmt::Write as _;

use control::{ApiKey, Caller, ControlPlane, IssuedKey, KeyScope, NewBinding};
use serde_json::{Value, json};

use super::ask::{Ask, Reply, as_json, principal};
use super::paging::{Paging, by_age};
use super::trouble::Trouble;

pub(super) async fn list(ask: Ask) -> Result<Reply, Trouble> {
    let all = ask.plane().api_keys(&ask.caller).await?;
    Ok(ask.paging()?.cut(all, |one| by_age(one.created_at, &one.id), as_shown))
}

pub(super) async fn show(ask: Ask) -> Result<Reply, Trouble> {
    Ok(Reply::shown(as_shown(&ask.plane().api_key(&ask.caller, ask.part("id")).await?)))
}

pub(super) async fn create(ask: Ask) -> Result<Reply, Trouble> {
    let owner = match ask.text("owner") {
        Some(text) => principal("owner", text)?,
        None => ask.caller.principal.clone(),
    };
    let scope = match ask.text("cluster") {
        Some(text) => KeyScope::Cluster(text.parse().map_err(|_| Trouble::not_found("cluster", text))?),
        None => KeyScope::Cloud,
    };
    let description = ask.text("description").unwrap_or_default();
    let IssuedKey { key, secret } = ask.plane().create_api_key(&ask.caller, owner, scope, description).await?;
    let location = format!("/v1/keys/{}", key.id);
    let mut shown = as_shown(&key);
    shown["secret"] = json!(secret.expose());
    Ok(Reply::made(shown, location))
}

pub(super) async fn delete(ask: Ask) -> Result<Reply, Trouble> {
    ask.plane().delete_api_key(&ask.caller, ask.part("id")).await?;
    Ok(Reply::done())
}

fn as_shown(key: &ApiKey) -> Value {
    let ApiKey { id, owner, scope, description, created_at } = key;
    let cluster = match scope {
        KeyScope::Cloud => None,
        KeyScope::Cluster(cluster) => Some(cluster),
    };
    json!({
        "id": id, "owner": owner, "cluster": cluster, "description": description, "created_at": created_at,
    })
}

pub(super) async fn role_bindings(ask: Ask) -> Result<Reply, Trouble> {
    let Paging { size, after } = ask.paging()?;
    let pattern = ask.parameter("crn_pattern");
    Ok(Paging::of(&ask.plane().role_bindings(&ask.caller, pattern, after.as_deref(), size).await?, as_json))
}

pub(super) async fn role_binding(ask: Ask) -> Result<Reply, Trouble> {
    Ok(Reply::shown(ask.plane().role_binding(&ask.caller, &ask.id("role binding")?).await?))
}

pub(super) async fn create_role_binding(ask: Ask) -> Result<Reply, Trouble> {
    let pattern = match ask.text("crn_pattern") {
        Some(pattern) => pattern.to_owned(),
        None => resource_name(&ask, ask.plane(), &ask.caller).await?,
    };
    let new = NewBinding {
        principal: principal("principal", ask.needed("principal"))?.to_string(),
        role: ask.needed("role").to_owned(),
        crn_pattern: pattern,
    };
    let made = ask.plane().create_role_binding(&ask.caller, new).await?;
    let location = format!("/v1/role-bindings/{}", made.id);
    Ok(Reply::made(made, location))
}

/// The resource name of what `environment`, `cluster`, `connector` and `integration` name: the whole organization without
/// them.
async fn resource_name(ask: &Ask, plane: &ControlPlane, caller: &Caller) -> Result<String, Trouble> {
    let organization = plane.organization(caller).await?;
    let mut name = format!("crn://confluent.cloud/organization={}", organization.id);
    let [cluster, connector, integration] = ["cluster", "connector", "integration"].map(|key| ask.text(key));
    let environment = match (ask.text("environment"), cluster) {
        (Some(environment), _) => Some(environment.to_owned()),
        (None, Some(text)) => {
            let id = text.parse().map_err(|_| Trouble::not_found("cluster", text))?;
            Some(plane.cluster(caller, &id).await?.environment.to_string())
        }
        (None, None) => None,
    };
    let wants = |key, what: &str| Err(Trouble::flaw(key, None, format!("needs {what} beside it")));
    match &environment {
        Some(environment) => write!(name, "/environment={environment}").expect("writing to a String does not fail"),
        None if integration.is_some() => return wants("integration", "environment"),
        None => {}
    }
    match (cluster, connector, integration) {
        (None, Some(_), _) => return wants("connector", "cluster"),
        (Some(_), _, Some(_)) => return wants("integration", "environment, and no cluster"),
        (Some(cluster), connector, None) => {
            write!(name, "/cloud-cluster={cluster}").expect("writing to a String does not fail");
            if let Some(connector) = connector {
                write!(name, "/connector={connector}").expect("writing to a String does not fail");
            }
        }
        (None, None, Some(integration)) => {
            write!(name, "/provider-integration={integration}").expect("writing to a String does not fail");
        }
        (None, None, None) => {}
    }
    Ok(name)
}

pub(super) async fn delete_role_binding(ask: Ask) -> Result<Reply, Trouble> {
    ask.plane().delete_role_binding(&ask.caller, &ask.id("role binding")?).await?;
    Ok(Reply::done())
}
