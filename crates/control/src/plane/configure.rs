//! Making connectors, and giving them other configurations.

use std::sync::Arc;

use ::connectors::{CheckReport, ConfigFault, ConnectorPlan, WorkerConfig, is_secret_key};
use serde_json::json;

use super::crn::Resource;
use super::gate::{At, Deed};
use super::ground::{blocking, plan};
use super::kept::unmask;
use super::kept_connector::{Config, KeptConnector};
use super::rights::{Action, Rights};
use super::{ConnectorView, ControlPlane, PartitionOffset, Refusal, Target};
use crate::{Caller, ClusterId, ConnectorId, EnvironmentId, Error, store};

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    /// A connector that must not be there.
    Create { config: Config, target: Target, offsets: Vec<PartitionOffset> },
    /// A whole configuration, of a connector that may be there.
    Put { config: Config },
    /// Some keys, of a connector that must be there.
    Patch { patch: std::collections::BTreeMap<String, Option<String>> },
}

/// What is known of a request before anything is planned.
struct Found {
    principal: String,
    rights: Rights,
    environment: EnvironmentId,
    before: Option<(KeptConnector, Config)>,
}

/// A configuration that may be written down.
struct Ready {
    config: Config,
    plan: Arc<ConnectorPlan>,
    uses: Vec<(&'static str, String)>,
    epoch: u64,
}

/// Plans are made again when what they name has changed meanwhile, so often.
const TRIES: u32 = 5;

impl ControlPlane {
    /// Makes a connector or changes its configuration; `true`: it was made.
    pub(crate) async fn configure(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        ask: Ask,
        expected: Option<u64>,
    ) -> Result<(ConnectorView, bool), Refusal> {
        let (plane, caller, cluster, name) = (self.clone(), caller.clone(), cluster.clone(), name.to_owned());
        self.detached(async move {
            let _claim = plane.0.claims.take(&cluster, &name).await?;
            for _ in 0..TRIES {
                if let Some(done) = plane.try_configure(&caller, &cluster, &name, ask.clone(), expected).await? {
                    return Ok(done);
                }
            }
            let doing = "what it names is being changed";
            Err(Refusal::Busy { kind: "connector", id: name, doing })
        })
        .await
    }

    /// `None`: what the connector names was changed while it was planned.
    async fn try_configure(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        ask: Ask,
        expected: Option<u64>,
    ) -> Result<Option<(ConnectorView, bool)>, Refusal> {
        let action = if matches!(ask, Ask::Create { .. }) { "connector.create" } else { "connector.configure" };
        let deed = Deed::new(action, format!("connector {name} of {cluster}"));
        let found = self.find(caller, cluster, name, &ask).await;
        let environment = found.as_ref().ok().map(|found| found.environment.clone());
        let (target, offsets) = match &ask {
            Ask::Create { target, offsets, .. } => (*target, offsets.clone()),
            Ask::Put { .. } | Ask::Patch { .. } => (Target::Running, Vec::new()),
        };
        let ready = match found {
            Ok(found) => self.ready(cluster, name, found, ask).await,
            Err(refusal) => Err(refusal),
        };
        if let Ok(ready) = &ready
            && !offsets.is_empty()
        {
            self.begin_at(caller, cluster, name, &ready.plan, &offsets, &deed).await?;
        }
        let (plane, cluster, name) = (self.clone(), cluster.clone(), name.to_owned());
        let written = self.change(caller, deed, move |at, deed| {
            deed.environment = environment;
            let ready = ready?;
            if store::epoch(at.table)? != ready.epoch {
                return Ok(None);
            }
            let before = KeptConnector::named(at.table, &cluster, &name)?;
            if action == "connector.create" && before.is_some() {
                return Err(Refusal::Exists { kind: "connector", id: name });
            }
            allowed(at, &cluster, &name, before.as_ref())?;
            let environment = at.cluster(&cluster)?;
            for (kind, used) in ready.uses.iter().filter(|(kind, _)| *kind != "signer") {
                at.require(Action::Assign, "assign", &named(&environment, kind, used))?;
            }
            if let Some(expected) = expected {
                match &before {
                    None => return Err(Refusal::no_connector(&name)),
                    Some(before) if before.revision != expected => {
                        return Err(Refusal::Changed { kind: "connector", id: name, now: before.revision });
                    }
                    Some(_) => {}
                }
            }
            let is_new = before.is_none();
            let kept = write(at, &plane, &cluster, &name, before.as_ref(), &ready, target)?;
            deed.before = before.map(|before| json!(before.config.masked()));
            deed.after = Some(json!(kept.config.masked()));
            Ok(Some((kept, ready.plan, is_new)))
        });
        let Some((kept, plan, is_new)) = written.await? else { return Ok(None) };
        self.want(&kept, Ok(plan));
        let plane = self.clone();
        let view = self.look(caller, move |at| Ok(kept.view(at, &plane.0))).await?;
        Ok(Some((view, is_new)))
    }

    /// Whether the caller may do it at all, and what is there before.
    async fn find(&self, caller: &Caller, cluster: &ClusterId, name: &str, ask: &Ask) -> Result<Found, Refusal> {
        let (plane, cluster, name) = (self.clone(), cluster.clone(), name.to_owned());
        let must_be_there = matches!(ask, Ask::Patch { .. });
        self.look(caller, move |at| {
            let environment = at.cluster(&cluster)?;
            let before = KeptConnector::named(at.table, &cluster, &name)?;
            if must_be_there && !before.as_ref().is_some_and(|before| at.sees(&before.resource())) {
                return Err(Refusal::no_connector(&name));
            }
            allowed(at, &cluster, &name, before.as_ref())?;
            let open = |kept: KeptConnector| {
                let config = kept.open(&plane.0.vault);
                let config = config.map_err(|why| at.table.damaged(format!("connector {}", kept.id), why))?;
                Ok::<_, Refusal>((kept, config))
            };
            Ok(Found {
                principal: at.caller.principal.to_string(),
                rights: at.rights.clone(),
                environment,
                before: before.map(open).transpose()?,
            })
        })
        .await
    }

    /// Proves the configuration that is asked for.
    async fn ready(&self, cluster: &ClusterId, name: &str, found: Found, ask: Ask) -> Result<Ready, Refusal> {
        let Found { principal, rights, environment, before } = found;
        let mut config = match ask {
            Ask::Create { config, .. } | Ask::Put { config } => config,
            Ask::Patch { patch } => {
                let mut config = before.as_ref().map(|(_, config)| config.clone()).unwrap_or_default();
                for (key, value) in patch {
                    match value {
                        Some(value) => config.insert(key, value),
                        None => config.remove(&key),
                    };
                }
                if let Some((_, stored)) = &before {
                    stays_secret(stored, &config)?;
                }
                config
            }
        };
        match config.get("name") {
            Some(inner) if inner != name => {
                return Err(Refusal::NameMismatch { config: inner.clone(), asked: name.to_owned() });
            }
            Some(_) => {}
            None => drop(config.insert("name".to_owned(), name.to_owned())),
        }
        let class = config.get("connector.class").cloned();
        let stored = before.as_ref().map(|(_, config)| config);
        let (config, masked) = match unmask(config.clone(), stored, |key| is_secret_key(class.as_deref(), key)) {
            Ok(config) => (config, Vec::new()),
            Err(masked) => (config, masked),
        };
        still_used(&config, before.as_ref().map(|(kept, config)| (kept, config)), &rights, &environment, &principal)?;
        let (worker, ground) = self.worker(cluster, Some(rights.clone())).await?;
        blocking(move || {
            let plan = judge(&config, &worker, &masked)?;
            let uses = uses_of(&config, &plan);
            for (kind, name) in uses.iter().filter(|(kind, _)| *kind != "signer") {
                let on = named(&environment, kind, name);
                if !rights.may(Action::Assign, &on) {
                    let resource = super::gate::told(&on);
                    return Err(Refusal::Forbidden { principal, action: "assign", resource });
                }
            }
            Ok(Ready { config, plan: Arc::new(plan), uses, epoch: ground.epoch })
        })
        .await
    }

    /// Sets the offsets that a new connector begins at (KIP-995), before it is there: if they are refused, it is not made.
    async fn begin_at(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
        plan: &Arc<ConnectorPlan>,
        offsets: &[PartitionOffset],
        deed: &Deed,
    ) -> Result<(), Refusal> {
        let (cluster_of, name_of, group) = (cluster.clone(), name.to_owned(), plan.group().to_owned());
        let find = move |at: &At<'_>| {
            Ok(KeptConnector::named(at.table, &cluster_of, &name_of)?.is_some()
                || holder(at, &cluster_of, &group, &name_of)?.is_some())
        };
        if self.look(caller, find).await? {
            // Refused where it is written down, in the same words as without offsets. A group that is another connector's
            // is not touched.
            return Ok(());
        }
        let altered = self.0.supervisor.alter_offsets(plan, offsets).await;
        let Err(cause) = altered else { return Ok(()) };
        let refusal = Refusal::Remote { what: format!("could not set the offsets that {name} begins at"), cause };
        self.note(caller, deed.clone(), fault::Diagnose::code(&refusal)).await?;
        Err(refusal)
    }
}

/// What is a secret of one class may be none of another, which would show what was sealed. A patch carries no such value over.
fn stays_secret(stored: &Config, patched: &Config) -> Result<(), Refusal> {
    let class = |config: &Config| config.get("connector.class").cloned();
    let (before, after) = (class(stored), class(patched));
    let shown = |key: &str| is_secret_key(before.as_deref(), key) && !is_secret_key(after.as_deref(), key);
    match stored.iter().find(|(key, value)| !value.is_empty() && patched.get(*key) == Some(*value) && shown(key)) {
        None => Ok(()),
        Some((key, _)) => Err(Refusal::Flawed {
            field: key.clone(),
            value: super::MASK.to_owned(),
            rule: "is a secret of the class that the connector has, and none of the new one: put the whole configuration, \
                   or take it out"
                .to_owned(),
        }),
    }
}

/// Whether the caller may make or configure the connector, whether or not it is there.
fn allowed(at: &At<'_>, cluster: &ClusterId, name: &str, before: Option<&KeptConnector>) -> Result<(), Refusal> {
    let environment = at.cluster(cluster)?;
    let on = Resource::Connector(&environment, cluster, name);
    match before {
        Some(_) if at.sees(&on) => at.require(Action::Configure, "configure", &on),
        _ => at.require(Action::Create, "create", &on),
    }
}

fn named<'a>(environment: &'a EnvironmentId, kind: &str, name: &'a str) -> Resource<'a> {
    match kind {
        "integration" => Resource::Integration(environment, name),
        _ => Resource::Connection(environment, name),
    }
}

/// Whoever may read a configuration and not use what it names is told so, instead of that there is none.
fn still_used(
    config: &Config,
    before: Option<(&KeptConnector, &Config)>,
    rights: &Rights,
    environment: &EnvironmentId,
    principal: &str,
) -> Result<(), Refusal> {
    for (kind, key) in [("integration", INTEGRATION), ("connection", CONNECTION)] {
        let name = |config: &Config| config.get(key).map(|name| name.trim().to_owned());
        let Some(wanted) = name(config) else { continue };
        let on = named(environment, kind, &wanted);
        let Some((kept, stored)) = before else { continue };
        let is_known = name(stored).as_ref() == Some(&wanted) && rights.may(Action::Read, &kept.resource());
        if is_known && !rights.may(Action::Assign, &on) {
            let (principal, resource) = (principal.to_owned(), super::gate::told(&on));
            return Err(Refusal::Forbidden { principal, action: "assign", resource });
        }
    }
    Ok(())
}

const INTEGRATION: &str = "provider.integration.id";
const CONNECTION: &str = "tidegate.connection";

/// What of its environment a plan names. What signs for its cluster is named by the cluster.
fn uses_of(config: &Config, plan: &ConnectorPlan) -> Vec<(&'static str, String)> {
    let mut uses = Vec::new();
    if let Some(spec) = plan.connection_spec() {
        let kind = if config.contains_key(INTEGRATION) { "integration" } else { "connection" };
        uses.push((kind, spec.name.clone()));
    }
    if let Some(spec) = plan.kafka_connection() {
        uses.push(("signer", spec.name.clone()));
    }
    uses
}

/// The plan, or all that is wrong.
fn judge(config: &Config, worker: &WorkerConfig, masked: &[String]) -> Result<ConnectorPlan, Refusal> {
    let mut report = plan(config, worker).map_or_else(CheckReport::from, CheckReport::from);
    for key in masked {
        report.add_fault(ConfigFault {
            key: key.clone(),
            value: Some("[hidden]".to_owned()),
            text: format!("Invalid value [hidden] for configuration {key}: asterisks stand for the stored secret, and none is stored"),
            allowed: Vec::new(),
            hint: Some("write the secret itself".to_owned()),
        });
    }
    Ok(report.into_result()?)
}

/// Writes a configuration down.
fn write(
    at: &At<'_>,
    plane: &ControlPlane,
    cluster: &ClusterId,
    name: &str,
    before: Option<&KeptConnector>,
    ready: &Ready,
    target: Target,
) -> Result<KeptConnector, Refusal> {
    let group = ready.plan.group();
    if let Some(holder) = holder(at, cluster, group, name)? {
        return Err(group_taken(at, cluster, &ready.plan, &holder));
    }
    let id = before.map_or_else(|| at.new_id(ConnectorId::random), |before| Ok(before.id.clone()))?;
    let kept = KeptConnector {
        environment: at.cluster(cluster)?,
        cluster: cluster.clone(),
        name: name.to_owned(),
        // There is no source class yet.
        kind: "sink",
        config: KeptConnector::seal(&id, &ready.config, &plane.0.vault),
        config_revision: before.map_or(1, |before| before.config_revision + 1),
        group: group.to_owned(),
        tasks: ready.plan.tasks_max(),
        has_tasks: before.map_or(target == Target::Running, |before| before.has_tasks),
        target: before.map_or(target, |before| before.target),
        revision: before.map_or(1, |before| before.revision + 1),
        created_at: before.map_or(at.now, |before| before.created_at),
        updated_at: at.now,
        id,
    };
    if before.is_some() {
        kept.update(at.table)?;
    } else {
        kept.insert(at.table)?;
    }
    kept.remember(at.table, &ready.uses, &at.caller.principal.to_string())?;
    Ok(kept)
}

/// The connector that a group is of, if that is another than `name`.
fn holder(at: &At<'_>, cluster: &ClusterId, group: &str, name: &str) -> Result<Option<String>, Error> {
    let query = "SELECT name FROM connectors WHERE cluster = ?1 AND consumer_group = ?2 AND name <> ?3";
    at.table.first(query, [cluster.as_str(), group, name], |row| row.get::<_, String>(0))
}

/// Two connectors of one group would each have half of the records.
fn group_taken(at: &At<'_>, cluster: &ClusterId, plan: &ConnectorPlan, holder: &str) -> Refusal {
    let whose = match at.connector(cluster, holder) {
        Ok(_) => format!("that of connector {holder}"),
        Err(_) => "another connector's".to_owned(),
    };
    let mut report = CheckReport::from(plan.clone());
    report.add_fault(ConfigFault {
        key: "consumer.override.group.id".to_owned(),
        value: Some(plan.group().to_owned()),
        text: format!("Consumer group {} is {whose} already", plan.group()),
        allowed: Vec::new(),
        hint: Some("give each connector a group of its own".to_owned()),
    });
    match report.into_result() {
        Err(faults) => Refusal::Config(faults),
        Ok(_) => unreachable!("a fault was added"),
    }
}
