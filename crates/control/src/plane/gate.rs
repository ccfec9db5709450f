//! The one way in: each use of the store is a caller's, is checked against their rights, and is written down.

use rusqlite::params;
use serde_json::Value;

use super::crn::{Pattern, Resource};
use super::rights::{Action, Rights};
use super::{ControlPlane, Refusal, RoleName};
use crate::store::{self, Table};
use crate::{Caller, ClusterId, EnvironmentId, Error, Principal};

/// A caller at work within a transaction.
pub(crate) struct At<'a> {
    pub(crate) table: &'a Table<'a>,
    pub(crate) caller: &'a Caller,
    pub(crate) rights: Rights,
    pub(crate) organization: &'a str,
    /// Milliseconds since 1970 in UTC.
    pub(crate) now: i64,
}

/// What is done: a line of the audit log.
#[derive(Debug, Clone)]
pub(crate) struct Deed {
    pub(crate) action: &'static str,
    pub(crate) resource: String,
    pub(crate) environment: Option<EnvironmentId>,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

impl Deed {
    pub(crate) fn new(action: &'static str, resource: impl Into<String>) -> Self {
        // What a caller calls a thing may be as long as a request.
        let resource = resource.into();
        let resource = if resource.len() > 512 { resource.chars().take(256).collect() } else { resource };
        Self { action, resource, environment: None, before: None, after: None }
    }

    pub(crate) fn within(mut self, environment: &EnvironmentId) -> Self {
        self.environment = Some(environment.clone());
        self
    }
}

impl At<'_> {
    pub(crate) fn may(&self, action: Action, on: &Resource<'_>) -> bool {
        self.rights.may(action, on)
    }

    pub(crate) fn sees(&self, on: &Resource<'_>) -> bool {
        self.rights.sees(on)
    }

    /// Refuses what is not allowed. What may not be seen must have been refused before.
    pub(crate) fn require(&self, action: Action, word: &'static str, on: &Resource<'_>) -> Result<(), Refusal> {
        if self.may(action, on) { Ok(()) } else { Err(self.forbidden(word, told(on))) }
    }

    pub(crate) fn forbidden(&self, action: &'static str, resource: impl Into<String>) -> Refusal {
        Refusal::Forbidden { principal: self.caller.principal.to_string(), action, resource: resource.into() }
    }

    /// An environment that the caller may know of.
    pub(crate) fn environment(&self, id: &EnvironmentId) -> Result<(), Refusal> {
        let is_there = self.table.has("SELECT 1 FROM environments WHERE id = ?1", [id.as_str()])?;
        if is_there && self.sees(&Resource::Environment(id)) { Ok(()) } else { Err(Refusal::no_environment(id)) }
    }

    /// The environment of a cluster that the caller may know of.
    pub(crate) fn cluster(&self, id: &ClusterId) -> Result<EnvironmentId, Refusal> {
        let environment = environment_of(self.table, id)?;
        match environment {
            Some(environment) if self.sees(&Resource::Cluster(&environment, id)) => Ok(environment),
            _ => Err(Refusal::NotFound { kind: "cluster", id: id.to_string() }),
        }
    }

    /// An id that was never given out.
    pub(crate) fn new_id<T: std::fmt::Display>(&self, draw: impl Fn() -> T) -> Result<T, Error> {
        new_id(self.table, draw)
    }
}

pub(crate) fn new_id<T: std::fmt::Display>(table: &Table<'_>, draw: impl Fn() -> T) -> Result<T, Error> {
    loop {
        let id = draw();
        if table.write("INSERT OR IGNORE INTO given_ids (id) VALUES (?1)", [id.to_string()])? == 1 {
            return Ok(id);
        }
    }
}

pub(crate) fn environment_of(table: &Table<'_>, cluster: &ClusterId) -> Result<Option<EnvironmentId>, Error> {
    let found = table
        .first("SELECT environment FROM clusters WHERE id = ?1", [cluster.as_str()], |row| row.get::<_, String>(0))?;
    found
        .map(|id| id.parse().map_err(|error| table.damaged(format!("the environment of {cluster}"), error)))
        .transpose()
}

/// How a resource is called in the audit log and in refusals.
pub(crate) fn told(on: &Resource<'_>) -> String {
    match on {
        Resource::Organization => "the organization".to_owned(),
        Resource::Environment(id) => format!("environment {id}"),
        Resource::Cluster(_, id) => format!("cluster {id}"),
        Resource::Connector(_, cluster, name) => format!("connector {name} of {cluster}"),
        Resource::Integration(_, id) => format!("integration {id}"),
        Resource::Connection(environment, name) => format!("connection {name} of {environment}"),
    }
}

impl ControlPlane {
    pub(crate) fn now(&self) -> i64 {
        store::now(&self.0.settings.clock).as_millisecond()
    }

    /// Reads as `caller`, on what holds at one moment, their rights included.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce(&At<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (organization, caller, now) = (self.0.organization.clone(), caller.clone(), self.now());
        self.0
            .store
            .read(move |table| {
                let rights = rights_of(table, &caller, &organization)?;
                work(&At { table, caller: &caller, rights, organization: &organization, now })
            })
            .await
    }

    /// Changes something as `caller`, and writes into the audit log that they did, or that they were refused: in the same
    /// transaction. It goes on to its end if whoever asked goes away.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        caller: &Caller,
        deed: Deed,
        work: impl FnOnce(&At<'_>, &mut Deed) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (organization, caller, now) = (self.0.organization.clone(), caller.clone(), self.now());
        let changed = self.0.store.with(move |table| {
            let rights = rights_of(table, &caller, &organization)?;
            let at = At { table, caller: &caller, rights, organization: &organization, now };
            let mut deed = deed;
            let result = table.attempt(|| work(&at, &mut deed));
            if result.is_err() {
                (deed.before, deed.after) = (None, None);
            }
            let code = result.as_ref().map_or_else(fault::Diagnose::code, |_| "done");
            write_down(table, now, &caller, &deed, code)?;
            Ok::<_, Refusal>(result)
        });
        changed.await?
    }

    /// Writes a line about what was done outside the store.
    pub(crate) async fn note(&self, caller: &Caller, deed: Deed, code: &'static str) -> Result<(), Refusal> {
        let (caller, now) = (caller.clone(), self.now());
        self.0.store.with(move |table| Ok::<_, Refusal>(write_down(table, now, &caller, &deed, code)?)).await
    }
}

pub(crate) fn write_down(table: &Table<'_>, now: i64, caller: &Caller, deed: &Deed, code: &str) -> Result<(), Error> {
    line(
        table,
        now,
        &caller.principal.to_string(),
        deed,
        caller.origin.address.map(|address| address.to_string()).as_deref(),
        caller.origin.surface,
        &caller.origin.request_id,
        code,
    )
}

#[expect(clippy::too_many_arguments, reason = "the columns of a line")]
pub(crate) fn line(
    table: &Table<'_>,
    now: i64,
    principal: &str,
    deed: &Deed,
    address: Option<&str>,
    surface: &str,
    request_id: &str,
    code: &str,
) -> Result<(), Error> {
    let query = "INSERT INTO audit
                 (at, principal, action, resource, environment, before, after, address, surface, request_id, result)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let values = params![
        now,
        principal,
        deed.action,
        deed.resource,
        deed.environment.as_ref().map(EnvironmentId::as_str),
        deed.before.as_ref().map(Value::to_string),
        deed.after.as_ref().map(Value::to_string),
        address,
        surface,
        request_id,
        code
    ];
    table.write(query, values).map(drop)
}

/// What `caller` may do now.
pub(crate) fn rights_of(table: &Table<'_>, caller: &Caller, organization: &str) -> Result<Rights, Error> {
    let rights = rights_of_principal(table, &caller.principal, organization)?;
    let Some(cluster) = &caller.only_cluster else { return Ok(rights) };
    // A cluster that is gone has taken its keys along: whoever still has one open may do nothing.
    Ok(environment_of(table, cluster)?.map_or_else(Rights::default, |home| rights.only(home, cluster.clone())))
}

pub(crate) fn rights_of_principal(
    table: &Table<'_>,
    principal: &Principal,
    organization: &str,
) -> Result<Rights, Error> {
    if *principal == Principal::Operator {
        return Ok(Rights::operator());
    }
    Ok(Rights::of(bindings_of(table, &principal.to_string(), organization)?))
}

pub(crate) fn bindings_of(
    table: &Table<'_>,
    principal: &str,
    organization: &str,
) -> Result<Vec<(RoleName, Pattern)>, Error> {
    let query = "SELECT id, role, crn_pattern FROM role_bindings WHERE principal = ?1";
    let read =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?));
    let rows = table.rows(query, [principal], read)?;
    let parse = |(id, role, pattern): (String, String, String)| {
        let damaged = |reason: String| table.damaged(format!("role binding {id}"), reason);
        let role = RoleName::read(&role).ok_or_else(|| damaged(format!("{role} is no role")))?;
        Ok((role, Pattern::read(&pattern, organization).map_err(damaged)?))
    };
    rows.into_iter().map(parse).collect()
}
