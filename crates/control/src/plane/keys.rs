use jiff::Timestamp;
use rusqlite::{Row, params};
use serde::Serialize;
use serde_json::json;
use world::Secret;

use super::accounts::description;
use super::gate::{At, Deed};
use super::tokens::{drawn, print_of};
use super::{ControlPlane, Refusal, time};
use crate::{Caller, ClusterId, Error, Principal};

/// What an API key is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum KeyScope {
    /// Everything that its owner may do.
    Cloud,
    /// The same, in one cluster.
    Cluster(ClusterId),
}

/// An API key; its secret is shown once.
#[derive(Debug, Clone, Serialize)]
pub struct ApiKey {
    /// The key: 16 upper case letters and digits.
    pub id: String,
    /// For whom it speaks.
    pub owner: Principal,
    /// What it is good for.
    pub scope: KeyScope,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A new API key with its secret.
#[derive(Debug, Clone)]
pub struct IssuedKey {
    /// The key.
    pub key: ApiKey,
    /// 64 characters of 384 drawn bits. Only its hash is kept.
    pub secret: Secret,
}

const KEYS: &str = "SELECT id, owner, cluster, description, created_at FROM api_keys";

fn read_key(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let cluster: Option<String> = row.get(2)?;
    Ok(ApiKey {
        id: row.get(0)?,
        owner: super::id(row, 1)?,
        scope: match cluster {
            None => KeyScope::Cloud,
            Some(_) => KeyScope::Cluster(super::id(row, 2)?),
        },
        description: row.get(3)?,
        created_at: time(row.get(4)?),
    })
}

fn no_key(id: &str) -> Refusal {
    Refusal::NotFound { kind: "api key", id: id.to_owned() }
}

/// Sixteen capitals and digits: 82 bits, and no secret.
fn draw_key() -> String {
    crate::ids::draw(16).to_ascii_uppercase()
}

impl At<'_> {
    /// Whether the caller may see and take away keys of `owner`: their own, and those of accounts that they manage.
    fn keeps(&self, key: &ApiKey) -> Result<bool, Error> {
        if self.rights.is_admin() {
            return Ok(true);
        }
        if self.caller.only_cluster.is_some() {
            return Ok(false);
        }
        if self.caller.principal == key.owner {
            return Ok(true);
        }
        match &key.owner {
            Principal::ServiceAccount(id) => self.manages(id),
            Principal::User(_) | Principal::Operator => Ok(false),
        }
    }

    fn key(&self, id: &str) -> Result<ApiKey, Refusal> {
        let found = self.table.first(&format!("{KEYS} WHERE id = ?1"), [id], read_key)?;
        match found {
            Some(key) if self.keeps(&key)? => Ok(key),
            _ => Err(no_key(id)),
        }
    }
}

impl ControlPlane {
    /// The keys that the caller may see, oldest first.
    pub async fn api_keys(&self, caller: &Caller) -> Result<Vec<ApiKey>, Refusal> {
        self.look(caller, |at| {
            let mut seen = Vec::new();
            for key in at.table.rows(&format!("{KEYS} ORDER BY created_at, id"), [], read_key)? {
                if at.keeps(&key)? {
                    seen.push(key);
                }
            }
            Ok(seen)
        })
        .await
    }

    /// One.
    pub async fn api_key(&self, caller: &Caller, id: &str) -> Result<ApiKey, Refusal> {
        let id = id.to_owned();
        self.look(caller, move |at| at.key(&id)).await
    }

    /// Makes one for `owner`: oneself, or a service account that one may manage.
    pub async fn create_api_key(
        &self,
        caller: &Caller,
        owner: Principal,
        scope: KeyScope,
        description: &str,
    ) -> Result<IssuedKey, Refusal> {
        let description = self::description(description)?;
        let secret = Secret::new(drawn::<48>());
        let print = print_of(secret.expose());
        let mut deed = Deed::new("api-key.create", format!("an API key of {owner}"));
        if let KeyScope::Cluster(cluster) = &scope {
            deed.resource = format!("{} for {cluster}", deed.resource);
        }
        let made = self.change(caller, deed, move |at, deed| {
            // A key makes no key: whoever stole one for a cluster would have one for all.
            if at.caller.only_cluster.is_some() {
                return Err(at.forbidden("create", "an API key"));
            }
            if at.caller.principal != owner {
                let missing = |kind, id: String| Refusal::NotFound { kind, id };
                let is_seen = at.principal_exists(&owner)? && at.sees_principal(&owner)?;
                match &owner {
                    Principal::ServiceAccount(id) if !is_seen => {
                        return Err(missing("service account", id.to_string()));
                    }
                    Principal::User(id) if !is_seen => return Err(missing("user", id.to_string())),
                    Principal::ServiceAccount(id) if at.manages(id)? => {}
                    Principal::User(_) if at.rights.is_admin() => {}
                    Principal::ServiceAccount(_) | Principal::User(_) | Principal::Operator => {
                        return Err(at.forbidden("create", format!("an API key of {owner}")));
                    }
                }
            }
            let environment = match &scope {
                KeyScope::Cloud => None,
                KeyScope::Cluster(cluster) => Some(at.cluster(cluster)?),
            };
            let at_risk = owner != Principal::Operator && super::login::is_empty(at.table)?;
            if at_risk && !super::gate::rights_of_principal(at.table, &owner, at.organization)?.is_admin() {
                return Err(Refusal::Flawed {
                    field: "owner".to_owned(),
                    value: owner.to_string(),
                    rule: "would have the only credentials, and may not administrate: make a user first, with \
                           tidegate serve --init"
                        .to_owned(),
                });
            }
            let id = at.new_id(draw_key)?;
            let cluster = match &scope {
                KeyScope::Cloud => None,
                KeyScope::Cluster(cluster) => Some(cluster.as_str().to_owned()),
            };
            let query = "INSERT INTO api_keys (id, owner, cluster, description, secret, created_at)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            at.table.write(query, params![id, owner.to_string(), cluster, description, print, at.now])?;
            let made = at.table.first(&format!("{KEYS} WHERE id = ?1"), [&id], read_key)?.ok_or_else(|| no_key(&id))?;
            (deed.after, deed.environment) = (Some(json!(made)), environment);
            Ok(made)
        });
        Ok(IssuedKey { key: made.await?, secret })
    }

    /// Says what a key is for.
    pub async fn describe_api_key(&self, caller: &Caller, id: &str, description: &str) -> Result<ApiKey, Refusal> {
        let (id, description) = (id.to_owned(), self::description(description)?);
        self.change(caller, Deed::new("api-key.update", format!("API key {id}")), move |at, deed| {
            deed.before = Some(json!(at.key(&id)?));
            at.table.write("UPDATE api_keys SET description = ?2 WHERE id = ?1", [&id, &description])?;
            let changed = at.key(&id)?;
            deed.after = Some(json!(changed));
            Ok(changed)
        })
        .await
    }

    /// Takes one away; it is refused from the next request on.
    pub async fn delete_api_key(&self, caller: &Caller, id: &str) -> Result<(), Refusal> {
        let id = id.to_owned();
        self.change(caller, Deed::new("api-key.delete", format!("API key {id}")), move |at, deed| {
            deed.before = Some(json!(at.key(&id)?));
            Ok(at.table.write("DELETE FROM api_keys WHERE id = ?1", [&id]).map(drop)?)
        })
        .await
    }
}
