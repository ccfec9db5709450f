//! What is behind connectors and connections: logs, sessions, and connections with their secrets, to be examined.

use std::sync::Arc;

use ::connectors::ConfigFaults;
use identity::{ConnectionSpec, Connections, SessionStats};
use serde_json::{Value, json};
use world::Environment;

use super::crn::Resource;
use super::ground::blocking;
use super::kept::open_spec;
use super::rights::Action;
use super::{ControlPlane, Refusal};
use crate::{Caller, ClusterId, EnvironmentId, LogLine};

impl ControlPlane {
    /// The last log lines of a connector, the oldest first.
    pub async fn connector_logs(
        &self,
        caller: &Caller,
        cluster: &ClusterId,
        name: &str,
    ) -> Result<Vec<LogLine>, Refusal> {
        let (cluster, name) = (cluster.clone(), name.to_owned());
        let read = move |at: &super::gate::At<'_>| {
            Ok(at.connector_at(&cluster, &name, Action::Logs, "read the log of", None)?.id)
        };
        Ok(self.0.settings.logs.of(&self.look(caller, read).await?))
    }

    /// A connection with its secrets, to be examined by somebody who may use it.
    pub async fn connection_to_test(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        name: &str,
    ) -> Result<Arc<ConnectionSpec>, Refusal> {
        let (plane, of, asked_for) = (self.clone(), environment.clone(), name.to_owned());
        let read = move |at: &super::gate::At<'_>| {
            at.environment(&of)?;
            let on = Resource::Connection(&of, &asked_for);
            let absent = || Refusal::NotFound { kind: "connection", id: asked_for.clone() };
            if !at.sees(&on) {
                return Err(absent());
            }
            let query = "SELECT spec FROM connections WHERE environment = ?1 AND name = ?2";
            let kept = at.table.first(query, [of.as_str(), &asked_for], |row| row.get::<_, String>(0))?;
            let file = || plane.0.settings.worker.connections().filter(|_| of == plane.0.own)?.get(&asked_for).cloned();
            let from_file = if kept.is_none() { file() } else { None };
            if kept.is_none() && from_file.is_none() {
                return Err(absent());
            }
            at.require(Action::Assign, "test", &on)?;
            let Some(kept) = kept else { return Ok((None, from_file)) };
            let damaged = |reason: String| at.table.damaged(format!("connection {asked_for} of {of}"), reason);
            let spec = serde_json::from_str(&kept).map_err(|error| damaged(error.to_string()))?;
            let sealed_at = format!("connection/{of}/{asked_for}");
            Ok((Some(open_spec(&spec, &sealed_at, &plane.0.vault).map_err(damaged)?), None))
        };
        match self.look(caller, read).await? {
            (_, Some(from_file)) => Ok(from_file),
            (spec, None) => self.spec(environment, name, spec.unwrap_or_default()).await,
        }
    }

    /// The same for one that is not saved: what may not be saved is not examined either.
    pub async fn unsaved_connection_to_test(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        spec: Value,
    ) -> Result<Arc<ConnectionSpec>, Refusal> {
        let (of, name) = (environment.clone(), "unsaved".to_owned());
        let asked_for = name.clone();
        let allowed = self.look(caller, move |at| {
            at.environment(&of)?;
            at.require(Action::Create, "test", &Resource::Connection(&of, &asked_for))?;
            // There is nothing that a mask could stand for.
            super::kept::unmask_spec(&spec, None, &asked_for)
        });
        let spec = allowed.await?;
        let (control, asked_for, checked, is_own) =
            (self.clone(), name.clone(), spec.clone(), *environment == self.0.own);
        blocking(move || super::connections::check(&control.0.settings, &asked_for, &checked, is_own)).await?;
        self.spec(environment, &name, spec).await
    }

    /// A spec made ready.
    async fn spec(&self, environment: &EnvironmentId, name: &str, spec: Value) -> Result<Arc<ConnectionSpec>, Refusal> {
        let settings = &self.0.settings;
        let variables = if *environment == self.0.own {
            settings.environment.clone()
        } else {
            Environment::of::<String, String>([])
        };
        let (name, keys) = (name.to_owned(), settings.keys);
        blocking(move || {
            let text = json!({ "connections": { &name: spec } }).to_string();
            let read = Connections::read(&name, &text, &variables, keys);
            let read = read.map_err(|faults| Refusal::Config(ConfigFaults::from(faults)))?;
            read.get(&name).cloned().ok_or_else(|| Refusal::NotFound { kind: "connection", id: name.clone() })
        })
        .await
    }

    /// The variables of the process that an examination of a connection may look at: a tenant's none.
    pub fn variables_to_test(&self, environment: &EnvironmentId) -> Environment {
        if *environment == self.0.own {
            self.0.settings.environment.clone()
        } else {
            Environment::of::<String, String>([])
        }
    }

    /// AWS clients for an examination: what they learn helps nobody else.
    pub fn clients_to_test(&self, environment: &EnvironmentId) -> aws::Clients {
        let settings = &self.0.settings;
        aws::Clients::with_keys(settings.clock.clone(), self.variables_to_test(environment), settings.keys)
    }

    /// Sessions in the cache, for who may do everything.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionStats>, Refusal> {
        self.require_admin(caller, "list", "sessions").await?;
        Ok(self.0.supervisor.process().clients().sessions().stats())
    }
}
