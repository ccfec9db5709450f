use std::collections::BTreeMap;

use ::connectors::{Config, Restrictions, WorkerConfig, is_secret_key};
use jiff::Timestamp;
use rusqlite::{Row, params};
use serde::Serialize;
use serde_json::json;

use super::accounts::display_name;
use super::crn::Resource;
use super::gate::{At, Deed};
use super::kept::{Kept, unmask};
use super::rights::Action;
use super::{ControlPlane, MASK, Refusal, Settings, time};
use crate::{Caller, ClusterId, EnvironmentId};

/// A Kafka cluster that connectors read from.
#[derive(Debug, Clone, Serialize)]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// Whose it is.
    pub environment: EnvironmentId,
    /// What people call it.
    pub display_name: String,
    /// Worker settings: `bootstrap.servers`, `security.protocol`, .. Secrets masked.
    pub config: BTreeMap<String, String>,
    /// Counts its changes.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A cluster to be made.
#[derive(Debug, Clone)]
pub struct NewCluster {
    /// Whose it is.
    pub environment: EnvironmentId,
    /// What people call it.
    pub display_name: String,
    /// Worker settings.
    pub config: BTreeMap<String, String>,
}

const CLUSTERS: &str = "SELECT id, environment, display_name, config, revision, created_at, is_default FROM clusters";

/// A cluster whose settings are not looked at yet.
fn read_cluster(row: &Row<'_>) -> rusqlite::Result<(Cluster, String, bool)> {
    let cluster = Cluster {
        id: super::id(row, 0)?,
        environment: super::id(row, 1)?,
        display_name: row.get(2)?,
        config: BTreeMap::new(),
        revision: row.get(4)?,
        created_at: time(row.get(5)?),
    };
    Ok((cluster, row.get(3)?, row.get(6)?))
}

fn is_secret(key: &str) -> bool {
    is_secret_key(None, key)
}

/// Settings of the process's own worker as they may be shown.
fn shown(worker: &WorkerConfig) -> BTreeMap<String, String> {
    let mask = |key: &str, value: &str| if is_secret(key) { MASK.to_owned() } else { value.to_owned() };
    worker.config().iter().map(|(key, value)| (key.to_owned(), mask(key, value))).collect()
}

fn complete(at: &At<'_>, worker: &WorkerConfig, found: (Cluster, String, bool)) -> Result<Cluster, Refusal> {
    let (mut cluster, config, is_default) = found;
    cluster.config = if is_default {
        shown(worker)
    } else {
        let kept = Kept::from_text(&config);
        kept.ok_or_else(|| at.table.damaged(format!("cluster {}", cluster.id), "no configuration"))?.masked()
    };
    Ok(cluster)
}

fn cluster(at: &At<'_>, worker: &WorkerConfig, id: &ClusterId) -> Result<Cluster, Refusal> {
    at.cluster(id)?;
    let found = at.table.first(&format!("{CLUSTERS} WHERE id = ?1"), [id.as_str()], read_cluster)?;
    complete(at, worker, found.ok_or_else(|| Refusal::NotFound { kind: "cluster", id: id.to_string() })?)
}

/// What is wrong with a cluster's settings: of a tenant's, what is the machine's.
pub(crate) fn worker_of(
    settings: &Settings,
    id: &str,
    config: &BTreeMap<String, String>,
    is_own: bool,
) -> Result<WorkerConfig, Refusal> {
    let config: Config = config.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    if is_own {
        return Ok(WorkerConfig::from_config(config, &settings.environment)?.with_keys(settings.keys));
    }
    let restrictions = Restrictions::new(&settings.allowed_endpoints);
    if let Some(faults) = restrictions.worker_faults(id, &config) {
        return Err(Refusal::Config(faults));
    }
    let nothing = world::Environment::of(Vec::<(String, String)>::new());
    Ok(WorkerConfig::from_config(config, &nothing)?.with_keys(settings.keys).with_restrictions(restrictions))
}

impl ControlPlane {
    /// The clusters of an environment that the caller may see, oldest first.
    pub async fn clusters(&self, caller: &Caller, environment: &EnvironmentId) -> Result<Vec<Cluster>, Refusal> {
        let (environment, plane) = (environment.clone(), self.clone());
        self.look(caller, move |at| {
            at.environment(&environment)?;
            let query = format!("{CLUSTERS} WHERE environment = ?1 ORDER BY created_at, is_default DESC, id");
            let found = at.table.rows(&query, [environment.as_str()], read_cluster)?;
            let seen = found.into_iter().filter(|(cluster, ..)| at.sees(&Resource::Cluster(&environment, &cluster.id)));
            seen.map(|found| complete(at, &plane.0.settings.worker, found)).collect()
        })
        .await
    }

    /// One, wherever it is: the caller may only have its id.
    pub async fn cluster(&self, caller: &Caller, id: &ClusterId) -> Result<Cluster, Refusal> {
        let (id, plane) = (id.clone(), self.clone());
        self.look(caller, move |at| cluster(at, &plane.0.settings.worker, &id)).await
    }

    /// The cluster that Kafka Connect's surface is about for this caller: that of its API key, or the operator's own.
    pub async fn default_cluster(&self, caller: &Caller) -> Result<ClusterId, Refusal> {
        let id = caller.only_cluster.clone().unwrap_or_else(|| self.0.default_cluster.clone());
        let look = move |at: &At<'_>| match at.cluster(&id) {
            // The caller has not named it, and does not learn its id.
            Err(Refusal::NotFound { kind, .. }) => Err(Refusal::NotFound { kind, id: "default".to_owned() }),
            found => found.map(|_| id),
        };
        self.look(caller, look).await
    }

    /// Makes one.
    pub async fn create_cluster(&self, caller: &Caller, new: NewCluster) -> Result<Cluster, Refusal> {
        let name = display_name(&new.display_name)?;
        let plane = self.clone();
        let deed = Deed::new("cluster.create", format!("cluster {name}")).within(&new.environment);
        self.change(caller, deed, move |at, deed| {
            let environment = super::environments::environment(at, &new.environment)?;
            let id = at.new_id(ClusterId::random)?;
            at.require(Action::Create, "create", &Resource::Cluster(&new.environment, &id))?;
            let config = unmask(new.config, None, is_secret).map_err(|keys| no_secret(&keys))?;
            worker_of(&plane.0.settings, &name, &config, environment.is_own)?;
            let query = "SELECT 1 FROM clusters WHERE environment = ?1 AND display_name = ?2";
            if at.table.has(query, [new.environment.as_str(), &name])? {
                return Err(Refusal::Exists { kind: "cluster", id: name });
            }
            let kept = Kept::seal(&config, is_secret, &format!("cluster/{id}"), &plane.0.vault);
            let query = "INSERT INTO clusters (id, environment, display_name, is_default, config, revision, created_at)
                         VALUES (?1, ?2, ?3, 0, ?4, 1, ?5)";
            at.table.write(query, params![id.as_str(), new.environment.as_str(), name, kept.to_text(), at.now])?;
            let made = cluster(at, &plane.0.settings.worker, &id)?;
            deed.resource = format!("cluster {id}");
            deed.after = Some(json!(made));
            Ok(made)
        })
        .await
    }

    /// Takes one away that no connector reads from.
    pub async fn delete_cluster(&self, caller: &Caller, id: &ClusterId) -> Result<(), Refusal> {
        let (id, plane) = (id.clone(), self.clone());
        self.change(caller, Deed::new("cluster.delete", format!("cluster {id}")), move |at, deed| {
            let before = cluster(at, &plane.0.settings.worker, &id)?;
            deed.environment = Some(before.environment.clone());
            at.require(Action::Delete, "delete", &Resource::Cluster(&before.environment, &id))?;
            if id == plane.0.default_cluster {
                return Err(at.forbidden("delete", "the default cluster, which the worker's settings make"));
            }
            let query = "SELECT name FROM connectors WHERE cluster = ?1 ORDER BY name";
            let users = at.table.rows(query, [id.as_str()], |row| row.get::<_, String>(0))?;
            if !users.is_empty() {
                return Err(Refusal::InUse { kind: "cluster", id: id.to_string(), users });
            }
            deed.before = Some(json!(before));
            Ok(at.table.write("DELETE FROM clusters WHERE id = ?1", [id.as_str()]).map(drop)?)
        })
        .await
    }
}

pub(crate) fn no_secret(keys: &[String]) -> Refusal {
    Refusal::Flawed {
        field: keys.join(", "),
        value: MASK.to_owned(),
        rule: "stands for a stored secret, and none is stored".to_owned(),
    }
}
