//! What connectors of a cluster are planned on: its worker's settings, and the integrations and connections of its
//! environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::connectors::{Config, ConfigFaults, ConnectorFile, ConnectorPlan, WorkerConfig};
use identity::Connections;
use serde_json::{Value, json};

use super::clusters::worker_of;
use super::crn::Resource;
use super::gate::environment_of;
use super::kept::{Kept, open_spec};
use super::rights::{Action, Rights};
use super::{ControlPlane, Inner, Refusal};
use crate::store::{self, Table};
use crate::{ClusterId, Error, Integration, Known};

/// The worker's key that names what signs for its cluster.
const SIGNER: &str = "tidegate.kafka.connection";

/// Read from the store at one moment.
#[derive(Debug)]
pub(crate) struct Ground {
    is_own: bool,
    cluster: ClusterId,
    /// Of a cluster that is not the default one.
    config: Option<BTreeMap<String, String>>,
    connections: Vec<(String, Value)>,
    /// The names of the operator's file that may be used.
    of_file: Vec<String>,
    integrations: Vec<Integration>,
    /// What of the environment was changed since would make another ground.
    pub(crate) epoch: u64,
}

impl Ground {
    /// Reads what `rights` let be used; without rights, all that there is.
    pub(crate) fn read(
        table: &Table<'_>,
        plane: &Inner,
        cluster: &ClusterId,
        rights: Option<&Rights>,
    ) -> Result<Self, Error> {
        let damaged = |reason: String| table.damaged(format!("cluster {cluster}"), reason);
        let environment = environment_of(table, cluster)?.ok_or_else(|| damaged("it is not there".to_owned()))?;
        let query = "SELECT config FROM clusters WHERE id = ?1 AND is_default = 0";
        let config = table.first(query, [cluster.as_str()], |row| row.get::<_, String>(0))?;
        let open = |text: String| {
            let kept = Kept::from_text(&text).ok_or_else(|| "no configuration".to_owned())?;
            kept.open(&format!("cluster/{cluster}"), &plane.vault)
        };
        let config = config.map(open).transpose().map_err(damaged)?;
        let may_use = |on: &Resource<'_>| rights.is_none_or(|rights| rights.may(Action::Assign, on));
        // What signs for the cluster is the cluster's to name: whoever may use the cluster need not be able to use that
        // in a connector of theirs.
        let signer = match &config {
            Some(config) => config.get(SIGNER).map(String::as_str),
            None => plane.settings.worker.config().get(SIGNER),
        };
        let may_name = |name: &str| {
            signer.is_some_and(|signer| signer.trim() == name) || may_use(&Resource::Connection(&environment, name))
        };
        let mut connections = Vec::new();
        let query = "SELECT name, spec FROM connections WHERE environment = ?1 ORDER BY name";
        let both = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
        for (name, spec) in table.rows(query, [environment.as_str()], both)? {
            if may_name(&name) {
                let row = format!("connection/{environment}/{name}");
                let sealed = serde_json::from_str(&spec).map_err(|error| error.to_string());
                let opened = sealed.and_then(|sealed| open_spec(&sealed, &row, &plane.vault)).map_err(damaged)?;
                connections.push((name, opened));
            }
        }
        let is_own = environment == plane.own;
        let file = plane.settings.worker.connections().filter(|_| is_own);
        let of_file = file.iter().flat_map(|file| file.names()).filter(|name| may_name(name)).map(str::to_owned);
        let of_file = of_file.collect();
        let mut integrations = store::all(table, Some(environment.as_str()))?;
        if is_own {
            integrations.extend(store::all(table, Some(super::integrations::BEFORE_SERVE))?);
        }
        integrations.retain(|one| may_use(&Resource::Integration(&environment, one.id.as_str())));
        let epoch = store::epoch(table)?;
        Ok(Self { is_own, cluster: cluster.clone(), config, connections, of_file, integrations, epoch })
    }

    /// The worker that connectors are planned by.
    pub(crate) fn worker(&self, plane: &Inner) -> Result<WorkerConfig, Refusal> {
        let settings = &plane.settings;
        let worker = match &self.config {
            None => settings.worker.clone(),
            Some(config) => worker_of(settings, self.cluster.as_str(), config, self.is_own)?,
        };
        // What a connection of the store comes to was proven when it was put there; one that is not any more (a variable
        // that is gone) is one that is not there.
        let nothing = world::Environment::of(Vec::<(String, String)>::new());
        let environment = if self.is_own { &settings.environment } else { &nothing };
        let mut connections = match (self.is_own, settings.worker.connections()) {
            (true, Some(file)) => file.clone().only(|name| self.of_file.iter().any(|allowed| allowed == name)),
            _ => Connections::default(),
        };
        for (name, spec) in &self.connections {
            let text = json!({ "connections": { name: spec } }).to_string();
            match Connections::read("the store", &text, environment, settings.keys) {
                Ok(read) => connections = connections.and(read),
                Err(faults) => tracing::warn!(connection = name, "is not usable: {}", ConfigFaults::from(faults)),
            }
        }
        let now = store::now(&settings.clock);
        let known = Known::of(&self.integrations, now, settings.ours.clone(), Integration::connection);
        if let Some(current) = plane.current_ids.get() {
            current.note(known.opened());
        }
        Ok(worker.with_connections(connections).with_integrations(Arc::new(known)))
    }
}

/// Proves a configuration consistent, its Kafka settings included.
pub(crate) fn plan(config: &BTreeMap<String, String>, worker: &WorkerConfig) -> Result<ConnectorPlan, ConfigFaults> {
    let config: Config = config.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let name = config.get("name").unwrap_or("the connector").to_owned();
    let file = ConnectorFile::from_config(name, config);
    let report = ::connectors::check(&file, worker);
    // Looking at the settings of a Kafka client reads the files that they name. Of a tenant's, only once it is known that
    // they name none.
    if worker.restrictions().is_some() && !report.is_ok() {
        return report.into_result();
    }
    let clients = ::connectors::client_properties(&file, worker);
    runtime::check_clients(report, &clients).into_result()
}

impl ControlPlane {
    /// The worker that connectors of `cluster` are planned by, and the moment that it is of.
    pub(crate) async fn worker(
        &self,
        cluster: &ClusterId,
        rights: Option<Rights>,
    ) -> Result<(WorkerConfig, Ground), Refusal> {
        let (plane, cluster) = (self.clone(), cluster.clone());
        let ground =
            self.0.store.read(move |table| Ok::<_, Refusal>(Ground::read(table, &plane.0, &cluster, rights.as_ref())?));
        let ground = ground.await?;
        let plane = self.clone();
        blocking(move || Ok((ground.worker(&plane.0)?, ground))).await
    }
}

/// Runs work that may read files.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refusal::Store(Error::Abandoned)))
}
