//! Integrations.

use control::{Integration, IntegrationId, IntegrationUse, NewTrust, Verdict};
use iam::generate::{Form, Subject, render};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::ask::{Ask, Reply, as_json};
use super::paging::Paging;
use super::trouble::Trouble;

pub(super) async fn list(ask: Ask) -> Result<Reply, Trouble> {
    let environment = ask.environment().await?;
    let Paging { size, after } = ask.paging()?;
    let page = ask.plane().integrations(&ask.caller, &environment, after.as_deref(), size).await?;
    let now = ask.now();
    Ok(Paging::of(&page, |one| as_shown(one, now)))
}

pub(super) async fn show(ask: Ask) -> Result<Reply, Trouble> {
    let one = one(&ask).await?;
    Ok(shown(&ask, &one))
}

pub(super) async fn create(ask: Ask) -> Result<Reply, Trouble> {
    let new = NewTrust {
        environment: ask.environment().await?,
        display_name: ask.needed("display_name").to_owned(),
        role: ask.text("role").map(ToOwned::to_owned),
    };
    let made = ask.plane().create_integration(&ask.caller, new).await?;
    let Integration { id, environment, .. } = &made.integration;
    let location = format!("/v1/integrations/{id}?environment={environment}");
    Ok(Reply::made(as_shown(&made, ask.now()), location))
}

pub(super) async fn delete(ask: Ask) -> Result<Reply, Trouble> {
    let environment = ask.environment().await?;
    ask.plane().delete_integration(&ask.caller, &environment, &id(&ask)?).await?;
    Ok(Reply::done())
}

pub(super) async fn set_role(ask: Ask) -> Result<Reply, Trouble> {
    let environment = ask.environment().await?;
    let changed = ask.plane().set_integration_role(&ask.caller, &environment, &id(&ask)?, ask.needed("role")).await?;
    Ok(shown(&ask, &changed))
}

pub(super) async fn verify(ask: Ask) -> Result<Reply, Trouble> {
    let environment = ask.environment().await?;
    let (found, proof) = ask.plane().verify_integration(&ask.caller, &environment, &id(&ask)?, None).await?;
    let now = ask.now();
    let mend = proof.as_ref().is_some_and(|proof| matches!(proof.verdict, Verdict::Open | Verdict::Denied));
    let policy = mend.then(|| found.integration.trust_policy(now));
    Ok(Reply::shown(json!({ "integration": as_shown(&found, now), "proof": proof, "trust_policy": policy })))
}

pub(super) async fn rotate(ask: Ask) -> Result<Reply, Trouble> {
    turn(ask, false).await
}

pub(super) async fn finish(ask: Ask) -> Result<Reply, Trouble> {
    turn(ask, true).await
}

async fn turn(ask: Ask, finish: bool) -> Result<Reply, Trouble> {
    let environment = ask.environment().await?;
    let changed = ask.plane().rotate_integration(&ask.caller, &environment, &id(&ask)?, finish).await?;
    Ok(shown(&ask, &changed))
}

pub(super) async fn policy(ask: Ask) -> Result<Reply, Trouble> {
    let IntegrationUse { integration, .. } = one(&ask).await?;
    let trust = integration.trust_policy(ask.now());
    let asked = ask.parameter("role_name").unwrap_or("tidegate");
    let subject = match integration.role.as_ref().and_then(iam::Arn::role_name) {
        Some(role) => Subject::RoleTrust { role, trust: &trust },
        None => Subject::Role { role: asked, trust: &trust, permission: None },
    };
    let (form, kind) = match ask.parameter("format") {
        Some("terraform") => (Form::Terraform, "text/plain; charset=utf-8"),
        Some("cloudformation") => (Form::CloudFormation, "text/plain; charset=utf-8"),
        Some("cli") => (Form::AwsCli, "text/plain; charset=utf-8"),
        _ => (Form::Json, "application/json"),
    };
    let text = render(subject, form);
    let text = text.map_err(|error| Trouble::flaw("role_name", Some(asked), error.to_string()))?;
    Ok(Reply::text(kind, text))
}

async fn one(ask: &Ask) -> Result<IntegrationUse, Trouble> {
    let environment = ask.environment().await?;
    Ok(ask.plane().integration(&ask.caller, &environment, &id(ask)?).await?)
}

fn id(ask: &Ask) -> Result<IntegrationId, Trouble> {
    ask.id("integration")
}

fn shown(ask: &Ask, one: &IntegrationUse) -> Reply {
    Reply::shown(as_shown(one, ask.now()))
}

fn as_shown(one: &IntegrationUse, now: Timestamp) -> Value {
    let mut value = as_json(&one.integration);
    // What to hand on, without having to know how rotation works.
    value["external_id"] = json!(one.integration.live_ids(now).next().map(|issued| &issued.value));
    value["usages"] = json!(one.usages);
    value
}
