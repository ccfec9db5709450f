use jiff::Timestamp;
use rusqlite::{Row, params};
use serde::Serialize;
use serde_json::json;
use world::Secret;

use super::crn::Resource;
use super::gate::{At, Deed, bindings_of};
use super::rights::Action;
use super::{ControlPlane, Refusal, RoleName, time};
use crate::store::Table;
use crate::{Caller, Error, Principal, ServiceAccountId, UserId};

/// A person who logs in.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// A number for clients that know it by that.
    pub number: u32,
    /// The address that logs in; unique, whatever its case.
    pub email: String,
    /// What people call the person.
    pub full_name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A person to be let in.
#[derive(Debug)]
pub struct NewUser {
    /// The address.
    pub email: String,
    /// What people call the person; may be empty.
    pub full_name: String,
    /// At least 12 characters; kept as Argon2id's hash.
    pub password: Secret,
}

/// A program's account.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// What people call it; unique.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Reads `id, number, email, full_name, created_at`.
pub(crate) fn read_user(row: &Row<'_>) -> rusqlite::Result<User> {
    read_user_at(row, 0)
}

pub(crate) fn read_user_at(row: &Row<'_>, at: usize) -> rusqlite::Result<User> {
    Ok(User {
        id: super::id(row, at)?,
        number: row.get(at + 1)?,
        email: row.get(at + 2)?,
        full_name: row.get(at + 3)?,
        created_at: time(row.get(at + 4)?),
    })
}

fn read_account(row: &Row<'_>) -> rusqlite::Result<ServiceAccount> {
    Ok(ServiceAccount {
        id: super::id(row, 0)?,
        display_name: row.get(1)?,
        description: row.get(2)?,
        created_at: time(row.get(3)?),
    })
}

const USERS: &str = "SELECT id, number, email, full_name, created_at FROM users";
const ACCOUNTS: &str = "SELECT id, display_name, description, created_at FROM service_accounts";

fn no_user(id: &UserId) -> Refusal {
    Refusal::NotFound { kind: "user", id: id.to_string() }
}

fn no_account(id: &ServiceAccountId) -> Refusal {
    Refusal::NotFound { kind: "service account", id: id.to_string() }
}

impl At<'_> {
    /// Whether the caller may know of somebody: oneself, who has a role where one gives roles, and whom one has made.
    pub(crate) fn sees_principal(&self, principal: &Principal) -> Result<bool, Error> {
        if self.rights.is_admin() || self.caller.principal == *principal {
            return Ok(true);
        }
        if !self.rights.is_some_admin() {
            return Ok(false);
        }
        let made = "SELECT 1 FROM service_accounts WHERE id = ?1 AND created_by = ?2";
        if let Principal::ServiceAccount(id) = principal
            && self.table.has(made, [id.as_str(), &self.caller.principal.to_string()])?
        {
            return Ok(true);
        }
        let bindings = bindings_of(self.table, &principal.to_string(), self.organization)?;
        Ok(bindings.iter().any(|(role, pattern)| self.rights.may_give(*role, pattern)))
    }

    /// Whether the caller may make keys for a service account, and take it away: who has made it, as long as it has no role
    /// that the caller could not give it.
    pub(crate) fn manages(&self, id: &ServiceAccountId) -> Result<bool, Error> {
        if self.rights.is_admin() {
            return Ok(true);
        }
        let made = "SELECT 1 FROM service_accounts WHERE id = ?1 AND created_by = ?2";
        if !self.rights.is_some_admin() || !self.table.has(made, [id.as_str(), &self.caller.principal.to_string()])? {
            return Ok(false);
        }
        let bindings = bindings_of(self.table, &format!("User:{id}"), self.organization)?;
        Ok(bindings.iter().all(|(role, pattern)| self.rights.may_give(*role, pattern)))
    }

    pub(crate) fn principal_exists(&self, principal: &Principal) -> Result<bool, Error> {
        match principal {
            Principal::Operator => Ok(false),
            Principal::User(id) => self.table.has("SELECT 1 FROM users WHERE id = ?1", [id.as_str()]),
            Principal::ServiceAccount(id) => {
                self.table.has("SELECT 1 FROM service_accounts WHERE id = ?1", [id.as_str()])
            }
        }
    }
}

/// Whether somebody else than `but` (a principal, or a binding) administrates the organization.
pub(crate) fn has_other_admin(table: &Table<'_>, but: &str) -> Result<bool, Error> {
    let query = "SELECT 1 FROM role_bindings WHERE role = ?1 AND principal <> ?2 AND id <> ?2 LIMIT 1";
    table.has(query, [RoleName::OrganizationAdmin.name(), but])
}

/// Whether anybody does.
pub(crate) fn has_admin(table: &Table<'_>) -> Result<bool, Error> {
    has_other_admin(table, "")
}

pub(crate) fn last_admin(field: &str, value: &str) -> Refusal {
    Refusal::Flawed {
        field: field.to_owned(),
        value: value.to_owned(),
        rule: "is the last that has OrganizationAdmin: give it to somebody else first".to_owned(),
    }
}

/// Ends everything that a principal has.
fn shut_out(table: &Table<'_>, principal: &str) -> Result<(), Error> {
    table.write("DELETE FROM api_keys WHERE owner = ?1", [principal])?;
    table.write("DELETE FROM role_bindings WHERE principal = ?1", [principal])?;
    table.write("DELETE FROM idempotency WHERE principal = ?1", [principal]).map(drop)
}

fn text(field: &str, value: &str, longest: usize, may_be_empty: bool) -> Result<String, Refusal> {
    let trimmed = value.trim();
    let length = trimmed.chars().count();
    if length <= longest && (may_be_empty || length > 0) && !trimmed.chars().any(char::is_control) {
        return Ok(trimmed.to_owned());
    }
    let least = usize::from(!may_be_empty);
    Err(Refusal::Flawed {
        field: field.to_owned(),
        value: value.chars().take(120).collect(),
        rule: format!("must have {least} to {longest} characters, none of them a control character"),
    })
}

pub(crate) fn display_name(value: &str) -> Result<String, Refusal> {
    text("display_name", value, 64, false)
}

pub(crate) fn description(value: &str) -> Result<String, Refusal> {
    text("description", value, 1024, true)
}

/// What is checked of an address: that it can be one. Whether mail reaches it does not matter here.
fn address(email: &str) -> Result<String, Refusal> {
    let email = email.trim();
    let fits = email.split_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty())
        && (3..=254).contains(&email.len())
        && !email.contains([':', ' '])
        && !email.chars().any(char::is_control);
    if fits {
        return Ok(email.to_owned());
    }
    Err(Refusal::Flawed {
        field: "email".to_owned(),
        value: email.chars().take(120).collect(),
        rule: "must be an address: name@host".to_owned(),
    })
}

/// Puts a user into the store.
pub(crate) fn insert_user(at: &At<'_>, email: &str, full_name: &str, hash: &str) -> Result<User, Refusal> {
    let login = email.to_lowercase();
    if at.table.has("SELECT 1 FROM users WHERE login = ?1", [&login])? {
        return Err(Refusal::Exists { kind: "user", id: email.to_owned() });
    }
    let id = at.new_id(UserId::random)?;
    let query = "INSERT INTO users (id, number, login, email, full_name, password, created_at)
                 VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM users), ?2, ?3, ?4, ?5, ?6)";
    at.table.write(query, params![id.as_str(), login, email, full_name, hash, at.now])?;
    let made = at.table.first(&format!("{USERS} WHERE id = ?1"), [id.as_str()], read_user)?;
    made.ok_or_else(|| no_user(&id))
}

impl NewUser {
    pub(crate) fn checked(&self) -> Result<(String, String), Refusal> {
        Ok((address(&self.email)?, text("full_name", &self.full_name, 128, true)?))
    }
}

impl ControlPlane {
    /// The users that the caller may see, in the order in which they came.
    pub async fn users(&self, caller: &Caller) -> Result<Vec<User>, Refusal> {
        self.look(caller, |at| {
            let mut users = at.table.rows(&format!("{USERS} ORDER BY number"), [], read_user)?;
            let mut failed = None;
            users.retain(|user| {
                at.sees_principal(&Principal::User(user.id.clone())).unwrap_or_else(|error| {
                    failed = Some(error);
                    false
                })
            });
            failed.map_or(Ok(users), |error| Err(error.into()))
        })
        .await
    }

    /// One; everybody may see oneself.
    pub async fn user(&self, caller: &Caller, id: &UserId) -> Result<User, Refusal> {
        let id = id.clone();
        self.look(caller, move |at| {
            let found = at.table.first(&format!("{USERS} WHERE id = ?1"), [id.as_str()], read_user)?;
            match found {
                Some(user) if at.sees_principal(&Principal::User(id.clone()))? => Ok(user),
                _ => Err(no_user(&id)),
            }
        })
        .await
    }

    /// Lets a person in, who may do nothing yet.
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<User, Refusal> {
        // Whoever may not do it is told so before anything is hashed for them.
        self.require_admin(caller, "create", "users").await?;
        let (email, full_name) = new.checked()?;
        let hash = self.0.passwords.hash(&new.password).await?;
        self.change(caller, Deed::new("user.create", format!("user {email}")), move |at, deed| {
            at.require(Action::Create, "create users of", &Resource::Organization)?;
            // The first one ends it that nobody needs credentials: they must be able to go on.
            let is_first = super::login::is_empty(at.table)?;
            let user = insert_user(at, &email, &full_name, &hash)?;
            if is_first {
                super::bindings::insert_binding(
                    at,
                    &Principal::User(user.id.clone()),
                    RoleName::OrganizationAdmin,
                    None,
                )?;
            }
            deed.after = Some(json!(user));
            Ok(user)
        })
        .await
    }

    /// Sets a password; logins of that user end. Oneself, or whoever administrates the organization.
    pub async fn set_password(&self, caller: &Caller, id: &UserId, password: Secret) -> Result<(), Refusal> {
        self.user(caller, id).await?;
        let hash = self.0.passwords.hash(&password).await?;
        let id = id.clone();
        self.change(caller, Deed::new("user.password", format!("user {id}")), move |at, _| {
            let is_own = at.caller.principal == Principal::User(id.clone()) && at.caller.only_cluster.is_none();
            if !is_own {
                at.require(Action::Configure, "set passwords of", &Resource::Organization)?;
            }
            if at.table.write("UPDATE users SET password = ?2 WHERE id = ?1", [id.as_str(), &hash])? == 0 {
                return Err(no_user(&id));
            }
            Ok(at.table.write("DELETE FROM logins WHERE user = ?1", [id.as_str()]).map(drop)?)
        })
        .await
    }

    /// Shuts a person out: logins, keys and role bindings end.
    pub async fn delete_user(&self, caller: &Caller, id: &UserId) -> Result<(), Refusal> {
        let id = id.clone();
        self.change(caller, Deed::new("user.delete", format!("user {id}")), move |at, deed| {
            let found = at.table.first(&format!("{USERS} WHERE id = ?1"), [id.as_str()], read_user)?;
            let principal = Principal::User(id.clone());
            let Some(user) = found.filter(|_| at.sees_principal(&principal).unwrap_or(false)) else {
                return Err(no_user(&id));
            };
            at.require(Action::Delete, "delete users of", &Resource::Organization)?;
            let principal = principal.to_string();
            if has_admin(at.table)? && !has_other_admin(at.table, &principal)? {
                return Err(last_admin("user", id.as_str()));
            }
            deed.before = Some(json!(user));
            shut_out(at.table, &principal)?;
            Ok(at.table.write("DELETE FROM users WHERE id = ?1", [id.as_str()]).map(drop)?)
        })
        .await
    }

    /// The service accounts that the caller may see, oldest first.
    pub async fn service_accounts(&self, caller: &Caller) -> Result<Vec<ServiceAccount>, Refusal> {
        self.look(caller, |at| {
            let found = at.table.rows(&format!("{ACCOUNTS} ORDER BY created_at, id"), [], read_account)?;
            let mut seen = Vec::new();
            for account in found {
                if at.sees_principal(&Principal::ServiceAccount(account.id.clone()))? {
                    seen.push(account);
                }
            }
            Ok(seen)
        })
        .await
    }

    /// One.
    pub async fn service_account(&self, caller: &Caller, id: &ServiceAccountId) -> Result<ServiceAccount, Refusal> {
        let id = id.clone();
        self.look(caller, move |at| account(at, &id)).await
    }

    /// Makes one, which may do nothing yet: whoever administrates an environment may.
    pub async fn create_service_account(
        &self,
        caller: &Caller,
        display_name: &str,
        description: &str,
    ) -> Result<ServiceAccount, Refusal> {
        let (name, description) = (self::display_name(display_name)?, self::description(description)?);
        let deed = Deed::new("service-account.create", format!("service account {name}"));
        self.change(caller, deed, move |at, deed| {
            if !at.rights.is_some_admin() {
                return Err(at.forbidden("create service accounts of", "the organization"));
            }
            // A name that only others have is free: it would tell of them.
            for same in at.table.rows(&format!("{ACCOUNTS} WHERE display_name = ?1"), [&name], read_account)? {
                if at.sees_principal(&Principal::ServiceAccount(same.id))? {
                    return Err(Refusal::Exists { kind: "service account", id: name });
                }
            }
            let id = at.new_id(ServiceAccountId::random)?;
            let query = "INSERT INTO service_accounts (id, display_name, description, created_by, created_at)
                         VALUES (?1, ?2, ?3, ?4, ?5)";
            let by = at.caller.principal.to_string();
            at.table.write(query, params![id.as_str(), name, description, by, at.now])?;
            let made = account(at, &id)?;
            deed.after = Some(json!(made));
            Ok(made)
        })
        .await
    }

    /// Says what one is for.
    pub async fn describe_service_account(
        &self,
        caller: &Caller,
        id: &ServiceAccountId,
        description: &str,
    ) -> Result<ServiceAccount, Refusal> {
        let (id, description) = (id.clone(), self::description(description)?);
        self.change(caller, Deed::new("service-account.update", format!("service account {id}")), move |at, deed| {
            deed.before = Some(json!(account(at, &id)?));
            if !at.manages(&id)? {
                return Err(at.forbidden("describe", format!("service account {id}")));
            }
            let query = "UPDATE service_accounts SET description = ?2 WHERE id = ?1";
            at.table.write(query, params![id.as_str(), description])?;
            let changed = account(at, &id)?;
            deed.after = Some(json!(changed));
            Ok(changed)
        })
        .await
    }

    /// Takes one away with its keys and role bindings.
    pub async fn delete_service_account(&self, caller: &Caller, id: &ServiceAccountId) -> Result<(), Refusal> {
        let id = id.clone();
        self.change(caller, Deed::new("service-account.delete", format!("service account {id}")), move |at, deed| {
            deed.before = Some(json!(account(at, &id)?));
            if !at.manages(&id)? {
                return Err(at.forbidden("delete", format!("service account {id}")));
            }
            let principal = Principal::ServiceAccount(id.clone()).to_string();
            if has_admin(at.table)? && !has_other_admin(at.table, &principal)? {
                return Err(last_admin("service account", id.as_str()));
            }
            shut_out(at.table, &principal)?;
            Ok(at.table.write("DELETE FROM service_accounts WHERE id = ?1", [id.as_str()]).map(drop)?)
        })
        .await
    }
}

fn account(at: &At<'_>, id: &ServiceAccountId) -> Result<ServiceAccount, Refusal> {
    let found = at.table.first(&format!("{ACCOUNTS} WHERE id = ?1"), [id.as_str()], read_account)?;
    match found {
        Some(found) if at.sees_principal(&Principal::ServiceAccount(id.clone()))? => Ok(found),
        _ => Err(no_account(id)),
    }
}
