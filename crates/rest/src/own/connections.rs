//! Connections, and the doctor's word on them.

use std::sync::Arc;
use std::time::Duration;

use control::{ConnectionView, EnvironmentId};
use doctor::{Depth, Place, Surroundings, Target, TargetKind, examine_until};
use identity::ConnectionSpec;

use super::ask::{Ask, Reply, as_json, segment};
use super::trouble::Trouble;

/// How many examinations are made at once: each holds sessions, and asks AWS and STS dozens of things.
pub(super) const TESTS: usize = 2;

/// How long one may take; with [`GRACE`], less than the server gives a request.
const LONGEST: Duration = Duration::from_secs(75);

pub(super) async fn list(ask: Ask) -> Result<Reply, Trouble> {
    let all = ask.plane().connections(&ask.caller, &ask.environment().await?).await?;
    Ok(ask.paging()?.cut(all, |one| one.name.clone(), as_json))
}

pub(super) async fn show(ask: Ask) -> Result<Reply, Trouble> {
    Ok(shown(ask.plane().connection(&ask.caller, &ask.environment().await?, ask.part("name")).await?))
}

pub(super) async fn create(ask: Ask) -> Result<Reply, Trouble> {
    let (environment, name) = (ask.environment().await?, ask.needed("name"));
    if let Ok(there) = ask.plane().connection(&ask.caller, &environment, name).await {
        return Err(control::Refusal::Exists { kind: "connection", id: there.name }.into());
    }
    let spec = ask.body["spec"].clone();
    let (view, _) = ask.plane().put_connection(&ask.caller, &environment, name, spec, None).await?;
    Ok(made(view))
}

pub(super) async fn put(ask: Ask) -> Result<Reply, Trouble> {
    let (environment, name) = (ask.environment().await?, ask.part("name"));
    let spec = ask.body.clone();
    match ask.plane().put_connection(&ask.caller, &environment, name, spec, ask.expected).await? {
        (view, true) => Ok(made(view)),
        (view, false) => Ok(shown(view)),
    }
}

pub(super) async fn delete(ask: Ask) -> Result<Reply, Trouble> {
    let (environment, name) = (ask.environment().await?, ask.part("name"));
    ask.plane().delete_connection(&ask.caller, &environment, name, ask.expected).await?;
    Ok(Reply::done())
}

pub(super) async fn test(ask: Ask) -> Result<Reply, Trouble> {
    let (environment, name) = (ask.environment().await?, ask.part("name"));
    let spec = ask.plane().connection_to_test(&ask.caller, &environment, name).await?;
    examined(&ask, &environment, &spec, TargetKind::Connection).await
}

pub(super) async fn test_unsaved(ask: Ask) -> Result<Reply, Trouble> {
    let environment = ask.environment().await?;
    let spec = ask.plane().unsaved_connection_to_test(&ask.caller, &environment, ask.body["spec"].clone()).await?;
    examined(&ask, &environment, &spec, TargetKind::Unsaved).await
}

async fn examined(
    ask: &Ask,
    environment: &EnvironmentId,
    spec: &Arc<ConnectionSpec>,
    kind: TargetKind,
) -> Result<Reply, Trouble> {
    if let Some(region) = ask.text("region").filter(|region| !region.chars().all(is_of_region)) {
        // It becomes part of a host's name.
        return Err(Trouble::flaw("region", Some(region), "must be a region, as eu-central-1 is"));
    }
    let Ok(_turn) = ask.state.tests.try_acquire() else {
        return Err(Trouble::Full { what: "examinations", limit: TESTS });
    };
    let mut target = Target { kind, ..Target::connection(spec, None) };
    if let Some(bucket) = ask.text("bucket") {
        let mut place = Place::of(spec, bucket, ask.text("prefix").unwrap_or_default());
        if let Some(region) = ask.text("region") {
            region.clone_into(&mut place.region);
        }
        target.place = Some(place);
    }
    let depth = match ask.text("depth") {
        Some("offline") => Depth::Offline,
        Some("identity") => Depth::Identity,
        Some("read") => Depth::Read,
        Some("write") => Depth::Write,
        // Not as deep as the target will go, as the doctor does: nobody is there to be asked before it writes.
        _ => target.depth().min(Depth::Read),
    };
    let plane = ask.plane();
    let around = Surroundings {
        clients: plane.clients_to_test(environment),
        environment: plane.variables_to_test(environment),
        clock: plane.settings().clock.clone(),
    };
    let end = tokio::time::Instant::now() + LONGEST;
    // Not cut off in the middle: what it has written, it takes away again.
    let is_over = move || tokio::time::Instant::now() >= end;
    let report = examine_until(&target, depth, &around, &|_| {}, &is_over);
    let report = tokio::time::timeout(LONGEST + GRACE, report).await;
    let report = report.map_err(|_| Trouble::TooLong { what: "the examination", seconds: LONGEST.as_secs() })?;
    Ok(Reply::shown(report))
}

fn is_of_region(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

/// For taking away what was written, once the time is over.
const GRACE: Duration = Duration::from_secs(10);

fn shown(view: ConnectionView) -> Reply {
    let revision = view.revision;
    Reply::shown(view).at(revision)
}

fn made(view: ConnectionView) -> Reply {
    let location = format!("/v1/connections/{}?environment={}", segment(&view.name), view.environment);
    let revision = view.revision;
    Reply::made(view, location).at(revision)
}
