//! Connectors.

use std::collections::BTreeMap;

use connectors::KeyReport;
use control::{ConnectorView, NewConnector, PartitionOffset, Restart, Target};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::ask::{Ask, Reply, as_json, segment};
use super::places::{as_text, config};
use super::trouble::{Flaw, Trouble};

pub(super) async fn list(ask: Ask) -> Result<Reply, Trouble> {
    let all = ask.plane().connectors(&ask.caller, &ask.cluster().await?).await?;
    Ok(ask.paging()?.cut(all, |one| one.name.clone(), as_json))
}

pub(super) async fn show(ask: Ask) -> Result<Reply, Trouble> {
    Ok(shown(ask.plane().connector(&ask.caller, &ask.cluster().await?, ask.part("name")).await?))
}

pub(super) async fn create(ask: Ask) -> Result<Reply, Trouble> {
    let new = NewConnector {
        name: ask.needed("name").to_owned(),
        config: config(&ask.body["config"]),
        target: target(ask.text("target")),
        offsets: offsets_of(&ask.body["offsets"]),
    };
    let made = ask.plane().create_connector(&ask.caller, &ask.cluster().await?, new).await?;
    let (revision, location) = (made.revision, location(&made));
    Ok(Reply::made(made, location).at(revision))
}

pub(super) async fn validate(ask: Ask) -> Result<Reply, Trouble> {
    let found = ask.plane().validate(&ask.caller, &ask.cluster().await?, config(&ask.body)).await?;
    let faults: Vec<Value> = found.keys.iter().flat_map(faults).collect();
    Ok(Reply::shown(json!({ "class": found.class, "error_count": found.error_count, "faults": faults })))
}

fn faults(key: &KeyReport) -> impl Iterator<Item = Value> {
    key.errors.iter().map(|text| {
        let mut flaw = Flaw::new(&key.name, key.value.clone(), text.clone());
        flaw.allowed.clone_from(&key.recommended);
        flaw.to_json()
    })
}

pub(super) async fn put_config(ask: Ask) -> Result<Reply, Trouble> {
    let (cluster, name) = (ask.cluster().await?, ask.part("name"));
    let put = ask.plane().put_config(&ask.caller, &cluster, name, config(&ask.body), ask.expected).await?;
    match put {
        (view, true) => {
            let (revision, location) = (view.revision, location(&view));
            Ok(Reply::made(view, location).at(revision))
        }
        (view, false) => Ok(shown(view)),
    }
}

pub(super) async fn patch_config(ask: Ask) -> Result<Reply, Trouble> {
    let (cluster, name) = (ask.cluster().await?, ask.part("name"));
    let patch: BTreeMap<String, Option<String>> =
        ask.body.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), as_text(value))).collect();
    Ok(shown(ask.plane().patch_config(&ask.caller, &cluster, name, patch, ask.expected).await?))
}

pub(super) async fn delete(ask: Ask) -> Result<Reply, Trouble> {
    let (cluster, name) = (ask.cluster().await?, ask.part("name"));
    ask.plane().delete_connector(&ask.caller, &cluster, name, ask.expected).await?;
    Ok(Reply::done())
}

pub(super) async fn status(ask: Ask) -> Result<Reply, Trouble> {
    let view = ask.plane().connector(&ask.caller, &ask.cluster().await?, ask.part("name")).await?;
    let running = ask.plane().supervisor().running(&view.id);
    let mut shown = ask.state.rates.show(&view.id, running.as_deref());
    shown["name"] = json!(view.name);
    shown["target"] = json!(view.target);
    shown["status"] = as_json(&view.status);
    Ok(Reply::shown(shown).at(view.revision))
}

pub(super) async fn pause(ask: Ask) -> Result<Reply, Trouble> {
    set_target(ask, Target::Paused).await
}

pub(super) async fn resume(ask: Ask) -> Result<Reply, Trouble> {
    set_target(ask, Target::Running).await
}

pub(super) async fn stop(ask: Ask) -> Result<Reply, Trouble> {
    set_target(ask, Target::Stopped).await
}

async fn set_target(ask: Ask, target: Target) -> Result<Reply, Trouble> {
    let (cluster, name) = (ask.cluster().await?, ask.part("name"));
    Ok(shown(ask.plane().set_target(&ask.caller, &cluster, name, target).await?))
}

pub(super) async fn restart(ask: Ask) -> Result<Reply, Trouble> {
    let (cluster, name) = (ask.cluster().await?, ask.part("name"));
    let what = Restart {
        // A person who says restart means all of it; Connect's own default is for machines.
        include_tasks: ask.parameter("include_tasks") != Some("false"),
        only_failed: ask.parameter("only_failed") == Some("true"),
    };
    Ok(shown(ask.plane().restart(&ask.caller, &cluster, name, what).await?))
}

pub(super) async fn offsets(ask: Ask) -> Result<Reply, Trouble> {
    let (cluster, name) = (ask.cluster().await?, ask.part("name"));
    let offsets = ask.plane().offsets(&ask.caller, &cluster, name).await?;
    Ok(Reply::shown(json!({ "offsets": offsets })))
}

pub(super) async fn alter_offsets(ask: Ask) -> Result<Reply, Trouble> {
    let (cluster, name) = (ask.cluster().await?, ask.part("name"));
    let wanted = offsets_of(&ask.body["offsets"]);
    ask.plane().alter_offsets(&ask.caller, &cluster, name, wanted).await?;
    let offsets = ask.plane().offsets(&ask.caller, &cluster, name).await?;
    Ok(Reply::shown(json!({ "offsets": offsets })))
}

pub(super) async fn reset_offsets(ask: Ask) -> Result<Reply, Trouble> {
    let (cluster, name) = (ask.cluster().await?, ask.part("name"));
    ask.plane().reset_offsets(&ask.caller, &cluster, name).await?;
    Ok(Reply::done())
}

pub(super) async fn logs(ask: Ask) -> Result<Reply, Trouble> {
    let (cluster, name) = (ask.cluster().await?, ask.part("name"));
    let mut lines = ask.plane().connector_logs(&ask.caller, &cluster, name).await?;
    if let Some(since) = ask.parameter("since").and_then(|text| text.parse::<Timestamp>().ok()) {
        lines.retain(|line| line.at > since);
    }
    Ok(Reply::shown(json!({ "lines": lines })))
}

pub(super) async fn topics(ask: Ask) -> Result<Reply, Trouble> {
    let (cluster, name) = (ask.cluster().await?, ask.part("name"));
    let topics = ask.plane().active_topics(&ask.caller, &cluster, name).await?;
    Ok(Reply::shown(json!({ "topics": topics })))
}

pub(super) async fn reset_topics(ask: Ask) -> Result<Reply, Trouble> {
    let (cluster, name) = (ask.cluster().await?, ask.part("name"));
    ask.plane().reset_active_topics(&ask.caller, &cluster, name).await?;
    Ok(Reply::done())
}

fn shown(view: ConnectorView) -> Reply {
    let revision = view.revision;
    Reply::shown(view).at(revision)
}

fn location(view: &ConnectorView) -> String {
    format!("/v1/connectors/{}?cluster={}", segment(&view.name), view.cluster)
}

fn target(text: Option<&str>) -> Target {
    match text {
        Some("PAUSED") => Target::Paused,
        Some("STOPPED") => Target::Stopped,
        _ => Target::Running,
    }
}

/// Offsets that were checked.
fn offsets_of(value: &Value) -> Vec<PartitionOffset> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(|one| {
        Some(PartitionOffset {
            topic: one["topic"].as_str()?.to_owned(),
            partition: i32::try_from(one["partition"].as_i64()?).ok()?,
            offset: one["offset"].as_i64(),
        })
    })
    .collect()
}
