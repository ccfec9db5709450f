//! Connectors as the store keeps them.

use std::collections::BTreeMap;

use ::connectors::is_secret_key;
use rusqlite::{Row, params};

use super::crn::Resource;
use super::gate::At;
use super::kept::Kept;
use super::rights::Action;
use super::vault::Vault;
use super::{ConnectorView, Doing, Inner, Refusal, Status, Target, time};
use crate::store::Table;
use crate::{ClusterId, ConnectorId, EnvironmentId, Error};

pub(crate) type Config = BTreeMap<String, String>;

/// A row of connectors.
#[derive(Debug, Clone)]
pub(crate) struct KeptConnector {
    pub(crate) id: ConnectorId,
    pub(crate) environment: EnvironmentId,
    pub(crate) cluster: ClusterId,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) config: Kept,
    /// Of the configuration, and of what it names.
    pub(crate) config_revision: u64,
    pub(crate) group: String,
    /// `tasks.max`.
    pub(crate) tasks: u32,
    /// Whether it shows them: once it was started, until it is stopped.
    pub(crate) has_tasks: bool,
    pub(crate) target: Target,
    pub(crate) revision: u64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// The versions of a configuration that are kept.
const VERSIONS: i64 = 100;

const CONNECTORS: &str = "SELECT c.id, k.environment, c.cluster, c.name, c.kind, c.config, c.config_revision,
        c.consumer_group, c.tasks, c.target, c.revision, c.created_at, c.updated_at, c.has_tasks
    FROM connectors c JOIN clusters k ON k.id = c.cluster";

impl Target {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }

    fn read(word: &str) -> Option<Self> {
        [Self::Running, Self::Paused, Self::Stopped].into_iter().find(|target| target.word() == word)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<KeptConnector> {
    let wrong =
        |at: usize| rusqlite::Error::InvalidColumnType(at, "unreadable".to_owned(), rusqlite::types::Type::Text);
    let (config, target, kind): (String, String, String) = (row.get(5)?, row.get(9)?, row.get(4)?);
    Ok(KeptConnector {
        id: super::id(row, 0)?,
        environment: super::id(row, 1)?,
        cluster: super::id(row, 2)?,
        name: row.get(3)?,
        kind: if kind == "source" { "source" } else { "sink" },
        config: Kept::from_text(&config).ok_or_else(|| wrong(5))?,
        config_revision: row.get(6)?,
        group: row.get(7)?,
        tasks: row.get(8)?,
        target: Target::read(&target).ok_or_else(|| wrong(9))?,
        revision: row.get(10)?,
        created_at: row.get(11)?,
        updated_at: row.get(12)?,
        has_tasks: row.get(13)?,
    })
}

impl KeptConnector {
    /// All of them, or those of a cluster, by name.
    pub(crate) fn all(table: &Table<'_>, cluster: Option<&ClusterId>) -> Result<Vec<Self>, Error> {
        match cluster {
            Some(cluster) => {
                table.rows(&format!("{CONNECTORS} WHERE c.cluster = ?1 ORDER BY c.name"), [cluster.as_str()], read)
            }
            None => table.rows(&format!("{CONNECTORS} ORDER BY c.cluster, c.name"), [], read),
        }
    }

    pub(crate) fn named(table: &Table<'_>, cluster: &ClusterId, name: &str) -> Result<Option<Self>, Error> {
        table.first(&format!("{CONNECTORS} WHERE c.cluster = ?1 AND c.name = ?2"), [cluster.as_str(), name], read)
    }

    pub(crate) fn by_id(table: &Table<'_>, id: &ConnectorId) -> Result<Option<Self>, Error> {
        table.first(&format!("{CONNECTORS} WHERE c.id = ?1"), [id.as_str()], read)
    }

    /// Those of an environment that name something of it.
    pub(crate) fn that_use(
        table: &Table<'_>,
        environment: &EnvironmentId,
        kind: &str,
        name: &str,
    ) -> Result<Vec<Self>, Error> {
        let query = format!(
            "{CONNECTORS} JOIN connector_uses u ON u.connector = c.id
             WHERE k.environment = ?1 AND u.kind = ?2 AND u.name = ?3 ORDER BY c.name"
        );
        table.rows(&query, [environment.as_str(), kind, name], read)
    }

    /// Where its secrets are sealed.
    fn place(id: &ConnectorId) -> String {
        format!("connector/{id}")
    }

    pub(crate) fn seal(id: &ConnectorId, config: &Config, vault: &Vault) -> Kept {
        let class = config.get("connector.class").map(String::as_str);
        Kept::seal(config, |key| is_secret_key(class, key), &Self::place(id), vault)
    }

    /// Its configuration, secrets in the clear.
    pub(crate) fn open(&self, vault: &Vault) -> Result<Config, String> {
        self.config.open(&Self::place(&self.id), vault)
    }

    /// Another thing is wanted of it. What is stopped has no tasks, and what is paused then gets none before it is resumed.
    pub(crate) fn aim(&mut self, target: Target) {
        self.target = target;
        self.has_tasks = match target {
            Target::Running => true,
            Target::Stopped => false,
            Target::Paused => self.has_tasks,
        };
    }

    /// How many tasks it shows.
    pub(crate) fn tasks_shown(&self) -> u32 {
        if self.has_tasks { self.tasks } else { 0 }
    }

    pub(crate) fn resource(&self) -> Resource<'_> {
        Resource::Connector(&self.environment, &self.cluster, &self.name)
    }

    /// Writes it down for the first time.
    pub(crate) fn insert(&self, table: &Table<'_>) -> Result<(), Error> {
        let query = "INSERT INTO connectors (id, cluster, name, kind, config, config_revision, consumer_group, tasks,
                                             target, revision, created_at, updated_at, has_tasks)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let values = params![
            self.id.as_str(),
            self.cluster.as_str(),
            self.name,
            self.kind,
            self.config.to_text(),
            self.config_revision,
            self.group,
            self.tasks,
            self.target.word(),
            self.revision,
            self.created_at,
            self.updated_at,
            self.has_tasks
        ];
        table.write(query, values).map(drop)
    }

    /// Writes what was changed down.
    pub(crate) fn update(&self, table: &Table<'_>) -> Result<(), Error> {
        let query =
            "UPDATE connectors SET kind = ?2, config = ?3, config_revision = ?4, consumer_group = ?5, tasks = ?6,
                            target = ?7, revision = ?8, updated_at = ?9, has_tasks = ?10 WHERE id = ?1";
        let values = params![
            self.id.as_str(),
            self.kind,
            self.config.to_text(),
            self.config_revision,
            self.group,
            self.tasks,
            self.target.word(),
            self.revision,
            self.updated_at,
            self.has_tasks
        ];
        table.write(query, values).map(drop)
    }

    /// Remembers this version of its configuration, and what it names.
    pub(crate) fn remember(
        &self,
        table: &Table<'_>,
        uses: &[(&'static str, String)],
        principal: &str,
    ) -> Result<(), Error> {
        let query = "INSERT INTO connector_configs (connector, revision, config, principal, at)
                     VALUES (?1, ?2, ?3, ?4, ?5)";
        let id = self.id.as_str();
        table.write(query, params![id, self.revision, self.config.to_text(), principal, self.updated_at])?;
        let query = "DELETE FROM connector_configs WHERE connector = ?1 AND revision <= (
                        SELECT revision FROM connector_configs WHERE connector = ?1
                        ORDER BY revision DESC LIMIT 1 OFFSET ?2)";
        table.write(query, params![id, VERSIONS])?;
        table.write("DELETE FROM connector_uses WHERE connector = ?1", [id])?;
        for (kind, name) in uses {
            let query = "INSERT OR IGNORE INTO connector_uses (connector, kind, name) VALUES (?1, ?2, ?3)";
            table.write(query, [id, *kind, name.as_str()])?;
        }
        Ok(())
    }

    /// As `at`'s caller may see it. Whoever may only look at its state learns its name and class of its configuration.
    pub(crate) fn view(&self, at: &At<'_>, plane: &Inner) -> ConnectorView {
        let mut config = self.config.masked();
        if !at.may(Action::Read, &self.resource()) {
            config.retain(|key, _| key == "name" || key == "connector.class");
        }
        let tasks = self.tasks_shown();
        ConnectorView {
            id: self.id.clone(),
            name: self.name.clone(),
            environment: self.environment.clone(),
            cluster: self.cluster.clone(),
            config,
            kind: self.kind,
            target: self.target,
            tasks,
            status: plane.supervisor.status(&self.id).unwrap_or_else(|| Status {
                connector: Doing::Unassigned,
                tasks: vec![Doing::Unassigned; tasks as usize],
                worker_id: plane.settings.worker_id.clone(),
                explanation: None,
            }),
            revision: self.revision,
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
        }
    }
}

impl At<'_> {
    /// A connector that the caller may know of.
    pub(crate) fn connector(&self, cluster: &ClusterId, name: &str) -> Result<KeptConnector, Refusal> {
        self.cluster(cluster)?;
        let found = KeptConnector::named(self.table, cluster, name)?;
        found.filter(|found| self.sees(&found.resource())).ok_or_else(|| Refusal::no_connector(name))
    }

    /// The same, at a revision that the caller has read, if they say which.
    pub(crate) fn connector_at(
        &self,
        cluster: &ClusterId,
        name: &str,
        action: Action,
        word: &'static str,
        expected: Option<u64>,
    ) -> Result<KeptConnector, Refusal> {
        let found = self.connector(cluster, name)?;
        self.require(action, word, &found.resource())?;
        match expected {
            Some(expected) if expected != found.revision => {
                Err(Refusal::Changed { kind: "connector", id: name.to_owned(), now: found.revision })
            }
            _ => Ok(found),
        }
    }
}
