//! What a store holds from its first start on.

use rusqlite::params;
use serde_json::json;

use super::gate::{Deed, line, new_id};
use super::vault::Vault;
use super::{ControlPlane, NewUser, Refusal, RoleName, Settings, User};
use crate::store::{self, Store, Table};
use crate::{Caller, ClusterId, EnvironmentId, Error, Origin, Principal};

/// What is there from the first start on, and never changes.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) organization: std::sync::Arc<str>,
    pub(crate) own: EnvironmentId,
    pub(crate) default_cluster: ClusterId,
    pub(crate) vault: Vault,
}

fn setting(table: &Table<'_>, name: &str) -> Result<Option<String>, Error> {
    table.first("SELECT value FROM settings WHERE name = ?1", [name], |row| row.get(0))
}

fn set(table: &Table<'_>, name: &str, value: &str) -> Result<(), Error> {
    table.write("INSERT INTO settings (name, value) VALUES (?1, ?2)", [name, value]).map(drop)
}

impl Beginning {
    /// Reads it, or makes it.
    pub(crate) async fn of(store: &Store, settings: &Settings) -> Result<Self, Error> {
        let stored = store.read(|table| setting(table, "key")).await?;
        let vault = Vault::open(&settings.data_dir, stored.is_none())?;
        if stored.is_some_and(|stored| stored != vault.print()) {
            let path = settings.data_dir.join("tidegate.key");
            return Err(Error::Key { path, reason: "it is another one" });
        }
        let now = store::now(&settings.clock).as_millisecond();
        store
            .with(move |table| {
                if setting(table, "key")?.is_none() {
                    make(table, now, vault.print())?;
                }
                // What a process that is gone was about to do, nobody does any more.
                let query = "UPDATE offset_requests SET state = 'failed', reason = 'Tidegate ended before it was done'
                             WHERE state = 'pending'";
                table.write(query, [])?;
                let missing = |what: &str| table.damaged(what, "it is not there");
                let organization = setting(table, "organization")?.ok_or_else(|| missing("the organization"))?;
                let own = "SELECT id FROM environments WHERE is_own = 1";
                let own =
                    table.first(own, [], |row| super::id(row, 0))?.ok_or_else(|| missing("the own environment"))?;
                let cluster = "SELECT id FROM clusters WHERE is_default = 1";
                let cluster = table.first(cluster, [], |row| super::id(row, 0))?;
                let default_cluster = cluster.ok_or_else(|| missing("the default cluster"))?;
                Ok(Self { organization: organization.into(), own, default_cluster, vault })
            })
            .await
    }
}

fn make(table: &Table<'_>, now: i64, key: &str) -> Result<(), Error> {
    set(table, "key", key)?;
    set(table, "organization", &uuid())?;
    let own = new_id(table, EnvironmentId::random)?;
    let query =
        "INSERT INTO environments (id, display_name, is_own, revision, created_at) VALUES (?1, 'default', 1, 1, ?2)";
    table.write(query, params![own.as_str(), now])?;
    let cluster = new_id(table, ClusterId::random)?;
    let query = "INSERT INTO clusters (id, environment, display_name, is_default, config, revision, created_at)
                 VALUES (?1, ?2, 'default', 1, '{}', 1, ?3)";
    table.write(query, params![cluster.as_str(), own.as_str(), now])?;
    let mut deed = Deed::new("organization.create", "the organization").within(&own);
    deed.after = Some(json!({ "environment": own, "cluster": cluster }));
    line(table, now, "Tidegate", &deed, None, "cli", "", "done")
}

/// A random UUID (RFC 9562, version 4).
fn uuid() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes);
    let number = u128::from_be_bytes(bytes) & !(0xf << 76 | 0b11 << 62) | 4 << 76 | 0b10 << 62;
    let text = format!("{number:032x}");
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

impl ControlPlane {
    /// Makes the first user, who may do everything: from then on, nobody does anything without credentials.
    ///
    /// # Errors
    /// There is a user already.
    pub async fn init(&self, new: NewUser, origin: Origin) -> Result<User, Refusal> {
        let (email, full_name) = new.checked()?;
        let hash = self.0.passwords.hash(&new.password).await?;
        let caller = Caller { principal: Principal::Operator, only_cluster: None, origin };
        self.change(&caller, Deed::new("user.create", format!("user {email}")), move |at, deed| {
            if at.table.has("SELECT 1 FROM users LIMIT 1", [])? {
                return Err(Refusal::Exists { kind: "user", id: "the first one".to_owned() });
            }
            let user = super::accounts::insert_user(at, &email, &full_name, &hash)?;
            let principal = Principal::User(user.id.clone());
            super::bindings::insert_binding(at, &principal, RoleName::OrganizationAdmin, None)?;
            deed.after = Some(json!(user));
            Ok(user)
        })
        .await
    }

    /// Whether there is a user who can log in.
    pub async fn has_users(&self) -> Result<bool, Refusal> {
        self.0.store.read(|table| Ok(table.has("SELECT 1 FROM users LIMIT 1", [])?)).await
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn organizations_have_uuids_of_version_4() {
        let id = super::uuid();
        let shape: String = id.chars().map(|c| if c.is_ascii_hexdigit() { 'x' } else { c }).collect();
        assert_eq!(shape, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]), "{id}");
    }
}
