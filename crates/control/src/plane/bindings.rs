use jiff::Timestamp;
use rusqlite::{Row, params};
use serde::Serialize;
use serde_json::json;

use super::accounts::{has_other_admin, last_admin};
use super::crn::{Pattern, Resource, crn};
use super::gate::{At, Deed};
use super::{ControlPlane, Page, Refusal, time};
use crate::{Caller, Principal, RoleBindingId};

/// The roles that there are (confluent.md 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum RoleName {
    /// Everything, everywhere.
    OrganizationAdmin,
    /// Everything in an environment.
    EnvironmentAdmin,
    /// Connectors of a cluster: create, configure, pause, restart, delete.
    CloudClusterAdmin,
    /// Everything with one thing (a connector, an integration), and giving roles on it.
    ResourceOwner,
    /// Using an integration in a connector, and nothing else.
    Assigner,
    /// Reading connectors and their logs, pausing, resuming, restarting.
    ConnectManager,
    /// Reading configurations and status.
    DeveloperRead,
    /// Reading and configuring.
    DeveloperWrite,
    /// Reading status.
    Operator,
}

/// A role that a principal has on what a pattern of resource names (CRN) matches.
#[derive(Debug, Clone, Serialize)]
pub struct RoleBinding {
    /// Its id.
    pub id: RoleBindingId,
    /// Who.
    pub principal: Principal,
    /// What.
    pub role: RoleName,
    /// Where: `crn://../organization=../environment=../cloud-cluster=../connector=*`.
    pub crn_pattern: String,
    /// When it was given.
    pub created_at: Timestamp,
}

/// A role to be given.
#[derive(Debug, Clone)]
pub struct NewBinding {
    /// To whom: `User:u-..` or `User:sa-..`.
    pub principal: String,
    /// Its name.
    pub role: String,
    /// Where.
    pub crn_pattern: String,
}

const BINDINGS: &str = "SELECT id, principal, role, crn_pattern, created_at FROM role_bindings";

fn read_binding(row: &Row<'_>) -> rusqlite::Result<(RoleBinding, String)> {
    let role: String = row.get(2)?;
    let unknown = || rusqlite::Error::InvalidColumnType(2, role.clone(), rusqlite::types::Type::Text);
    let binding = RoleBinding {
        id: super::id(row, 0)?,
        principal: super::id(row, 1)?,
        role: RoleName::read(&role).ok_or_else(unknown)?,
        crn_pattern: row.get(3)?,
        created_at: time(row.get(4)?),
    };
    let pattern = binding.crn_pattern.clone();
    Ok((binding, pattern))
}

fn no_binding(id: &RoleBindingId) -> Refusal {
    Refusal::NotFound { kind: "role binding", id: id.to_string() }
}

fn flawed(field: &str, value: &str, rule: impl Into<String>) -> Refusal {
    Refusal::Flawed { field: field.to_owned(), value: value.chars().take(256).collect(), rule: rule.into() }
}

impl At<'_> {
    fn pattern(&self, text: &str) -> Result<Pattern, Refusal> {
        Pattern::read(text, self.organization).map_err(|why| flawed("crn_pattern", text, why))
    }

    /// Whether the caller may know of a binding: their own, and those that they could give.
    fn sees_binding(&self, binding: &RoleBinding) -> bool {
        let Ok(pattern) = Pattern::read(&binding.crn_pattern, self.organization) else { return self.rights.is_admin() };
        let is_own = self.caller.principal == binding.principal && self.caller.only_cluster.is_none();
        is_own || self.rights.may_give(binding.role, &pattern)
    }

    fn binding(&self, id: &RoleBindingId) -> Result<RoleBinding, Refusal> {
        let found = self.table.first(&format!("{BINDINGS} WHERE id = ?1"), [id.as_str()], read_binding)?;
        found.map(|(binding, _)| binding).filter(|binding| self.sees_binding(binding)).ok_or_else(|| no_binding(id))
    }
}

/// Gives a role on the organization, or on what `pattern` says.
pub(crate) fn insert_binding(
    at: &At<'_>,
    principal: &Principal,
    role: RoleName,
    pattern: Option<&str>,
) -> Result<RoleBinding, Refusal> {
    let on = pattern.map_or_else(|| crn(at.organization, &Resource::Organization), str::to_owned);
    let id = at.new_id(RoleBindingId::random)?;
    let query = "INSERT INTO role_bindings (id, principal, role, crn_pattern, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING";
    let values = params![id.as_str(), principal.to_string(), role.name(), on, at.now];
    if at.table.write(query, values)? == 0 {
        return Err(Refusal::Exists { kind: "role binding", id: format!("of {principal} as {} on {on}", role.name()) });
    }
    Ok(RoleBinding { id, principal: principal.clone(), role, crn_pattern: on, created_at: time(at.now) })
}

impl ControlPlane {
    /// The bindings that the caller may see, on `crn_pattern` and below if it is given.
    pub async fn role_bindings(
        &self,
        caller: &Caller,
        crn_pattern: Option<&str>,
        page: Option<&str>,
        size: usize,
    ) -> Result<Page<RoleBinding>, Refusal> {
        let (wanted, page) = (crn_pattern.map(str::to_owned), page.map(str::to_owned));
        self.look(caller, move |at| {
            let within =
                wanted.as_deref().map(|text| at.pattern(text.strip_suffix("/*").unwrap_or(text))).transpose()?;
            let found = at.table.rows(&format!("{BINDINGS} ORDER BY created_at, id"), [], read_binding)?;
            let is_within = |pattern: &str| {
                let read = || Pattern::read(pattern, at.organization).ok();
                within.as_ref().is_none_or(|within| read().is_some_and(|pattern| within.contains(&pattern)))
            };
            let seen = found.into_iter().filter(|(binding, pattern)| at.sees_binding(binding) && is_within(pattern));
            let seen: Vec<_> = seen.map(|(binding, _)| binding).collect();
            Page::cut(seen, page.as_deref(), size, |binding| binding.id.to_string())
        })
        .await
    }

    /// One.
    pub async fn role_binding(&self, caller: &Caller, id: &RoleBindingId) -> Result<RoleBinding, Refusal> {
        let id = id.clone();
        self.look(caller, move |at| at.binding(&id)).await
    }

    /// Gives a role. Nobody gives what they may not give: see docs/security.md.
    pub async fn create_role_binding(&self, caller: &Caller, new: NewBinding) -> Result<RoleBinding, Refusal> {
        let deed = Deed::new("role-binding.create", format!("{} of {}", new.role, new.principal));
        self.change(caller, deed, move |at, deed| {
            let principal: Principal = new.principal.parse().map_err(|_| {
                flawed("principal", &new.principal, "must be User:u-.. or User:sa-..: a user or a service account")
            })?;
            let names = || RoleName::ALL.map(RoleName::name).join(", ");
            let role = RoleName::read(&new.role)
                .ok_or_else(|| flawed("role_name", &new.role, format!("must be one of: {}", names())))?;
            let pattern = at.pattern(&new.crn_pattern)?;
            if !role.levels().contains(&pattern.level()) {
                let levels: Vec<_> = role.levels().iter().map(|level| level.word()).collect();
                let why = format!("is nothing that {} is given on: that is {}", role.name(), levels.join(" or "));
                return Err(flawed("crn_pattern", &new.crn_pattern, why));
            }
            // An environment that the caller may not know of looks like one that is not there.
            if let Some(environment) = pattern.environment() {
                at.environment(&environment)?;
                deed.environment = Some(environment);
            }
            if !at.rights.may_give(role, &pattern) {
                return Err(at.forbidden("give", format!("{} on {}", role.name(), new.crn_pattern)));
            }
            if !at.principal_exists(&principal)? || !at.sees_principal(&principal)? {
                let (kind, id) = match &principal {
                    Principal::ServiceAccount(id) => ("service account", id.to_string()),
                    Principal::User(id) => ("user", id.to_string()),
                    Principal::Operator => ("user", "Operator".to_owned()),
                };
                return Err(Refusal::NotFound { kind, id });
            }
            let made = insert_binding(at, &principal, role, Some(&new.crn_pattern))?;
            deed.after = Some(json!(made));
            Ok(made)
        })
        .await
    }

    /// Takes one away; the last `OrganizationAdmin` stays.
    pub async fn delete_role_binding(&self, caller: &Caller, id: &RoleBindingId) -> Result<RoleBinding, Refusal> {
        let id = id.clone();
        self.change(caller, Deed::new("role-binding.delete", format!("role binding {id}")), move |at, deed| {
            let binding = at.binding(&id)?;
            let pattern = at.pattern(&binding.crn_pattern)?;
            deed.environment = pattern.environment();
            if !at.rights.may_give(binding.role, &pattern) {
                return Err(at.forbidden("take", format!("{} on {}", binding.role.name(), binding.crn_pattern)));
            }
            if binding.role == RoleName::OrganizationAdmin && !has_other_admin(at.table, id.as_str())? {
                return Err(last_admin("role binding", id.as_str()));
            }
            deed.before = Some(json!(binding));
            at.table.write("DELETE FROM role_bindings WHERE id = ?1", [id.as_str()])?;
            Ok(binding)
        })
        .await
    }
}
