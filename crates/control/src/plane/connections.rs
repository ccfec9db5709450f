use ::connectors::Restrictions;
use identity::{ConnectionFaults, Connections, SpecFault};
use jiff::Timestamp;
use rusqlite::{Row, params};
use serde::Serialize;
use serde_json::{Value, json};

use super::crn::Resource;
use super::gate::{At, Deed};
use super::ground::blocking;
use super::kept::{Kept, mask_spec, open_spec, seal_spec, unmask_spec};
use super::kept_connector::KeptConnector;
use super::rights::Action;
use super::{ControlPlane, Refusal, Settings, time};
use crate::{Caller, EnvironmentId, store};

/// A connection as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionView {
    /// Its name, unique in its environment.
    pub name: String,
    /// Whose it is.
    pub environment: EnvironmentId,
    /// Its settings as in a file of connections (docs/connections.md); secrets masked.
    pub spec: Value,
    /// From the operator's file: it is read there, and cannot be changed here.
    pub is_from_file: bool,
    /// Counts its changes.
    pub revision: u64,
    /// When it was made; of those from a file, when that was read.
    pub created_at: Timestamp,
}

const CONNECTIONS: &str = "SELECT name, environment, spec, revision, created_at FROM connections";

/// With its secrets sealed.
fn read(row: &Row<'_>) -> rusqlite::Result<ConnectionView> {
    let spec: String = row.get(2)?;
    let spec = serde_json::from_str(&spec)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error)))?;
    Ok(ConnectionView {
        name: row.get(0)?,
        environment: super::id(row, 1)?,
        spec,
        is_from_file: false,
        revision: row.get(3)?,
        created_at: time(row.get(4)?),
    })
}

fn place(environment: &EnvironmentId, name: &str) -> String {
    format!("connection/{environment}/{name}")
}

fn no_connection(name: &str) -> Refusal {
    Refusal::NotFound { kind: "connection", id: name.to_owned() }
}

/// What in a tenant's connection is the machine's (docs/adr/0004-tenants.md).
fn tenant_faults(name: &str, spec: &Value, restrictions: &Restrictions) -> Vec<SpecFault> {
    let fault = |key: &str, text: &str, hint: &str| SpecFault {
        key: format!("connections.{name}.{key}"),
        text: text.to_owned(),
        allowed: Vec::new(),
        hint: Some(hint.to_owned()),
    };
    let mut faults = Vec::new();
    // Who says nothing about the kind is told so by the reader.
    let kind = spec.get("kind").and_then(Value::as_str);
    if kind.is_some_and(|kind| !["keys", "anonymous"].contains(&kind)) {
        let text = "is what the machine has, and this environment is not the operator's own";
        faults.push(fault("kind", text, "use an integration, or a connection of kind keys or anonymous"));
    }
    for (key, value) in spec.as_object().into_iter().flatten() {
        if value.is_object() && (value.get("env").is_some() || value.get("file").is_some()) {
            let text = "refers to the machine, and this environment is not the operator's own";
            faults.push(fault(key, text, "write the secret itself: it is sealed and never shown"));
        }
    }
    for (service, url) in spec.get("endpoints").and_then(Value::as_object).into_iter().flatten() {
        if url.as_str().is_some_and(|url| !restrictions.allows(url)) {
            let text = "names a host that may not be called from this environment";
            faults.push(fault(
                &format!("endpoints.{service}"),
                text,
                "ask the operator to allow it: --allow-endpoint HOST",
            ));
        }
    }
    faults
}

/// All that is wrong with a connection's settings.
pub(crate) fn check(settings: &Settings, name: &str, spec: &Value, is_own: bool) -> Result<(), Refusal> {
    let nothing = world::Environment::of(Vec::<(String, String)>::new());
    let environment = if is_own { &settings.environment } else { &nothing };
    let of_tenant =
        if is_own { Vec::new() } else { tenant_faults(name, spec, &Restrictions::new(&settings.allowed_endpoints)) };
    // The reader would read the files of the machine.
    if !of_tenant.is_empty() {
        let faults = ConnectionFaults { origin: name.to_owned(), faults: of_tenant, warnings: Vec::new() };
        return Err(Refusal::Config(faults.into()));
    }
    let text = json!({ "connections": { name: spec } }).to_string();
    match Connections::read(name, &text, environment, settings.keys) {
        Ok(_) => Ok(()),
        Err(faults) => Err(Refusal::Config(faults.into())),
    }
}

impl At<'_> {
    /// One of the store that the caller may know of, its secrets sealed.
    fn kept_connection(&self, environment: &EnvironmentId, name: &str) -> Result<Option<ConnectionView>, Refusal> {
        self.environment(environment)?;
        let query = format!("{CONNECTIONS} WHERE environment = ?1 AND name = ?2");
        let found = self.table.first(&query, [environment.as_str(), name], read)?;
        Ok(found.filter(|_| self.sees(&Resource::Connection(environment, name))))
    }
}

impl ControlPlane {
    /// Those of the operator's file, which are of the own environment.
    fn of_file(&self, environment: &EnvironmentId) -> Vec<ConnectionView> {
        let file = self.0.settings.worker.connections().filter(|_| *environment == self.0.own);
        let view = |spec: &std::sync::Arc<identity::ConnectionSpec>| ConnectionView {
            name: spec.name.clone(),
            environment: environment.clone(),
            spec: json!({ "kind": spec.kind, "region": spec.region }),
            is_from_file: true,
            revision: 1,
            created_at: self.0.opened_at,
        };
        file.map(|file| file.iter().map(view).collect()).unwrap_or_default()
    }

    /// Those of an environment that the caller may see, by name.
    pub async fn connections(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
    ) -> Result<Vec<ConnectionView>, Refusal> {
        let (environment, of_file) = (environment.clone(), self.of_file(environment));
        self.look(caller, move |at| {
            at.environment(&environment)?;
            let query = format!("{CONNECTIONS} WHERE environment = ?1");
            let mut all = at.table.rows(&query, [environment.as_str()], read)?;
            for one in &mut all {
                one.spec = mask_spec(&one.spec);
            }
            all.extend(of_file);
            all.retain(|one| at.sees(&Resource::Connection(&environment, &one.name)));
            all.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(all)
        })
        .await
    }

    /// One.
    pub async fn connection(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        name: &str,
    ) -> Result<ConnectionView, Refusal> {
        let name = name.to_owned();
        let all = self.connections(caller, environment).await?;
        all.into_iter().find(|one| one.name == name).ok_or_else(|| no_connection(&name))
    }

    /// Makes or replaces one: `true` if it was made. A mask that is sent back keeps the stored secret.
    pub async fn put_connection(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        name: &str,
        spec: Value,
        expected: Option<u64>,
    ) -> Result<(ConnectionView, bool), Refusal> {
        let (plane, caller) = (self.clone(), caller.clone());
        let (environment, name) = (environment.clone(), name.to_owned());
        let deed = Deed::new("connection.put", format!("connection {name} of {environment}")).within(&environment);
        self.detached(async move {
            let checked = plane.checked(&caller, &environment, &name, spec).await;
            let (control, key) = (plane.clone(), name.clone());
            let home = environment.clone();
            let put = plane.change(&caller, deed, move |at, deed| {
                let (spec, read_at) = checked?;
                let before = at.kept_connection(&home, &key)?;
                at.put_allowed(&home, &key, before.is_some())?;
                let now = before.as_ref().map_or(0, |before| before.revision);
                if now != read_at || expected.is_some_and(|expected| expected != now) {
                    return Err(Refusal::Changed { kind: "connection", id: key, now });
                }
                let sealed = seal_spec(&spec, &place(&home, &key), &control.0.vault).to_string();
                let query = "INSERT INTO connections (environment, name, spec, revision, created_at)
                             VALUES (?1, ?2, ?3, 1, ?4)
                             ON CONFLICT DO UPDATE SET spec = excluded.spec, revision = revision + 1";
                at.table.write(query, params![home.as_str(), key, sealed, at.now])?;
                // What runs with it is started anew.
                let query = "UPDATE connectors SET config_revision = config_revision + 1
                             WHERE id IN (SELECT u.connector FROM connector_uses u JOIN connectors c ON c.id = u.connector
                                          JOIN clusters k ON k.id = c.cluster
                                          WHERE k.environment = ?1 AND u.name = ?2 AND u.kind IN ('connection', 'signer'))";
                at.table.write(query, [home.as_str(), &key])?;
                let mut users = KeptConnector::that_use(at.table, &home, "connection", &key)?;
                users.extend(KeptConnector::that_use(at.table, &home, "signer", &key)?);
                store::changed(at.table)?;
                let mut after = at.kept_connection(&home, &key)?.ok_or_else(|| no_connection(&key))?;
                after.spec = mask_spec(&after.spec);
                deed.before = before.as_ref().map(|before| mask_spec(&before.spec));
                deed.after = Some(after.spec.clone());
                Ok((after, before.is_none(), users))
            });
            let (view, is_new, users) = put.await?;
            for user in users {
                plane.replan(&user.id).await?;
            }
            Ok((view, is_new))
        })
        .await
    }

    /// Takes away one that no connector uses.
    pub async fn delete_connection(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        name: &str,
        expected: Option<u64>,
    ) -> Result<(), Refusal> {
        let (environment, name) = (environment.clone(), name.to_owned());
        let deed = Deed::new("connection.delete", format!("connection {name} of {environment}")).within(&environment);
        let is_of_file = self.of_file(&environment).iter().any(|one| one.name == name);
        self.change(caller, deed, move |at, deed| {
            let on = Resource::Connection(&environment, &name);
            let found = at.kept_connection(&environment, &name)?;
            let Some(found) = found else {
                let is_seen = is_of_file && at.sees(&on);
                return Err(if is_seen { of_the_file(at, &name) } else { no_connection(&name) });
            };
            at.require(Action::Delete, "delete", &on)?;
            if expected.is_some_and(|expected| expected != found.revision) {
                return Err(Refusal::Changed { kind: "connection", id: name, now: found.revision });
            }
            let mut users = KeptConnector::that_use(at.table, &environment, "connection", &name)?;
            users.extend(KeptConnector::that_use(at.table, &environment, "signer", &name)?);
            let mut users = at.told_users(&users);
            let query = "SELECT id, config FROM clusters WHERE environment = ?1";
            let clusters = at
                .table
                .rows(query, [environment.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            let signs = |config: &str| {
                let config = Kept::from_text(config).map(|kept| kept.masked()).unwrap_or_default();
                config.get("tidegate.kafka.connection").is_some_and(|signer| signer.trim() == name)
            };
            users.extend(clusters.into_iter().filter(|(_, config)| signs(config)).map(|(id, _)| id));
            if !users.is_empty() {
                return Err(Refusal::InUse { kind: "connection", id: name, users });
            }
            deed.before = Some(mask_spec(&found.spec));
            store::changed(at.table)?;
            let query = "DELETE FROM connections WHERE environment = ?1 AND name = ?2";
            Ok(at.table.write(query, [environment.as_str(), &name]).map(drop)?)
        })
        .await
    }
}

impl ControlPlane {
    /// What is to be kept, secrets in the clear, and the revision that it was made from; all that is wrong with it.
    async fn checked(
        &self,
        caller: &Caller,
        environment: &EnvironmentId,
        name: &str,
        spec: Value,
    ) -> Result<(Value, u64), Refusal> {
        let (plane, home, key) = (self.clone(), environment.clone(), name.to_owned());
        let is_of_file = self.of_file(environment).iter().any(|one| one.name == name);
        let looked = self.look(caller, move |at| {
            let before = at.kept_connection(&home, &key)?;
            at.put_allowed(&home, &key, before.is_some())?;
            if is_of_file {
                return Err(of_the_file(at, &key));
            }
            let stored = before.as_ref().map(|before| open_spec(&before.spec, &place(&home, &key), &plane.0.vault));
            let stored = stored.transpose().map_err(|why| at.table.damaged(format!("connection {key}"), why))?;
            Ok((unmask_spec(&spec, stored.as_ref(), &key)?, before.map_or(0, |before| before.revision)))
        });
        let (spec, revision) = looked.await?;
        let (plane, key, is_own) = (self.clone(), name.to_owned(), *environment == self.0.own);
        blocking(move || check(&plane.0.settings, &key, &spec, is_own).map(|()| (spec, revision))).await
    }
}

impl At<'_> {
    fn put_allowed(&self, environment: &EnvironmentId, name: &str, is_there: bool) -> Result<(), Refusal> {
        let on = Resource::Connection(environment, name);
        if is_there {
            self.require(Action::Configure, "change", &on)
        } else {
            self.require(Action::Create, "create", &on)
        }
    }

    /// The names of connectors that use something: of those that the caller may know of, and that there are others.
    pub(crate) fn told_users(&self, users: &[KeptConnector]) -> Vec<String> {
        let (seen, hidden): (Vec<_>, Vec<_>) = users.iter().partition(|user| self.sees(&user.resource()));
        let mut told: Vec<String> = seen.into_iter().map(|user| user.name.clone()).collect();
        told.extend(hidden.first().map(|_| "another".to_owned()));
        told
    }
}

fn of_the_file(at: &At<'_>, name: &str) -> Refusal {
    at.forbidden("change", format!("connection {name}, which is read from the operator's file"))
}
