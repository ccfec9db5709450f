use jiff::Timestamp;
use rusqlite::{Row, params};
use serde::Serialize;
use serde_json::json;

use super::accounts::display_name;
use super::crn::Resource;
use super::gate::{At, Deed};
use super::rights::Action;
use super::{ControlPlane, Refusal, time};
use crate::{Caller, EnvironmentId};

/// Whose installation this is.
#[derive(Debug, Clone, Serialize)]
pub struct Organization {
    /// A UUID.
    pub id: String,
    /// A number for clients that know it by that: 1.
    pub number: u32,
    /// What people call it.
    pub display_name: String,
}

/// What one tenant has.
#[derive(Debug, Clone, Serialize)]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// What people call it.
    pub display_name: String,
    /// The operator's own: connectors in it may use what the machine has (its files, its identity, any endpoint). Those of
    /// other environments reach AWS through integrations and connections of their own alone.
    pub is_own: bool,
    /// Counts its changes.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

const ENVIRONMENTS: &str = "SELECT id, display_name, is_own, revision, created_at FROM environments";

fn read_environment(row: &Row<'_>) -> rusqlite::Result<Environment> {
    Ok(Environment {
        id: super::id(row, 0)?,
        display_name: row.get(1)?,
        is_own: row.get(2)?,
        revision: row.get(3)?,
        created_at: time(row.get(4)?),
    })
}

pub(crate) fn environment(at: &At<'_>, id: &EnvironmentId) -> Result<Environment, Refusal> {
    at.environment(id)?;
    let found = at.table.first(&format!("{ENVIRONMENTS} WHERE id = ?1"), [id.as_str()], read_environment)?;
    found.ok_or_else(|| Refusal::no_environment(id))
}

impl ControlPlane {
    /// The one that there is.
    pub async fn organization(&self, caller: &Caller) -> Result<Organization, Refusal> {
        self.look(caller, |at| {
            Ok(Organization { id: at.organization.to_owned(), number: 1, display_name: "Tidegate".to_owned() })
        })
        .await
    }

    /// Those that the caller may see, oldest first.
    pub async fn environments(&self, caller: &Caller) -> Result<Vec<Environment>, Refusal> {
        self.look(caller, |at| {
            let query = format!("{ENVIRONMENTS} ORDER BY created_at, is_own DESC, id");
            let mut found = at.table.rows(&query, [], read_environment)?;
            found.retain(|environment| at.sees(&Resource::Environment(&environment.id)));
            Ok(found)
        })
        .await
    }

    /// One.
    pub async fn environment(&self, caller: &Caller, id: &EnvironmentId) -> Result<Environment, Refusal> {
        let id = id.clone();
        self.look(caller, move |at| environment(at, &id)).await
    }

    /// Makes one (not the operator's own).
    pub async fn create_environment(&self, caller: &Caller, display_name: &str) -> Result<Environment, Refusal> {
        let name = self::display_name(display_name)?;
        self.change(caller, Deed::new("environment.create", format!("environment {name}")), move |at, deed| {
            at.require(Action::Create, "create environments of", &Resource::Organization)?;
            if at.table.has("SELECT 1 FROM environments WHERE display_name = ?1", [&name])? {
                return Err(Refusal::Exists { kind: "environment", id: name });
            }
            let id = at.new_id(EnvironmentId::random)?;
            let query = "INSERT INTO environments (id, display_name, is_own, revision, created_at)
                         VALUES (?1, ?2, 0, 1, ?3)";
            at.table.write(query, params![id.as_str(), name, at.now])?;
            let made = environment(at, &id)?;
            (deed.after, deed.environment) = (Some(json!(made)), Some(id));
            Ok(made)
        })
        .await
    }

    /// Calls it something else.
    pub async fn rename_environment(
        &self,
        caller: &Caller,
        id: &EnvironmentId,
        display_name: &str,
    ) -> Result<Environment, Refusal> {
        let (id, name) = (id.clone(), self::display_name(display_name)?);
        let deed = Deed::new("environment.update", format!("environment {id}")).within(&id);
        self.change(caller, deed, move |at, deed| {
            deed.before = Some(json!(environment(at, &id)?));
            at.require(Action::Configure, "rename", &Resource::Environment(&id))?;
            let query = "UPDATE environments SET display_name = ?2, revision = revision + 1 WHERE id = ?1";
            at.table.write(query, [id.as_str(), &name])?;
            let changed = environment(at, &id)?;
            deed.after = Some(json!(changed));
            Ok(changed)
        })
        .await
    }

    /// Takes one away that is empty.
    pub async fn delete_environment(&self, caller: &Caller, id: &EnvironmentId) -> Result<(), Refusal> {
        let id = id.clone();
        let deed = Deed::new("environment.delete", format!("environment {id}")).within(&id);
        self.change(caller, deed, move |at, deed| {
            let before = environment(at, &id)?;
            at.require(Action::Delete, "delete", &Resource::Environment(&id))?;
            if before.is_own {
                return Err(at.forbidden("delete", "the operator's own environment"));
            }
            deed.before = Some(json!(before));
            // Whoever may delete it sees all that is in it.
            let users = "SELECT display_name FROM clusters WHERE environment = ?1
                         UNION ALL SELECT name FROM connections WHERE environment = ?1
                         UNION ALL SELECT id FROM integrations WHERE environment = ?1 AND deleted_at IS NULL";
            let users = at.table.rows(users, [id.as_str()], |row| row.get::<_, String>(0))?;
            if !users.is_empty() {
                return Err(Refusal::InUse { kind: "environment", id: id.to_string(), users });
            }
            let pattern = super::crn::crn(at.organization, &Resource::Environment(&id));
            let below = format!("{pattern}/");
            let query = "DELETE FROM role_bindings WHERE crn_pattern = ?1 OR substr(crn_pattern, 1, length(?2)) = ?2";
            at.table.write(query, [&pattern, &below])?;
            Ok(at.table.write("DELETE FROM environments WHERE id = ?1", [id.as_str()]).map(drop)?)
        })
        .await
    }
}
